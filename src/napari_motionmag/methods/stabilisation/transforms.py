"""Rigid and affine maps of the plane, as 3 x 3 matrices on (y, x, 1)."""

from __future__ import annotations

import numpy as np

#: Name and number of parameters.
MODELS = {"translation": 2, "rigid": 3, "affine": 6}


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (2, ...)."""
    y, x = points
    (a, b, c), (d, e, f) = matrix[:2]
    return np.stack([a * y + b * x + c, d * y + e * x + f])


def change_of_scale(matrix: np.ndarray, scale: float) -> np.ndarray:
    """Return the same map between images reduced by `scale`."""
    out = matrix.copy()
    out[:2, 2] /= scale
    return out


def tangents(model: str, points: np.ndarray, radius: float) -> list[np.ndarray]:
    """Return how points (2, N) about the origin move with each parameter, each (2, N).

    Parameters other than translations are measured in pixels moved at `radius`.
    """
    y, x = points / radius
    zero, one = np.zeros_like(y), np.ones_like(y)
    moves = [(one, zero), (zero, one)]
    if model == "rigid":
        moves.append((-x, y))
    elif model == "affine":
        moves += [(y, zero), (x, zero), (zero, y), (zero, x)]
    return [np.stack(move) for move in moves]


def small_transform(
    model: str, parameters: np.ndarray, center: np.ndarray, radius: float
) -> np.ndarray:
    """Return the map with these parameters about `center`; `tangents`: its derivatives at zero."""
    linear = np.eye(2)
    if model == "rigid":
        angle = parameters[2] / radius
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]])
    elif model == "affine":
        linear = linear + parameters[2:].reshape(2, 2) / radius
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = center - linear @ center + parameters[:2]
    return matrix


def mean_transform(model: str, matrices: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean of maps, a map of the same model."""
    mean = np.tensordot(weights / weights.sum(), np.stack(matrices), 1)
    if model == "rigid":  # the nearest rotation
        left, _, right = np.linalg.svd(mean[:2, :2])
        mean[:2, :2] = left @ right
    return mean
