"""Docks that measure motion."""
