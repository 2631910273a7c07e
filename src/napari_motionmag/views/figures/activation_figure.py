"""Magnified frames of a few factors, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_decoded(figure, decoded: np.ndarray, factors: Sequence[float]) -> None:
    """Draw the frames that a network made at several factors.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Axes are added.
    decoded : ndarray, shape (F, Y, X) or (F, Y, X, 3)
        Black 0, white 1, as :attr:`Activations.decoded`.
    factors : sequence of float
    """
    plots = np.ravel(figure.subplots(1, len(decoded), squeeze=False))
    for axes, frame, factor in zip(plots, decoded, factors, strict=True):
        axes.imshow(np.clip(frame, 0, 1), cmap="gray", vmin=0, vmax=1)
        axes.set_title(f"Result, x{factor:g}")
        axes.axis("off")
