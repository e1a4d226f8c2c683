"""Learned looks: textual inversion and its vectors inside a text."""
