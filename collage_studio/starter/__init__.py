"""The sticker world: scenes with a known ground truth, and the model trained on them."""
