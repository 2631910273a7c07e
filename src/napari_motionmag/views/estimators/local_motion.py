"""Displacement of every window in every frame, in one reading of a movie."""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from napari_motionmag.compute.cache import budget
from napari_motionmag.compute.validate import whole_number
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.band_kernel import KERNELS
from napari_motionmag.views.estimators.noise_model import (
    NoiseModel,
    as_noise,
    fit_pairs,
    freedom_of,
    pair_starts,
    rounding,
)
from napari_motionmag.views.estimators.series import Counter, Series
from napari_motionmag.views.estimators.windows import WindowedDisplacement, Windows

_MOST_WORKERS = 8  # threads
_MOST_AVERAGED = 64  # first frames, at most, whose mean is the picture to compare with
_PAIRS = 32  # of frames from which the noise is estimated
_CLEARLY = 1.5  # times better a shift of the whole picture must fit than none
_PEAK = 12.0  # standard deviations of the match that such a shift must reach
_WINDOW, _SMALLEST = 32, 8  # px, of the reduced frames
_MOST_PIXELS = 100_000  # of frames; larger ones are reduced
_FEWEST_PIXELS = 30_000  # to which the frames of long movies are reduced
_PIXELS_IN_ALL = 15_000_000  # of all frames together, where that leaves enough
_SHARE = 0.25  # of the memory budget for the first frames, and for the displacements
_EXTREME = 1.0  # times the usual range beyond it: so bright or dark is a fault


@dataclass(frozen=True)
class LocalMotion:
    """Displacement of windows over time, px of the movie.

    Attributes
    ----------
    course : ndarray, shape (T, gy, gx, 2)
        (dy, dx) against the mean of the first frames; 0 along directions without structure.
    covariance : ndarray, shape (gy, gx, 2, 2)
        Of one frame, from the noise of the pixels, px^2.
    directions : ndarray of int, shape (gy, gx)
        Number of directions in which a window has structure, 0 to 2.
    y, x : ndarray
        Centers of the windows, px.
    window, step : float
        Side of the windows, and distance between them, px.
    picture : ndarray, shape (Y, X)
        Mean of the first frames, reduced, gray levels.
    reduced : int
        Pixels of the movie along each side of a pixel of the picture.
    light : ndarray, shape (T,)
        Mean gray level of each frame.
    shift : ndarray, shape (T, 2)
        Of the whole picture against the first frame, px, where it is clearly one; else 0.
    noise : NoiseModel
        Of the reduced frames.
    """

    course: np.ndarray
    covariance: np.ndarray
    directions: np.ndarray
    y: np.ndarray
    x: np.ndarray
    window: float
    step: float
    picture: np.ndarray
    reduced: int
    light: np.ndarray
    shift: np.ndarray
    noise: NoiseModel


