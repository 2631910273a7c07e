"""The frames of a movie as methods see them: one series, on the unit scale."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from napari_motionmag.compute.cache import budget
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.region import Region

SHARE = 0.5  # of the cache's budget that the frames of one window may take


class FrameSource(Sequence):
    """``source[t]`` reads frame t, black 0, white 1; frames of files are kept as they were read.

    Parameters
    ----------
    movie : Movie
        The whole movie.
    other : tuple of int
        Index along the axes other than T, Y, X and S.
    region : Region, optional
        Part of the frames of `movie` to read.
    warned : WarnOnce, optional
        Remembers which warnings methods have issued.

    Attributes
    ----------
    cache : Cache
        Where methods keep values computed from frames: that of the movie.
    """

    def __init__(
        self, movie: Movie, other: tuple[int, ...] = (), region: Region | None = None, warned=None
    ):
        self.movie = movie
        self.other = tuple(other)
        self.region = region
        self.warned = warned
        self.cache = movie.cache
        self._in_memory = isinstance(movie.data, np.ndarray)
        self._place = movie.axes, self.other, region and (region.region, region.preview)

    def __len__(self) -> int:
        return self.movie.n_frames

    def __getitem__(self, t: int) -> np.ndarray:
        frame = self.movie.to_unit(self._read(t))
        return frame if self.region is None else self.region.reduce(frame)

    def _read(self, t: int) -> np.ndarray:
        window = self.region and self.region.window

        def read() -> np.ndarray:
            return self.movie.read(t, self.other, window)

        return read() if self._in_memory else self.cache.get(("frame", self._place, t), read)

    @property
    def series(self) -> tuple:
        """Key of these frames in `cache`."""
        return *self._place, self.movie.intensity_range

    def key(self, t: int) -> tuple:
        """Return the key of frame t in `cache`."""
        return *self.series, t

    def forget(self, frames: Collection[int]) -> None:
        """Forget frames, and what methods made of them."""
        if frames:
            keys = self.cache.kept_keys()
            self.cache.forget(key for key in keys if self._frame_of(key) in frames)

    def _frame_of(self, key: tuple) -> int | None:
        """Return the frame of this series that a value in `cache` belongs to."""
        if key[:2] == ("frame", self._place):
            return key[2]
        own = isinstance(key[-1], tuple) and key[-1][:-1] == self.series
        return key[-1][-1] if own else None

    def fits(self, count: int, size: int | None = None) -> bool:
        """Whether the cache holds `count` frames, or values of `size` bytes, at a time."""
        if size is None:
            if self._in_memory:
                return True
            size = int(np.prod(self.movie.frame_shape)) * self.movie.dtype.itemsize
        return (count + 2) * size <= SHARE * budget()
