"""Queue, job states, the worker process and its wire. Neither Qt nor torch."""
