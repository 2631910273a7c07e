"""Blend two neighbors that were moved towards each other, by how far each is to be trusted."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_DIFFERENCE = 0.04  # of white: intensities that differ by so much are half trusted
_COVERED = 0.02  # trust where nothing arrives: what is drawn there was not seen in this frame


def blend(pictures, moved, motions, share: float) -> np.ndarray:
    """Blend frames moved from both sides to a moment between them.

    Parameters
    ----------
    pictures : sequence of two ndarray, (Y, X)
        Luma of the frames before and after.
    moved : sequence of two ndarray, (Y, X) or (Y, X, 3)
        Both as they were moved to the moment.
    motions : sequence of two ndarray, (Y, X, 2)
        By how much the pixels of the frames were moved, x and y in px.
    share : float
        Of the way from the first to the second, above 0 and below 1.

    Returns
    -------
    ndarray
        Like one of `moved`.
    """
    weights = []
    for (base, other), motion, way in zip(
        (pictures, pictures[::-1]), motions, (share, 1 - share), strict=True
    ):
        weights.append((1 - way) * _trust(base, other, motion, way))
    first = weights[0] / (weights[0] + weights[1])
    first = first if moved[0].ndim == 2 else first[..., np.newaxis]
    return moved[1] + first.astype(np.float32) * (moved[0] - moved[1])


def _trust(base: np.ndarray, other: np.ndarray, motion: np.ndarray, way: float) -> np.ndarray:
    """Return how far to trust each pixel of a moved frame.

    Less where pixels do not find their like in the other frame, all the way along their motion; and
    little where no pixel arrives, since what comes to light there is in the other frame.
    """
    x, y = np.moveaxis(motion.astype(np.float64), -1, 0)
    rows, columns = np.indices(base.shape, dtype=float)
    there = [rows + y / way, columns + x / way]
    found = ndimage.map_coordinates(other, there, order=3, mode="nearest")
    missed = np.abs(base - found)
    coverage, missed = _arrived(rows + y, columns + x, missed)
    seen = ndimage.gaussian_filter(ndimage.minimum_filter(np.minimum(coverage, 1), 3), 1)
    return (seen + _COVERED) / (_DIFFERENCE**2 + ndimage.gaussian_filter(missed, 0.7) ** 2)


def _arrived(y: np.ndarray, x: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many pixels arrive at each place, and the mean of their values."""
    height, width = values.shape
    count, total = np.zeros(values.size), np.zeros(values.size)
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            at = (row * width + column)[inside]
            count += np.bincount(at, weight[inside], values.size)
            total += np.bincount(at, (weight * values)[inside], values.size)
    mean = total / np.maximum(count, 1e-6)
    return count.reshape(values.shape), mean.reshape(values.shape)
