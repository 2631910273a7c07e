"""Layers that are drawn lazily."""
