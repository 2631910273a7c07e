"""A small picture of a movie with what moves in color."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom

_LONGER_SIDE = 160  # px
_OVERLAY = 0.6  # opacity of the fastest
_FRAME_COLOR = (255, 255, 255)


def thumbnail(motion, size: np.ndarray, region=None) -> np.ndarray:
    """Draw the mean frame of a `LocalMotion`, what moves in it, and a region, (Y, X, 3) uint8.

    `size` is the motion of the windows, 0 or more; the region is (y0, y1, x0, x1) in the movie.
    """
    picture = motion.picture
    low, high = np.quantile(picture, (0.005, 0.995))
    gray = np.clip((picture - low) / max(high - low, 1e-30), 0, 1)
    scale = _LONGER_SIDE / max(gray.shape)
    gray = np.clip(zoom(gray, scale, order=1), 0, 1)
    strength = _everywhere(motion, size / max(size.max(), 1e-30), gray.shape, scale)
    opacity = _OVERLAY * np.sqrt(strength)[..., np.newaxis]
    image = (1 - opacity) * gray[..., np.newaxis] + opacity * _heat(strength)
    image = np.round(255 * image).astype(np.uint8)
    if region is not None:
        _outline(image, [edge / motion.reduced * scale for edge in region])
    return image


def _everywhere(motion, values: np.ndarray, shape, scale: float) -> np.ndarray:
    """Interpolate values at windows to the pixels of a thumbnail."""
    pixels = [(np.arange(size) + 0.5) / scale * motion.reduced - 0.5 for size in shape]
    rows = np.stack([np.interp(pixels[1], motion.x, row) for row in values])
    return np.stack([np.interp(pixels[0], motion.y, column) for column in rows.T], axis=1)


def _heat(strength: np.ndarray) -> np.ndarray:
    """Return violet to yellow, (Y, X, 3) within 0..1."""
    stops = np.array([[0.35, 0.05, 0.65], [0.85, 0.25, 0.45], [1.0, 0.6, 0.2], [1.0, 0.95, 0.3]])
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(strength, at, stop) for stop in stops.T], axis=-1)


def _outline(image: np.ndarray, region) -> None:
    y0, y1, x0, x1 = (round(edge) for edge in region)
    y1, x1 = min(y1, image.shape[0]) - 1, min(x1, image.shape[1]) - 1
    for y in (y0, y1):
        image[y, x0 : x1 + 1] = _FRAME_COLOR
    for x in (x0, x1):
        image[y0 : y1 + 1, x] = _FRAME_COLOR
