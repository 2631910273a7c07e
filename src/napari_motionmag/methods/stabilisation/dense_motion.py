"""Slow motion of every part of a scene: neighboring frames registered, composed along time.

The displacement from each frame to the next is a smooth field on a coarse grid, found once and
kept. Fields are composed outward from an output frame; the paths of its points are low-pass
filtered in time, so that they follow drift and not the motion in the band.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from scipy import ndimage

from napari_motionmag.compute.cache import Cache
from napari_motionmag.temporal import FIR, TemporalOperator
from napari_motionmag.temporal._ends import end_rows
from napari_motionmag.temporal.band_filters.fir import MOST_END_FRAMES

_CELL = 4  # px between the points of a grid, at the finest resolution that is registered
_WINDOW = 2.0  # cells, standard deviation of the Gaussian that is taken to move together
_FINEST = 1024  # px, longer side of the finest resolution
_COARSEST = 16  # px, shorter side of the coarsest
_BLUR = 1.0  # px at each resolution, against noise
_SURROUND = 8.0  # px at each resolution: slower changes in space are light
_STEPS = 3  # of Gauss-Newton at each resolution


def slow_below(operator: TemporalOperator, smooth: float) -> float:
    """Return the frequency, in cycles per frame, below which motion is slow.

    That of a Gaussian of `smooth` frames; if 0, three quarters of the lowest frequency that the
    operator selects. ValueError if it has no band either.
    """
    if smooth > 0:
        return min(np.sqrt(2 * np.log(2)) / (2 * np.pi * smooth), 0.375)
    low = operator.band[0] if operator.band else getattr(operator, "frequency", 0) / 2
    if low == 0:
        raise ValueError(
            f"stabilise 'dense' follows motion slower than a band, which {operator.describe()} "
            "does not have: give smooth, in frames, above 0"
        )
    return 0.75 * low / operator.fps


class DenseMotion:
    """How far everything has slowly moved between two frames of a movie.

    ``gray(t)`` is frame t, (Y, X); fields are kept in `cache` under `series`; motion below
    `cutoff`, in cycles per frame, is slow.
    """

    def __init__(
        self,
        gray: Callable,
        shape: tuple[int, int],
        n_frames: int,
        cache: Cache,
        series: tuple,
        cutoff: float,
    ):
        self._gray, self._n, self._cache, self._series = gray, n_frames, cache, series
        self._halvings = max(int(np.ceil(np.log2(max(shape) / _FINEST))), 0)
        self._shape, self._cell = shape, _CELL * 2**self._halvings
        # from the cut-off to 4/3 of it, where the band begins, and as far below
        self._fast = FIR(cutoff, 0.5, 1.0, int(np.ceil(3.3 / (cutoff * 2 / 3))) | 1)
        # near the ends of a movie, what is fast must not be taken for slow to spare it the noise
        self._ends = None
        if min(self._fast.n_taps, n_frames) <= MOST_END_FRAMES:
            self._ends = end_rows(cutoff, 0.5, 1.0, self._fast.kernel, n_frames, noise=1e-3)

    def paths(self, pivot: int) -> Callable[[int], np.ndarray]:
        """Return slow displacement (2, Y, X) px of the pixels of frame `pivot` to any frame t."""
        some = self._between(min(pivot, self._n - 2))[0]
        known = {pivot: np.zeros_like(some)}  # of the points of the grid, all of their motion
        slow: dict[int, np.ndarray] = {}

        def path(t: int) -> np.ndarray:
            step = 1 if t > pivot else -1
            start = t
            while start not in known:
                start -= step
            for now in range(start, t, step):
                field = self._between(now)[0] if step == 1 else self._between(now - 1)[1]
                known[now + step] = known[now] + self._carried(field, known[now])
            return known[t]

        def slow_path(t: int) -> np.ndarray:
            if t not in slow:
                indices, weights = self._fast_row(t)
                near = np.stack([path(int(index)) for index in indices])
                slow[t] = path(t) - np.tensordot(weights.astype(np.float32), near, 1)
            return slow[t]

        return lambda t: spread(slow_path(t) - slow_path(pivot), self._shape, self._cell)

    def _fast_row(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return frames and weights that make the fast part of a path at frame t."""
        n = self._n
        if self._ends is None or min(t, n - 1 - t) >= len(self._ends):
            return self._fast.row(t, n)
        width = self._ends.shape[1]
        if t < len(self._ends):
            return np.arange(width), self._ends[t]
        return np.arange(n - width, n), self._ends[n - 1 - t, ::-1]

    def _between(self, t: int) -> np.ndarray:
        """Return displacement (2, 2, h, w) from frame t to the next, and from that back."""

        def make() -> np.ndarray:
            forth = 2**self._halvings * _registered(self._images(t), self._images(t + 1))
            back = -forth
            for _ in range(4):  # back(x) = -forth(x + back(x))
                back = -self._carried(forth, back)
            return np.stack([forth, back])

        return self._cache.get(("neighbors", self._series, t), make)

    def _images(self, t: int) -> list[np.ndarray]:
        make = partial(_pyramid, self._gray, t, self._halvings)
        return self._cache.get(("pyramid", self._series, t), make)

    def _carried(self, field: np.ndarray, displacement: np.ndarray) -> np.ndarray:
        """Interpolate a field at the displaced points of the grid."""
        at = np.indices(field.shape[1:], dtype=np.float32) + displacement / np.float32(self._cell)
        return np.stack(
            [ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in field]
        )


