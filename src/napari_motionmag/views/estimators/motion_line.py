"""Where a line shows the motion of a movie."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie

_FRAMES = 8
_SMOOTH = 2.0  # px
_STANDS_OUT = 2.0  # times the typical spread in time
_LENGTH = 0.4  # of the shorter side of the frame


def line_across_motion(movie: Movie, at: tuple[int, ...] = ()) -> np.ndarray | None:
    """Return a short line across the edge that varies most in time, or None if none stands out.

    Parameters
    ----------
    movie : Movie
        Eight of its frames are read.
    at : tuple of int
        Index along axes such as Z and C.

    Returns
    -------
    ndarray of shape (2, 2), or None
        Ends (y, x), px.
    """
    times = np.unique(np.linspace(0, movie.n_frames - 1, _FRAMES).round().astype(int))
    frames = [np.asarray(movie.read(int(t), at), np.float32) for t in times]
    frames = np.nan_to_num(np.stack([luma(frame) for frame in frames]))
    spread = gaussian_filter(frames.std(axis=0), _SMOOTH)
    if spread.max() <= _STANDS_OUT * np.median(spread):
        return None
    center = np.array(np.unravel_index(spread.argmax(), spread.shape), float)
    shape = np.array(spread.shape)
    length = _LENGTH * shape.min()
    # the direction in which the picture varies most around there
    offsets = np.indices(spread.shape) - center[:, None, None]
    weights = np.exp(-(offsets**2).sum(axis=0) / (2 * (length / 6) ** 2))
    dy, dx = np.gradient(gaussian_filter(frames.mean(axis=0), _SMOOTH / 2))
    tensor = np.array([[(weights * a * b).sum() for b in (dy, dx)] for a in (dy, dx)])
    direction = np.linalg.eigh(tensor)[1][:, 1]
    direction *= np.sign(direction[np.abs(direction).argmax()])  # to the right, or down
    ends = center + np.outer([-length / 2, length / 2], direction)
    return np.clip(ends, 0, shape - 1)
