"""The engine. Everything here but `api` may import torch; `api` must not."""
