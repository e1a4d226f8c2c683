"""How a network attends: edits as data, and the processors that apply them."""
