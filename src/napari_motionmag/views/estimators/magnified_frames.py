"""Frames of magnified movies, many at a time: neighbours share most of the work."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.magnification.made import magnification_of
from napari_motionmag.movie.movie import Movie

TOGETHER = 8  # frames drawn at once; a cancel is heard after so many
KEPT_BYTES = 256 * 2**20
_KEPT = ByteBoundedCache(KEPT_BYTES, lambda frame: frame.nbytes)


class MagnifiedFrames:
    """The frames of a lazy result of ``magnify``, kept for the next time.

    Parameters
    ----------
    made : napari_motionmag.magnification.magnification.Magnification
    other : tuple of int
        Index along axes other than T, Y, X and S.
    """

    def __init__(self, made, other: tuple[int, ...]):
        self._made, self._other = made, other

    @classmethod
    def of(cls, movie: Movie, other: tuple[int, ...]) -> MagnifiedFrames | None:
        """Return the frames of a movie that is a result of ``magnify``, or None."""
        made = magnification_of(movie.data)
        if made is None or made.movie.axes != movie.axes:
            return None
        return cls(made, other)

    def read(self, times: Sequence[int], window: tuple[slice, slice]) -> np.ndarray:
        """Return frames cut to a window, (T, Y, X[, S])."""
        frames: dict[int, np.ndarray] = {}
        for t in times:
            kept = _KEPT.peek(self._key(t))
            if kept is not None:
                frames[t] = kept
        missing = [t for t in times if t not in frames]
        for first in range(0, len(missing), TOGETHER):
            group = missing[first : first + TOGETHER]
            for t, frame in zip(group, self._made.frames(group, self._other), strict=True):
                frames[t] = frame
                _KEPT.put(self._key(t), frame)
        return np.stack([frames[t][window] for t in times])

    def _key(self, t: int) -> tuple:
        key = (self._made.token, self._other, int(t))
        source = self._made.movie
        if isinstance(source.data, np.ndarray):  # which may be edited under our hands
            pixels = np.ascontiguousarray(source.read(t, self._other))
            key += (zlib.crc32(pixels), zlib.adler32(pixels))
        return key
