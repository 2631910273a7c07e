"""Dock widgets; thin: science lives elsewhere."""
