"""Cutting things out: matting, scribbles, edges, background removal, clicks. No Qt, no torch."""
