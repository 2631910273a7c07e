"""Slice views, measurements and looks into the networks."""
