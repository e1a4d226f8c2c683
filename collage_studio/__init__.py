"""Collage Studio: paste pictures together and get one coherent image back."""

__version__ = "0.1.0"
