"""Frames of magnified movies, many at a time: neighbors share most of the work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_motionmag.magnification.magnification import Magnification, magnification_behind
from napari_motionmag.movie.movie import Movie

TOGETHER = 8  # frames drawn at once; a cancel is heard after each group


class MagnifiedFrames:
    """The frames of a lazy result of ``magnify``, kept for the next time.

    Parameters
    ----------
    magnification : Magnification
    other : tuple of int
        Index along axes other than T, Y, X and S.
    """

    def __init__(self, magnification: Magnification, other: tuple[int, ...]):
        self._magnification, self._other = magnification, other

    @classmethod
    def of(cls, movie: Movie, other: tuple[int, ...]) -> MagnifiedFrames | None:
        """Return the frames of a movie that is a result of ``magnify``, or None."""
        behind = magnification_behind(movie.data)
        if behind is None or behind.movie.axes != movie.axes:
            return None
        return cls(behind, other)

    def read(self, times: Sequence[int], window: tuple[slice, slice]) -> np.ndarray:
        """Return frames cut to a window, (T, Y, X[, S])."""
        frames = []
        for first in range(0, len(times), TOGETHER):
            group = times[first : first + TOGETHER]
            frames += self._magnification.draw(group, self._other, keep=True)
        return np.stack([frame[window] for frame in frames])
