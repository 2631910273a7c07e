"""Synthetic scenes, sensor model, losses and the training loop."""

from napari_motionmag.compute.device import load_torch

load_torch()
