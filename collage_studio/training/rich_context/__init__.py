"""Training of the rich-context adapter (arXiv 2409.04847) on items of boxes and texts."""
