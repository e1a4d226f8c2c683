"""Rich-context regional cross-attention (arXiv 2409.04847): adapter, its inputs and its files."""
