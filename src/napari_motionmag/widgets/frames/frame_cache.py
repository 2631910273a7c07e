"""Frames of a magnification for a viewer: one that is kept when it was drawn, or all of them.

Neither Qt nor napari is needed here.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from napari_motionmag.compute.device_lock import INTERACTIVE, priority
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.frames.prefetch import Ahead

MEMORY_SHARE = 0.5  # of the memory that is free; larger results go to disk
LONGEST_BATCH = 16  # frames drawn together; they share work
BATCH_SECONDS = 0.25  # so long may a cancel take to be heard, or as long as one frame takes
_AHEAD = Ahead()


class Audience(Protocol):
    """Who is told what happens to the frames of a layer, in any thread."""

    def unwanted(self, token: str) -> bool:
        """Whether the viewer is about to hide the layer: what it asks for until then is blank."""

    def failed(self, token: str, error: Exception) -> None:
        """A frame could not be drawn; the error is raised afterwards."""

    def listening(self) -> AbstractContextManager:
        """Return a context in which the warnings of this thread are listened to."""


@dataclass(frozen=True)
class Shown(Magnification):
    """A magnification that keeps the frames it drew, and has an audience.

    Parameters
    ----------
    audience : Audience, optional
        None: nobody is told.
    """

    audience: Audience | None = None

    @classmethod
    def of(cls, magnification: Magnification, audience: Audience | None = None) -> Shown:
        """Make one of a plain magnification; the token stays."""
        values = {f.name: getattr(magnification, f.name) for f in fields(Magnification)}
        return cls(**values, audience=audience)

    def plain(self) -> Magnification:
        """The magnification without what it tells and keeps."""
        return Magnification(**{f.name: getattr(self, f.name) for f in fields(Magnification)})

    def __getstate__(self) -> dict:
        return {**self.__dict__, "audience": None}  # it lives in this process only

    def draw(
        self, times: Sequence[int], other: tuple[int, ...] = (), *, keep: bool = False
    ) -> list[np.ndarray]:
        """Draw frames as `Magnification` does; a single one is kept for the next time."""
        if self.audience is None:
            return self._kept(times, other, keep)
        if _asked_by_napari() and self.audience.unwanted(self.token):
            return [np.zeros(self.movie.frame_shape, self.movie.dtype) for _ in times]
        try:
            with self.audience.listening(), priority(INTERACTIVE):
                drawn = self._kept(times, other, keep)
        except Exception as error:
            self.audience.failed(self.token, error)
            raise
        if len(times) == 1:
            _AHEAD.shown(
                (self.token, tuple(other)),
                int(times[0]),
                self.movie.n_frames,
                lambda t: self._draw_ahead(t, other),
            )
        return drawn

    def _draw_ahead(self, t: int, other: tuple[int, ...]) -> None:
        with self.audience.listening():
            self._kept([t], other)

    def _kept(
        self, times: Sequence[int], other: tuple[int, ...], keep: bool = True
    ) -> list[np.ndarray]:
        if len(times) != 1:
            return super().draw(times, other, keep=keep)
        return [super().draw(times, other, keep=True)[0].copy()]


def _asked_by_napari() -> bool:
    """Whether napari is slicing a dask layer: it turns the fusion of tasks off meanwhile."""
    import dask

    return dask.config.get("optimization.fuse.active", None) is False


def timed(shown: Magnification, place: tuple[int, tuple[int, ...]]) -> float:
    """Draw a frame, which keeps it, and return the seconds that took."""
    t, other = place
    start = time.perf_counter()
    shown.draw([t], other)
    return time.perf_counter() - start


def room_for(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array for a whole result: in memory or, when it is large, in a temporary file.

    The file goes when the array goes.

    Raises
    ------
    OSError
        When there is not enough room on the disk either.
    """
    import psutil

    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size <= MEMORY_SHARE * psutil.virtual_memory().available:
        return np.empty(shape, dtype)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(
            f"the result needs {size / 2**30:.1f} GiB; there are {free / 2**30:.1f} GiB left "
            f"in {folder}. Save it to a file on another disk instead"
        )
    with tempfile.TemporaryFile(prefix="napari-motionmag-") as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def draw_all(magnification: Magnification, out: np.ndarray) -> Iterator[int]:
    """Draw all frames into an array.

    Parameters
    ----------
    magnification : Magnification
        What makes the frames.
    out : ndarray
        Shape and dtype of the movie; written to.

    Yields
    ------
    int
        How many frames are done, after each.
    """
    movie = magnification.movie
    done, batch = 0, 1
    for other in movie.series():
        where = dict(zip(movie.other_axes, other, strict=True))
        first = 0
        while first < movie.n_frames:
            times = range(first, min(first + batch, movie.n_frames))
            start = time.perf_counter()
            drawn = magnification.draw(times, other)
            each = (time.perf_counter() - start) / len(times)
            for t, frame in zip(times, drawn, strict=True):
                at = where | {"T": t}
                out[tuple(_one(at.get(axis)) for axis in movie.axes)] = movie.expand(frame)
                done += 1
                yield done
            first = times.stop
            batch = int(np.clip(BATCH_SECONDS / max(each, 1e-9), 1, LONGEST_BATCH))


def _one(position: int | None) -> slice:
    return slice(None) if position is None else slice(position, position + 1)


def total_frames(magnification: Magnification) -> int:
    """Return how many frames `draw_all` draws."""
    movie = magnification.movie
    sizes = (movie.shape[movie.axes.index(x)] for x in movie.other_axes)
    return int(np.prod([movie.n_frames, *sizes]))
