"""Synthetic scenes, sensor model, losses and the training loop."""

from napari_motionmag.compute.load_torch import load_torch

load_torch()
