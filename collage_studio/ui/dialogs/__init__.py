"""Popovers and sheets inside the window; none of them blocks."""
