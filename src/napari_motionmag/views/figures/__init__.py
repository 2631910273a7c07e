"""Figures and texts of the views."""
