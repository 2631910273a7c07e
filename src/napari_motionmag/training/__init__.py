"""Synthetic scenes, sensor model, losses and the training loop."""
