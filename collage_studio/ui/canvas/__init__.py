"""The canvas: paints the collage and turns pointer and keys into edits."""
