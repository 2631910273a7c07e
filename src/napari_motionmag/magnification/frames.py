"""The frames of a movie as methods see them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.movie.fingerprint import content_key, editable
from napari_motionmag.movie.movie import Movie

if TYPE_CHECKING:
    from napari_motionmag.methods.warn_once import WarnOnce
    from napari_motionmag.movie.region import Part

FRAME_BYTES = 16 * 2**20  # of frames as they were read, unless a filter's window needs more
MOST_FRAME_BYTES = 1024 * 2**20
_FRAMES = ByteBoundedCache(FRAME_BYTES, lambda frame: frame.nbytes)


class Frames(Sequence):
    """The frames of one series of a movie on the unit scale, read when asked for.

    Frames of arrays in memory are not kept: reading them again is cheap, and they may have been
    edited. Others are, as they were read.

    Attributes
    ----------
    identity : tuple
        The same for the same frames, in all threads.
    warned : WarnOnce or None
        What methods have warned of already.

    Parameters
    ----------
    part : Part, optional
        Of `movie`: what methods see of its frames.
    """

    def __init__(
        self,
        movie: Movie,
        token: str,
        other: tuple[int, ...],
        warned: WarnOnce | None = None,
        part: Part | None = None,
    ):
        self.movie = movie
        self.other = other
        self.warned = warned
        self._part = part
        self._editable = editable(movie.data)
        source = token if self._editable else movie.source
        where = None if part is None else (part.region, part.preview)
        self.identity = (source, movie.axes, tuple(other), where)

    def __len__(self) -> int:
        return self.movie.n_frames

    def __getitem__(self, t: int) -> np.ndarray:
        frame = self.movie.to_unit(self._read(t))
        return frame if self._part is None else self._part.reduce(frame)

    def _read(self, t: int) -> np.ndarray:
        window = None if self._part is None else self._part.window
        if self._editable:
            return self.movie.read(t, self.other, window)
        key = (self.identity, t)
        return _FRAMES.get(key, lambda: self.movie.read(t, self.other, window))

    def key(self, t: int) -> tuple:
        """What tells a frame from all others, whatever magnifies it: by place or by content."""
        if not self._editable:
            return self.identity, t, self.movie.intensity_range
        return content_key(self._read(t)), self.identity[1:], self.movie.intensity_range

    def window_key(self, indices: Sequence[int]) -> tuple:
        """The like for several frames."""
        if not self._editable:
            return self.identity, tuple(indices), self.movie.intensity_range
        digest = hashlib.sha1(usedforsecurity=False)
        for index in indices:
            digest.update(content_key(self._read(index)))
        return digest.digest(), self.identity[1:], self.movie.intensity_range

    def reserve(self, count: int) -> bool:
        """Have room for so many frames; False when they would take too much memory."""
        if self._editable:
            return True
        needed = int(np.prod(self.movie.frame_shape)) * self.movie.dtype.itemsize * (count + 2)
        _FRAMES.at_least(min(needed, MOST_FRAME_BYTES))
        return needed <= MOST_FRAME_BYTES