def _pyramid(gray: Callable, t: int, halvings: int) -> list[np.ndarray]:
    """Return frame t at the resolutions that are registered, finest first, without shading."""
    images = []
    image = np.asarray(gray(t), dtype=np.float32)
    while not images or min(image.shape) >= _COARSEST:
        image = ndimage.gaussian_filter(image, _BLUR, mode="mirror")
        if halvings <= 0:
            images.append(image - ndimage.gaussian_filter(image, _SURROUND, mode="mirror"))
        image, halvings = image[::2, ::2], halvings - 1
    return images


def _registered(here: list[np.ndarray], there: list[np.ndarray]) -> np.ndarray:
    """Return (2, h, w) px of the finest frames: ``there(x + u(x))`` looks like ``here``."""
    field = None
    for a, b in zip(reversed(here), reversed(there), strict=True):
        shape = tuple(-(-n // _CELL) for n in a.shape)
        field = np.zeros((2, *shape), np.float32) if field is None else 2 * spread(field, shape, 2)
        field = _refined(a, b, field)
    return field


def _refined(here: np.ndarray, there: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Take steps of Gauss-Newton on windows that move together."""
    pixels = np.indices(here.shape, dtype=np.float32)
    spline = ndimage.spline_filter(there, 3, output=np.float32, mode="mirror")
    for _ in range(_STEPS):
        at = pixels + spread(field, here.shape, _CELL)
        found = ndimage.map_coordinates(spline, at, order=3, mode="mirror", prefilter=False)
        # of both frames, so that their noise and its gradient are uncorrelated
        dy, dx = np.gradient((here + found) / 2)
        error = here - found
        noise = (1.4826 * float(np.median(np.abs(error)))) ** 2 / 2
        yy, xx, yx, ey, ex = (
            _around(product) for product in (dy * dy, dx * dx, dy * dx, dy * error, dx * error)
        )
        ridge = noise / 2 + 1e-4 * float((yy + xx).mean()) + np.finfo(np.float32).tiny
        yy, xx = yy + ridge, xx + ridge
        step = np.stack([xx * ey - yx * ex, yy * ex - yx * ey]) / (yy * xx - yx * yx)
        field = field + np.clip(step, -1, 1)
    return field


def _around(values: np.ndarray) -> np.ndarray:
    """Return the mean in the window around each point of the grid."""
    rows, columns = (-n % _CELL for n in values.shape)
    padded = np.pad(values, ((0, rows), (0, columns)))
    h, w = padded.shape[0] // _CELL, padded.shape[1] // _CELL
    cells = padded.reshape(h, _CELL, w, _CELL).mean((1, 3))
    return ndimage.gaussian_filter(cells, _WINDOW, mode="constant")


def spread(field: np.ndarray, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Interpolate a field (2, h, w) on a grid with `cell` px between points at all pixels."""
    down, along = (_interpolation(n, m, cell) for n, m in zip(shape, field.shape[1:], strict=True))
    return down @ field @ along.T


@lru_cache(maxsize=32)
def _interpolation(pixels: int, points: int, cell: float) -> np.ndarray:
    """Return weights (pixels, points) of linear interpolation between the points of the grid."""
    at = np.clip((np.arange(pixels) + 0.5) / cell - 0.5, 0, points - 1)
    low = np.minimum(at.astype(int), max(points - 2, 0))
    weights = np.zeros((pixels, points), np.float32)
    weights[np.arange(pixels), low] = 1 - (at - low)
    weights[np.arange(pixels), np.minimum(low + 1, points - 1)] += at - low
    return weights
