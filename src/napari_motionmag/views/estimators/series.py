"""Frames of a movie for measuring: one series, a window of the frame, blocks along time."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from reprlib import repr as shortened

import numpy as np

from napari_motionmag.compute.validate import as_scalar, warn_user
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.movie import intensity
from napari_motionmag.movie.color import RGB_TO_YIQ
from napari_motionmag.movie.frame_times import unevenness
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import meters, without_noise
from napari_motionmag.temporal import TemporalOperator, make_operator

BLOCK_BYTES = 1 << 26  # read together at most
_MOST_EVEN = 2**20  # instants that a record is brought to
BATCH = 8  # magnified frames drawn together; cancelling takes effect between batches


def as_movie(movie, axes: str | None = None, fps: float | None = None) -> Movie:
    """Wrap an array, layer or movie; None leaves axes and fps to it."""
    return Movie.from_any(movie, axes=axes, fps=fps)


def operator_for(movie: Movie, mode, n: int | None = None, **motion) -> TemporalOperator:
    """Make the operator that selects a motion; warn where n frames are too few for the band."""
    operator = make_operator(mode, fps=movie.fps, **motion)
    n = movie.n_frames if n is None else n
    operator.row(0, n)  # refuses what does not fit the movie before it is read
    if text := operator.too_slow_for(n):
        warn_user(text)
    return operator


def numbers(name: str, values) -> np.ndarray:
    """Return values as an array of float64; TypeError if they are no real numbers."""
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be real numbers, got {shortened(values)}") from None


def warn_if_uneven(times: np.ndarray | None, fps: float | None, what: str) -> bool:
    """Warn where frames come unevenly, and say what is made of them; return whether they do."""
    text = "" if times is None or fps is None else unevenness(times, fps)
    if text:
        warn_user(f"{text}; {what}")
    return bool(text)


def even_times(times: np.ndarray, interval: float) -> np.ndarray:
    """Return even times from the first to the last; ValueError where pauses make them too many."""
    count = (times[-1] - times[0]) / interval + 1.5
    if count > max(_MOST_EVEN, 4 * len(times)):
        raise ValueError(
            f"times of {len(times)} frames span {count:.3g} intervals of {interval:.4g}: measure "
            "what lies between the pauses apart"
        )
    return times[0] + interval * np.arange(int(count))


class Counter:
    """Calls ``progress(done, total)`` after each of `total` steps; None does nothing."""

    def __init__(self, progress: Callable[[int, int], object] | None, total: int):
        self.progress, self.done, self.total = progress, 0, total

    def step(self, *_) -> None:
        """Count one more step, up to the total."""
        self.done = min(self.done + 1, self.total)
        if self.progress is not None:
            self.progress(self.done, self.total)


_STEPS = 1000  # of the progress of work that has parts


def part_of(progress: Callable | None, start: float, stop: float) -> Callable | None:
    """Return the progress of a part of the work, which lies between two shares of all of it."""
    if progress is None:
        return None

    def report(done: int, total: int) -> None:
        share = start + (stop - start) * done / max(total, 1)
        progress(round(_STEPS * share), _STEPS)

    return report


class Series:
    """One series of a movie through a window of the frame; the whole frame when None."""

    def __init__(
        self,
        movie: Movie,
        at: Mapping[str, int] | Sequence[int] | None = None,
        window: tuple[slice, slice] | None = None,
    ):
        height, width = movie.frame_shape[:2]
        self.movie, self.n_frames = movie, movie.n_frames
        self.window = window or (slice(0, height), slice(0, width))
        self.shape = tuple(part.stop - part.start for part in self.window)
        self.at = _place(movie, at)
        magnification = magnification_behind(movie.data)
        of_same_axes = magnification is not None and magnification.movie.axes == movie.axes
        self.magnification = magnification if of_same_axes else None

    def lazy(self, times: slice):
        """Index frames through the window, (T, Y, X[, S]); dask arrays stay lazy."""
        movie = self.movie
        place = dict(zip("TYX", (times, *self.window), strict=True)) | self.at
        block = movie.data[tuple(place.get(letter, slice(None)) for letter in movie.axes)]
        left = [letter for letter in movie.axes if letter in "TYXS"]
        order = [left.index(letter) for letter in "TYXS" if letter in left]
        return block if order == sorted(order) else block.transpose(order)

    def read(self, start: int, stop: int, step: int = 1) -> np.ndarray:
        """Read ``range(start, stop, step)``, (T, Y, X[, S]); refuse NaN and infinite pixels."""
        times = range(start, stop, step)
        if self.magnification is not None:
            batches = (times[k : k + BATCH] for k in range(0, len(times), BATCH))
            other = tuple(self.at.values())
            drawn = (self.magnification.draw(batch, other, keep=True) for batch in batches)
            frames = np.stack([frame[self.window] for batch in drawn for frame in batch])
        else:
            block = self.lazy(slice(start, stop, step))
            frames = np.asarray(block.compute() if hasattr(block, "compute") else block)
        refuse_non_finite(frames, times)
        return frames

    def luma(self, t: int) -> np.ndarray:
        """Read one frame as float64 luma, (Y, X), in the data's gray levels."""
        return self.to_luma(self.read(t, t + 1))[0]

    def to_luma(self, frames: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """Convert frames, (T, Y, X[, S]), to luma, (T, Y, X)."""
        if self.movie.is_rgb:
            return frames[..., :3].astype(dtype, copy=False) @ RGB_TO_YIQ[0].astype(dtype)
        return frames.astype(dtype)

    def raw_frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (frame number, frame as it was read, (1, Y, X[, S])) along time."""
        for first, block in self.blocks():
            for k in range(len(block)):
                yield first + k, block[k : k + 1]

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (frame number, luma) along time."""
        return ((t, self.to_luma(frame)[0]) for t, frame in self.raw_frames())

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame number, frames) along time; each frame is read once."""
        start = 0
        for before, after in itertools.pairwise(self.edges()):
            if before > start and after - start > self.most:
                yield start, self.read(start, before)
                start = before
        yield start, self.read(start, self.n_frames)

    def edges(self) -> list[int]:
        """Return borders between frames to read together: those of chunks, cut if too large."""
        n = self.n_frames
        chunks = getattr(self.movie.data, "chunks", None)
        if not chunks:
            return list(range(n + 1))
        along = chunks[self.movie.axes.index("T")]
        # dask: sizes of all chunks; zarr and h5py: one size
        inner = np.cumsum(along) if isinstance(along, tuple) else np.arange(along, n, along)
        starts = sorted({0, n, *(int(start) for start in inner if start < n)})
        runs = (range(a, b, self.most) for a, b in itertools.pairwise(starts))
        return [*itertools.chain.from_iterable(runs), n]

    @property
    def most(self) -> int:
        """Largest number of frames to read together."""
        samples = self.movie.shape[-1] if self.movie.is_rgb else 1
        size = self.shape[0] * self.shape[1] * samples * self.movie.dtype.itemsize
        most = max(1, BLOCK_BYTES // max(size, 1))
        return most if self.magnification is None else min(most, BATCH)


def refuse_non_finite(frames: np.ndarray, times: Sequence[int]) -> None:
    """Raise ValueError where pixels of frames (T, Y, X[, S]) are NaN or infinite."""
    if frames.dtype.kind == "f":
        finite = np.isfinite(frames).all(axis=tuple(range(1, frames.ndim)))
        if not finite.all():
            bad = int(np.argmin(finite))
            intensity.refuse_non_finite(frames[bad], f"frame t={times[bad]} of the movie")


def _place(movie: Movie, at) -> dict[str, int]:
    letters = movie.other_axes
    if at is None:
        sizes = {letter: movie.shape[movie.axes.index(letter)] for letter in letters}
        several = [f"{letter} (0 to {size - 1})" for letter, size in sizes.items() if size > 1]
        if several:
            raise ValueError(
                f"at must say which place along {', '.join(several)} of a movie with axes "
                f"{movie.axes!r} to look at, for example at={{{letters[0]!r}: 0}}; got None"
            )
        return dict.fromkeys(letters, 0)
    if isinstance(at, Mapping):
        at = {str(letter).upper(): value for letter, value in at.items()}
        if set(at) != set(letters):
            wanted = f"name each of the axes {letters!r} once" if letters else "be empty"
            raise ValueError(f"at must {wanted} for axes {movie.axes!r}; got {dict(at)}")
        at = [at[letter] for letter in letters]
    at = tuple(at) if np.ndim(at) else (at,)
    if len(at) != len(letters):
        raise ValueError(f"at must have one index for each of the axes {letters!r}; got {at}")
    place = dict(zip(letters, at, strict=True))
    for letter, where in place.items():
        size = movie.shape[movie.axes.index(letter)]
        if not hasattr(where, "__index__"):
            raise TypeError(f"at[{letter!r}] must be a whole number; got {where!r}")
        if not 0 <= where < size:
            raise ValueError(f"at[{letter!r}] must be within 0..{size - 1}; got {where}")
    return {letter: operator.index(where) for letter, where in place.items()}


def pixel_size(movie: Movie) -> tuple[float, float, str] | None:
    """Return height, width and unit (um for any length) of a pixel; None if not calibrated."""
    if not movie.steps:
        return None
    (height, unit), (width, other) = (movie.steps[letter] for letter in "YX")
    height, width = abs(height), abs(width)
    factors = meters(unit), meters(other)
    if None not in factors:
        height, width = (without_noise(1e6 * x) for x in (height * factors[0], width * factors[1]))
        return height, width, "um"
    return (height, width, unit) if unit == other != "pixel" else None


def checked_window(movie: Movie, region) -> tuple[slice, slice]:
    """Return rows and columns of None (all), two slices or (y0, y1, x0, x1); ends excluded."""
    height, width = movie.frame_shape[:2]
    if region is None:
        return slice(0, height), slice(0, width)
    allowed = (
        "region must be None, two slices (rows, columns), (y0, y1, x0, x1) in px, or a boolean "
        f"mask of shape ({height}, {width})"
    )
    if isinstance(region, (str, bytes)) or not hasattr(region, "__len__"):
        raise TypeError(f"{allowed}; got {region!r}")
    limits = region
    if len(region) == 2 and all(isinstance(part, slice) for part in region):
        if any(part.step not in (None, 1) for part in region):
            raise ValueError(f"{allowed}, without steps; got {region!r}")
        rows, columns = region
        limits = [rows.start or 0, height if rows.stop is None else rows.stop]
        limits += [columns.start or 0, width if columns.stop is None else columns.stop]
    if len(limits) != 4:
        raise ValueError(f"{allowed}; got {region!r}")
    limits = [as_scalar(edge) for edge in limits]
    if not all(isinstance(edge, Real) and edge % 1 == 0 for edge in limits):
        raise ValueError(f"{allowed}: whole numbers; got {region!r}")
    y0, y1, x0, x1 = map(int, limits)
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise ValueError(f"{allowed}, within the frame of {height} x {width}; got {region!r}")
    return slice(y0, y1), slice(x0, x1)


def checked_region(movie: Movie, region) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the bounding rectangle of a region or a mask (Y, X), and the mask within it."""
    if not (isinstance(region, np.ndarray) and region.dtype == bool):
        window = checked_window(movie, region)
        return window, np.ones([part.stop - part.start for part in window], bool)
    if region.shape != movie.frame_shape[:2]:
        raise ValueError(
            f"region: a mask must have the shape of the frame, {movie.frame_shape[:2]}; "
            f"got {region.shape}"
        )
    if not region.any():
        raise ValueError("region: the mask is empty")
    inside = (np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0)))
    window = tuple(slice(int(part[0]), int(part[-1]) + 1) for part in inside)
    return window, region[window]
