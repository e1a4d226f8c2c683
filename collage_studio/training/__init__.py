"""Training of what the program uses but does not come with: adapters for other models."""
