"""Layouts of other programs <-> Document: regions of a canvas, each with a text. One file each."""
