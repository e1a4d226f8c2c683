"""Bytes <-> Document: .collage, PSD, OpenRaster, PNG. Neither Qt nor torch."""
