"""Frames of a movie for measuring: one series, a window of the frame, blocks along time."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from napari_motionmag.movie.color import RGB_TO_YIQ
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import metres
from napari_motionmag.views.estimators.magnified_frames import TOGETHER, MagnifiedFrames

BLOCK_BYTES = 1 << 26  # frames read together take no more memory than this


def as_movie(movie, axes: str | None = None, fps: float | None = None) -> Movie:
    """Wrap an array, layer or movie; arguments that are None count as not said."""
    return Movie.from_any(movie, axes=axes, fps=fps)


def needed_fps(movie: Movie) -> float:
    """Return the frame rate, or say that it is missing."""
    if movie.fps is None:
        raise ValueError("fps is missing: give the frames per second of the movie")
    return movie.fps


def grey(frames: np.ndarray) -> np.ndarray:
    """Return luma as float64 of frames (..., Y, X) or (..., Y, X, S); S is told by the caller."""
    return frames[..., :3] @ RGB_TO_YIQ[0]


class Series:
    """One series of a movie, as seen through a window of the frame.

    Parameters
    ----------
    movie : Movie
    at : mapping or sequence of int, optional
        Index along the axes other than T, Y, X and S; may be left out where these have length 1
        or are not there.
    window : (slice, slice), optional
        Rows and columns with ``start`` and ``stop`` within the frame; the whole frame when None.
    """

    def __init__(
        self,
        movie: Movie,
        at: Mapping[str, int] | Sequence[int] | None = None,
        window: tuple[slice, slice] | None = None,
    ):
        height, width = movie.frame_shape[:2]
        self.movie = movie
        self.window = window or (slice(0, height), slice(0, width))
        self.at = _place(movie, at)
        self.magnified = MagnifiedFrames.of(movie, tuple(self.at.values()))

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.movie.n_frames

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    def lazy(self, times: slice):
        """Index frames, first to last, through the window: (T, Y, X[, S]); dask stays lazy."""
        movie = self.movie
        place = dict(zip("TYX", (times, *self.window), strict=True)) | self.at
        block = movie.data[tuple(place.get(letter, slice(None)) for letter in movie.axes)]
        left = [letter for letter in movie.axes if letter in "TYXS"]
        order = [left.index(letter) for letter in "TYXS" if letter in left]
        return block if order == sorted(order) else block.transpose(order)

    def read(self, start: int, stop: int, step: int = 1) -> np.ndarray:
        """Read frames of ``range(start, stop, step)``, (T, Y, X[, S]), in the data's dtype.

        Raises
        ------
        ValueError
            When pixels are NaN or infinite.
        """
        if self.magnified is not None:
            frames = self.magnified.read(range(start, stop, step), self.window)
        else:
            block = self.lazy(slice(start, stop, step))
            if hasattr(block, "compute"):
                block = block.compute()
            frames = np.asarray(block)
        if frames.dtype.kind == "f":
            whole = np.isfinite(frames).all(axis=tuple(range(1, frames.ndim)))
            if not whole.all():
                bad = start + step * int(np.argmin(whole))
                raise ValueError(f"frame t={bad} of the movie has pixels that are NaN or infinite")
        return frames

    def luma(self, t: int) -> np.ndarray:
        """Read one frame as float64 luma, shape (Y, X), in the data's grey levels."""
        return self.to_luma(self.read(t, t + 1))[0]

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first frame number, frames) along time, cut where the data's chunks are."""
        stop = self.n_frames if stop is None else stop
        for first, last in self._bounds(start, stop):
            yield first, self.read(first, last)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (frame number, luma as float64 of shape (Y, X)) along time."""
        for first, block in self.blocks(start, stop):
            for k in range(len(block)):
                yield first + k, self.to_luma(block[k : k + 1])[0]

    def to_luma(self, block: np.ndarray) -> np.ndarray:
        """Frames as read, (T, Y, X[, S]), to float64 luma, (T, Y, X)."""
        return grey(block) if self.movie.is_rgb else block.astype(np.float64)

    def _bounds(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cut ``start..stop`` into runs of at most BLOCK_BYTES, at borders of chunks if any."""
        per_frame = int(np.prod(self.shape)) * self.movie.dtype.itemsize
        per_frame *= self.movie.shape[-1] if self.movie.is_rgb else 1
        most = max(1, BLOCK_BYTES // max(per_frame, 1))
        if self.magnified is not None:
            most = min(most, TOGETHER)
        cuts = [c for c in self.chunk_starts() if start < c < stop]
        edges = [start, *cuts, stop]
        run = start
        for before, after in itertools.pairwise(edges):
            # neighbours are joined while they fit; a chunk that is too large is cut
            if after - run <= most:
                continue
            if before > run:
                yield run, before
                run = before
            while after - run > most:
                yield run, run + most
                run += most
        if run < stop:
            yield run, stop

    def chunk_starts(self) -> np.ndarray:
        """Frames at which chunks of the data begin or end; empty where there are none."""
        chunks = getattr(self.movie.data, "chunks", None)
        if not chunks:
            return np.array([], int)
        along = chunks[self.movie.axes.index("T")]
        if isinstance(along, tuple):  # dask: sizes of all chunks; zarr and h5py: one size
            return np.cumsum(along)
        return np.arange(along, self.n_frames, along)


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
            raise ValueError(f"at must name each of the axes {letters!r} once; got {dict(at)}")
        at = [at[letter] for letter in letters]
    at = tuple(at) if isinstance(at, Sequence) else (at,)
    if len(at) != len(letters):
        raise ValueError(f"at must have one index for each of the axes {letters!r}; got {at}")
    place = dict(zip(letters, map(operator.index, at), strict=True))
    for letter, where in place.items():
        size = movie.shape[movie.axes.index(letter)]
        if not 0 <= where < size:
            raise ValueError(f"at[{letter!r}] must be within 0..{size - 1}; got {where}")
    return place


def pixel_size(movie: Movie) -> tuple[float, float, str] | None:
    """Return height and width of a pixel and their unit.

    In um where the unit is one of length; None where the movie is not calibrated.
    """
    if movie.scale is None:
        return None
    letters = movie.axes.replace("S", "")
    at = [letters.index("Y"), letters.index("X")]
    size = [abs(movie.scale[i]) for i in at]
    units = [movie.units[i] if movie.units else "pixel" for i in at]
    factors = [metres(unit) for unit in units]
    if None not in factors:
        return size[0] * factors[0] * 1e6, size[1] * factors[1] * 1e6, "um"
    if units[0] == units[1] != "pixel":
        return size[0], size[1], units[0]
    return None


def checked_window(movie: Movie, region) -> tuple[slice, slice]:
    """Return rows and columns of a rectangle within the frame.

    Parameters
    ----------
    movie : Movie
    region : None, (slice, slice) or (y0, y1, x0, x1)
        None is the whole frame. ``y1`` and ``x1`` are not included.
    """
    height, width = movie.frame_shape[:2]
    wanted = (
        "region must be None, two slices (rows, columns), (y0, y1, x0, x1) in px, or a boolean "
        f"mask of shape ({height}, {width})"
    )
    if region is None:
        return slice(0, height), slice(0, width)
    if isinstance(region, (str, bytes)) or not hasattr(region, "__len__"):
        raise TypeError(f"{wanted}; got {region!r}")
    if len(region) == 2 and all(isinstance(part, slice) for part in region):
        if any(part.step not in (None, 1) for part in region):
            raise ValueError(f"{wanted}, without steps; got {region!r}")
        limits = [
            (part.start or 0, size if part.stop is None else part.stop)
            for part, size in zip(region, (height, width), strict=True)
        ]
    elif len(region) == 4:
        y0, y1, x0, x1 = region
        limits = [(y0, y1), (x0, x1)]
    else:
        raise ValueError(f"{wanted}; got {region!r}")
    window = []
    for (first, last), size in zip(limits, (height, width), strict=True):
        if int(first) != first or int(last) != last:
            raise ValueError(f"{wanted}: whole numbers; got {region!r}")
        if not 0 <= first < last <= size:
            raise ValueError(f"{wanted}, within the frame of {height} x {width}; got {region!r}")
        window.append(slice(int(first), int(last)))
    return window[0], window[1]


def checked_region(movie: Movie, region) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the bounding rectangle of a region, and its mask within that.

    Parameters
    ----------
    movie : Movie
    region : None, (slice, slice), (y0, y1, x0, x1) or boolean mask of shape (Y, X)

    Returns
    -------
    window : (slice, slice)
    mask : ndarray of bool, shape of the window
    """
    mask = region if isinstance(region, np.ndarray) and region.dtype == bool else None
    if mask is None:
        window = checked_window(movie, region)
        return window, np.ones([part.stop - part.start for part in window], bool)
    if mask.shape != movie.frame_shape[:2]:
        raise ValueError(
            f"region: a mask must have the shape of the frame, {movie.frame_shape[:2]}; "
            f"got {mask.shape}"
        )
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("region: the mask is empty")
    window = (
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    return window, mask[window]
