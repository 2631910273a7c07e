"""Interpolation as a sparse matrix: each sample is a fixed sum of weighted pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.ndimage import spline_filter1d

ORDERS = range(6)
_NEGLIGIBLE = 1e-7  # weights of a cardinal spline below this are left out


@lru_cache(maxsize=8)
def _cardinal(order: int) -> tuple[BSpline, np.ndarray, int]:
    """B-spline, its inverse filter, and the reach of the interpolating spline in px."""
    basis = BSpline.basis_element(np.arange(order + 2) - (order + 1) / 2, extrapolate=False)
    if order < 2:
        return basis, np.ones(1), 1
    impulse = np.zeros(257)
    impulse[128] = 1
    inverse = spline_filter1d(impulse, order, mode="mirror")
    half = int(np.flatnonzero(np.abs(inverse) > _NEGLIGIBLE)[-1]) - 128
    return basis, inverse[128 - half : 128 + half + 1], half + (order + 1) // 2


def spline_weights(
    positions: np.ndarray, size: int, order: int, first: int = 0, last: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and weights that make each sample of a line of pixels.

    Parameters
    ----------
    positions : ndarray, shape (N,)
        Where to sample, px, within ``0..size - 1``.
    size : int
        Number of pixels, mirrored about the centres of the outer ones.
    order : int
        Of the spline, 0 (nearest) to 5.

    Returns
    -------
    pixels : ndarray of int, shape (N, K)
    weights : ndarray of float64, shape (N, K)
        Rows sum to 1. A pixel may be named more than once.

    Notes
    -----
    The same numbers as ``scipy.ndimage.map_coordinates(..., order, mode="mirror")``: there the
    pixels are turned into spline coefficients first, here the weights take that in, so that only
    pixels nearby are needed.
    """
    positions = np.asarray(positions, float)
    if order == 0:
        pixels = np.floor(positions + 0.5).astype(np.int64)[:, np.newaxis]
        return np.clip(pixels, 0, size - 1), np.ones(pixels.shape)
    basis, inverse, reach = _cardinal(order)
    half = len(inverse) // 2
    start = np.floor(positions).astype(np.int64)
    offsets = np.arange(-reach, reach + 2)
    # B-splines at the knots around, then the inverse filter: the interpolating spline
    knots = np.arange(-reach - half, reach + 2 + half)
    distance = (positions - start)[:, np.newaxis] - knots
    bumps = np.nan_to_num(basis(distance))
    weights = np.apply_along_axis(np.convolve, 1, bumps, inverse, "valid")
    pixels = start[:, np.newaxis] + offsets
    if size == 1:
        pixels = np.zeros_like(pixels)
    else:
        pixels = np.mod(pixels, 2 * (size - 1))
        pixels = np.minimum(pixels, 2 * (size - 1) - pixels)
    return pixels, weights / weights.sum(axis=1, keepdims=True)


def sampling_matrix(
    points: np.ndarray, shape: tuple[int, int], order: int, share: np.ndarray, row: np.ndarray
) -> sparse.csr_array:
    """Matrix from the pixels of a frame, row by row, to sums of samples.

    Parameters
    ----------
    points : ndarray, shape (N, 2)
        (y, x) of samples, px.
    shape : (int, int)
        Of the frame.
    order : int
        Of the spline.
    share : ndarray, shape (N,)
        What each sample is multiplied by.
    row : ndarray of int, shape (N,)
        Row of the result to which each sample is added.

    Returns
    -------
    scipy.sparse.csr_array, shape (row.max() + 1, Y * X)
    """
    y, wy = spline_weights(points[:, 0], shape[0], order)
    x, wx = spline_weights(points[:, 1], shape[1], order)
    columns = y[:, :, np.newaxis] * shape[1] + x[:, np.newaxis, :]
    weights = share[:, np.newaxis, np.newaxis] * wy[:, :, np.newaxis] * wx[:, np.newaxis, :]
    rows = np.broadcast_to(row[:, np.newaxis, np.newaxis], columns.shape)
    keep = np.abs(weights) > _NEGLIGIBLE * np.abs(share).max()
    size = (int(row.max()) + 1, shape[0] * shape[1])
    return sparse.coo_array((weights[keep], (rows[keep], columns[keep])), shape=size).tocsr()
