"""Docks that look into the networks."""
