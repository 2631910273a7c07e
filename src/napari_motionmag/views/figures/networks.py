"""The kernels of a network as a figure."""

from __future__ import annotations

import numpy as np

from napari_motionmag.views.kernels import EncoderKernels

_COLUMNS = 4


def kernel_labels(found: EncoderKernels) -> list[str]:
    """Two lines for each kernel: the unit and its error, and its kind."""
    return [
        f"#{unit}  error {error:.0%}\n{kind}"
        for unit, error, kind in zip(found.units, found.errors, found.kinds, strict=True)
    ]


def draw_kernels(figure, found: EncoderKernels) -> None:
    """Draw kernels, grey for 0, each as dark and bright as it gets.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Axes are added.
    found : EncoderKernels
    """
    rows = -(-len(found.kernels) // _COLUMNS)
    plots = np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False))
    for axes in plots:
        axes.axis("off")
    for axes, kernel, label in zip(plots, found.kernels, kernel_labels(found), strict=False):
        top = np.abs(kernel).max()
        axes.imshow(kernel, cmap="gray", vmin=-top, vmax=top, interpolation="nearest")
        first, kind = label.split("\n")
        axes.set_title(f"{first.replace('  error', '')}\n{kind}", fontsize=7)
