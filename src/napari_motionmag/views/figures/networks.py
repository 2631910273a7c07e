"""Kernels and results of a network as figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_motionmag.views.kernels import EncoderKernels

_COLUMNS = 4


def kernel_labels(found: EncoderKernels) -> list[str]:
    """Return two lines for each kernel: the unit and its error, and its kind."""
    return [
        f"#{unit}  error {error:.0%}\n{kind}"
        for unit, error, kind in zip(found.units, found.errors, found.kinds, strict=True)
    ]


def draw_kernels(figure, found: EncoderKernels) -> None:
    """Draw kernels, gray for 0, each scaled to its own extremes."""
    rows = -(-len(found.kernels) // _COLUMNS)
    plots = np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False))
    for axes in plots:
        axes.axis("off")
    for axes, kernel, label in zip(plots, found.kernels, kernel_labels(found), strict=False):
        top = np.abs(kernel).max()
        axes.imshow(kernel, cmap="gray", vmin=-top, vmax=top, interpolation="nearest")
        axes.set_title(label.replace("  error", ""), fontsize=7)


def draw_decoded(figure, decoded: np.ndarray, factors: Sequence[float]) -> None:
    """Draw the frames of :attr:`Activations.decoded`, one per factor."""
    plots = np.ravel(figure.subplots(1, len(decoded), squeeze=False))
    for axes, frame, factor in zip(plots, decoded, factors, strict=True):
        axes.imshow(np.clip(frame, 0, 1), cmap="gray", vmin=0, vmax=1)
        axes.set_title(f"Result, x{factor:g}")
        axes.axis("off")
