"""Gives an accepted picture back to the layers it came from. No Qt, no torch."""
