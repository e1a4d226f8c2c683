"""The regions of the main window."""
