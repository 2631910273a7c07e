"""Frames of magnified movies, several at a time: neighbors share most of the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.movie.movie import Movie

BATCH = 8  # frames drawn together; cancelling takes effect between batches
_CACHE = ByteBoundedCache(256 * 2**20, lambda frame: frame.nbytes)


class MagnifiedFrames:
    """One series of a lazy result of ``magnify``; its frames are kept for the next time."""

    def __init__(self, magnification, other: tuple[int, ...]):
        self._magnification, self._other = magnification, other

    @classmethod
    def of(cls, movie: Movie, other: tuple[int, ...]) -> MagnifiedFrames | None:
        """Return the frames of a movie that is a result of ``magnify``, or None."""
        magnification = magnification_behind(movie.data)
        if magnification is None or magnification.movie.axes != movie.axes:
            return None
        return cls(magnification, other)

    def draw(self, times: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield whole frames, in order."""
        for first in range(0, len(times), BATCH):
            batch = times[first : first + BATCH]
            keys = [(self._magnification.token, self._other, t) for t in batch]
            frames = [_CACHE.peek(key) for key in keys]
            missing = [k for k, frame in enumerate(frames) if frame is None]
            if missing:
                drawn = self._magnification.frames([batch[k] for k in missing], self._other)
                for k, frame in zip(missing, drawn, strict=True):
                    frames[k] = frame
                    _CACHE.put(keys[k], frame)
            yield from frames