def local_motion(
    movie: Movie,
    at=None,
    most_frames: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> LocalMotion:
    """Measure the displacement of windows; each frame is read once, in order.

    Changes of light, window by window, are taken out. Large frames are reduced by whole numbers,
    those of long movies more. Of long movies, the first `most_frames` are read.
    """
    series = Series(movie, at)
    n = min(movie.n_frames, most_frames or movie.n_frames)
    count = Counter(progress, n)
    pixels = min(max(_PIXELS_IN_ALL / n, _FEWEST_PIXELS), _MOST_PIXELS)
    sides = dict(zip(("height", "width"), series.shape, strict=True))
    if small := [f"a {name} of {size} px" for name, size in sides.items() if size < _SMALLEST]:
        raise ValueError(
            f"movie: frames are too small: motion is measured from {_SMALLEST} px up along each "
            f"side; got {' and '.join(small)}"
        )
    side = math.ceil(math.sqrt(math.prod(series.shape) / pixels))
    side = min(side, min(series.shape) // _SMALLEST)  # of long narrow frames
    frames = ((t, _reduced(frame, side)) for t, frame in itertools.islice(series.frames(), n))
    shape = tuple(size // side for size in series.shape)
    copies = min(n, _averaged(8 * math.prod(shape)))
    first = list(itertools.islice(frames, copies))
    usual = _Usual([frame for _, frame in first])
    mean = usual.mean
    noise = _noise_of([usual(frame) for _, frame in first], movie.dtype, side)
    window = min(_WINDOW, min(shape) // 2)
    step = window // 2
    most = _SHARE * budget() / (16 * n)  # windows whose displacements fit
    while math.prod(size // step for size in shape) > max(most, 16):
        step += 1
    windows = Windows(shape, window, step)
    field = WindowedDisplacement(mean, copies, windows, noise, KERNELS[1], local_light=True)
    course, light = np.zeros((n, *windows.shape, 2), np.float32), np.zeros(n)
    shifts, shift_of = np.zeros((n, 2)), WholeShift(usual(first[0][1]))

    def measured(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        frame = usual(frame)
        return field(frame), shift_of(frame), float(frame.mean())

    for t, (moved, shift, level) in in_threads(measured, itertools.chain(first, frames)):
        course[t], shifts[t], light[t] = side * moved, side * shift, level
        count.step()
    return LocalMotion(
        course,
        side**2 * field.covariance,
        field.directions,
        side * (windows.y + 0.5) - 0.5,
        side * (windows.x + 0.5) - 0.5,
        side * window,
        side * step,
        mean,
        side,
        light,
        shifts,
        noise,
    )


def windowed(
    movie: Movie,
    at=None,
    window: int = 32,
    step: int | None = None,
    noise: NoiseModel | float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[WindowedDisplacement, Iterator[tuple[int, np.ndarray]]]:
    """Return what measures displacement by windows, and all frames as :meth:`Series.raw_frames`.

    The first frames are read here, and kept; the others as the iterator goes on. Pixels that are
    far from all that is usual are mended.
    """
    side, noise = min(movie.frame_shape[:2]), as_noise(noise)
    window = whole_number("window", window, 1)
    if not 8 <= window <= side:
        raise ValueError(
            f"window must be from 8 px to the smaller side of the frame, {side} px; got {window!r}"
        )
    step = window // 2 if step is None else whole_number("step", step, 0)
    if not 1 <= step <= window:
        raise ValueError(f"step must be from 1 px to the window, {window} px; got {step!r}")
    windows = Windows(movie.frame_shape[:2], window, step)
    series = Series(movie, at)
    frames = series.raw_frames()
    copies = min(movie.n_frames, _averaged(math.prod(movie.frame_shape) * movie.dtype.itemsize))
    count = Counter(progress, copies)
    first = []
    for t, frame in itertools.islice(frames, copies):
        first.append((t, frame))
        count.step()
    usual = _Usual([frame for _, frame in first])
    mean = series.to_luma(usual.mean)[0]
    if noise is None:
        sampled = first[: _averaged(mean.nbytes)]
        noise = _noise_of([series.to_luma(usual(frame))[0] for _, frame in sampled], movie.dtype)
    field = WindowedDisplacement(mean, copies, windows, noise, KERNELS[1])
    return field, ((t, usual(frame)) for t, frame in itertools.chain(first, frames))


class _Usual:
    """Mean of frames, and what replaces by it the pixels that are far from all that is usual.

    Cosmic rays and faults of a sensor would move the windows they are in.
    """

    def __init__(self, frames: list[np.ndarray]):
        low, high = (float(np.median([end(frame) for frame in frames])) for end in (np.min, np.max))
        reach = _EXTREME * (high - low)
        self._limits = low - reach, high + reach
        total, count = np.zeros(frames[0].shape), 0
        for frame in frames:
            good = ~self._extreme(frame)
            total += np.where(good, frame, 0)
            count = count + good
        self.mean = total / np.maximum(count, 1)

    def _extreme(self, frame: np.ndarray) -> np.ndarray:
        return (frame < self._limits[0]) | (frame > self._limits[1])

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        if self._limits[0] <= frame.min() and frame.max() <= self._limits[1]:
            return frame
        return np.where(self._extreme(frame), self.mean, frame).astype(frame.dtype)


class WholeShift:
    """Shift of a whole picture against the first, in whole pixels, by its spectrum."""

    def __init__(self, first: np.ndarray):
        self._taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in first.shape))
        self._shape = first.shape
        self._first = self._spectrum(first).conj()

    def _spectrum(self, picture: np.ndarray) -> np.ndarray:
        return np.fft.rfft2((picture - picture.mean()) * self._taper)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return (dy, dx), px; zeros unless a shift fits far better than none."""
        product = self._spectrum(picture) * self._first
        # half whitened: neither the slowest parts nor the noise decide
        root = np.sqrt(np.abs(product))
        match = np.fft.irfft2(product / np.where(root > 0, root, 1), self._shape)
        at = np.unravel_index(np.argmax(match), self._shape)
        found = np.array(
            [(k + size // 2) % size - size // 2 for k, size in zip(at, self._shape, strict=True)]
        )
        sure = match[at] > max(_CLEARLY * match[0, 0], _PEAK * match.std())
        return found * sure


def in_threads(
    function: Callable, frames: Iterable[tuple[int, np.ndarray]]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame number, function of the frame) in order, on several cores."""
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    running: deque[tuple[int, Future]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for t, frame in frames:
            running.append((t, pool.submit(function, frame)))
            # few at a time, so that little is lost when the measurement is canceled
            if len(running) == 2 * workers:
                t, result = running.popleft()
                yield t, result.result()
        yield from ((t, result.result()) for t, result in running)


def _reduced(frame: np.ndarray, side: int) -> np.ndarray:
    """Return means of squares of `side` px; what does not fill one is left out."""
    if side == 1:
        return frame
    height, width = (size // side for size in frame.shape)
    cut = frame[: height * side, : width * side]
    rows = sum(cut[k::side] for k in range(side))
    return sum(rows[:, k::side] for k in range(side)) / side**2


def _averaged(size: int) -> int:
    """Return how many first frames of `size` bytes make the picture to compare with."""
    return min(_MOST_AVERAGED, max(int(_SHARE * budget() / size), 8))


def _noise_of(frames: list[np.ndarray], dtype: np.dtype, side: int = 1) -> NoiseModel:
    """Estimate the noise from consecutive frames, which were reduced by `side`."""
    starts = pair_starts(len(frames), _PAIRS)
    pairs = [np.stack(frames[t : t + 2]) for t in starts]
    everywhere = np.ones(frames[0].shape, bool)
    return fit_pairs(pairs, everywhere, rounding(dtype, pairs) / side**2, freedom_of(starts))
