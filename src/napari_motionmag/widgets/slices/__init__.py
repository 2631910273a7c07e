"""The dock of slice views."""
