"""Frames of a magnification for a viewer: cached when they were drawn, or all of them at once."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import dask.array as da
import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.device import INTERACTIVE, PREFETCH, Preempted, priority
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.common.messages import warnings_to
from napari_motionmag.widgets.frames.layer_frames import LayerFrames
from napari_motionmag.widgets.frames.prefetch import Prefetcher

MEMORY_SHARE = 0.5  # of the memory that is free; larger results go to disk
LONGEST_BATCH = 16  # frames drawn together; they share work
BATCH_SECONDS = 0.25  # a cancelled job goes on for this long, or for as long as one frame takes
RETRY_SECONDS = 0.02  # until a frame that gave way is begun anew
_PREFETCHER = Prefetcher()


@dataclass(frozen=True)
class CachedMagnification(Magnification):
    """A magnification that keeps the frames it drew, and tells a `FrameListener`, if any."""

    listener: object = None

    @classmethod
    def of(cls, magnification: Magnification, listener=None) -> CachedMagnification:
        """Make one of a plain magnification; the token stays."""
        return cls(**_values(magnification), listener=listener)

    def plain(self) -> Magnification:
        """Return the magnification without cache and listener."""
        return Magnification(**_values(self))

    def dask(self) -> da.Array:
        """Return the lazy result; blank to napari while its layer is about to be hidden."""
        if self.listener is None:
            return super().dask()
        return LayerFrames.of(super().dask(), lambda: self.listener.unwanted(self.token))

    def __getstate__(self) -> dict:
        return {**self.__dict__, "listener": None}  # it lives in this process only

    def draw(
        self, times: Sequence[int], other: tuple[int, ...] = (), *, keep: bool = False
    ) -> list[np.ndarray]:
        """Draw frames as `Magnification` does; a single one is kept for the next time."""
        if self.listener is None:
            return self._draw_cached(times, other, keep)
        try:
            with self.listener.listening(), priority(INTERACTIVE):
                drawn = self._draw_cached(times, other, keep)
        except Exception as error:
            self.listener.failed(self.token, error)
            raise
        if len(times) == 1:
            _PREFETCHER.shown(
                (self.token, tuple(other)),
                int(times[0]),
                self.movie.n_frames,
                lambda t: self.draw_ahead([t], other),
                lambda error: self.listener.prefetch_failed(self.token, error),
            )
        return drawn

    def time_frame(self, place: tuple[int, tuple[int, ...]]) -> float:
        """Draw a frame, which caches it, and return the seconds that it took."""
        t, other = place
        start = time.perf_counter()
        self.draw([t], other)
        return time.perf_counter() - start

    def draw_ahead(self, times: Sequence[int], other: tuple[int, ...]) -> None:
        """Draw frames that will be shown, at the priority of this thread, and keep them."""
        with self.listener.listening():
            super().draw(times, other, keep=True)

    def refine_frame(
        self, place: tuple[int, tuple[int, ...]], progress: Callable[[int, int], object]
    ) -> float:
        """Do as `time_frame`, and begin anew whenever somebody else wants the device meanwhile.

        ``progress(0, 1)`` is called then, to raise if the frame is no longer wanted.
        """
        t, other = place
        with priority(PREFETCH):
            while True:
                start = time.perf_counter()
                try:
                    self.draw_ahead([t], other)
                    return time.perf_counter() - start
                except Preempted:
                    progress(0, 1)
                    time.sleep(RETRY_SECONDS)

    def _draw_cached(
        self, times: Sequence[int], other: tuple[int, ...], keep: bool
    ) -> list[np.ndarray]:
        if len(times) != 1:
            return super().draw(times, other, keep=keep)
        return [super().draw(times, other, keep=True)[0].copy()]


@dataclass(frozen=True)
class CoarseMagnification(CachedMagnification):
    """Draws with another magnification, of smaller frames, and enlarges what that draws."""

    smaller: Magnification | None = None

    @classmethod
    def like(cls, shown: CachedMagnification, smaller: Magnification) -> CoarseMagnification:
        """Make one whose frames are as large as those of `shown`."""
        values = {**_values(shown), "token": uuid.uuid4().hex, "cache": Cache()}
        return cls(**values, listener=shown.listener, smaller=smaller)

    def _draw(self, times: Sequence[int], other: tuple[int, ...]) -> list[np.ndarray]:
        with warnings_to(lambda *_: None):  # bounds in px are those of the smaller frames
            drawn = self.smaller.draw(times, other)
        return [enlarged(frame, self.movie.frame_shape) for frame in drawn]


def enlarged(frame: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Enlarge a frame, (Y, X) or (Y, X, S), to (Y, X) of `shape` by linear interpolation."""
    result = frame.astype(np.float32)
    for axis, size in enumerate(shape[:2]):
        last = frame.shape[axis] - 1
        at = np.clip((np.arange(size) + 0.5) * frame.shape[axis] / size - 0.5, 0, last)
        low = at.astype(int)
        weight = np.expand_dims(
            (at - low).astype(np.float32), [k for k in range(frame.ndim) if k != axis]
        )
        first, second = (result.take(k, axis) for k in (low, np.minimum(low + 1, last)))
        result = first + (second - first) * weight
    if frame.dtype.kind in "iu":
        result = np.rint(result)
    return result.astype(frame.dtype)


def _values(magnification: Magnification) -> dict:
    return {field.name: getattr(magnification, field.name) for field in fields(Magnification)}


def room_for(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array for a whole result: in memory or, when it is large, in a temporary file.

    The file goes when the array goes. Raises OSError if there is no room on the disk either.
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
    """Draw all frames into an array of the movie's shape; yield how many are done, after each."""
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
                index = tuple(
                    slice(at[x], at[x] + 1) if x in at else slice(None) for x in movie.axes
                )
                out[index] = movie.expand(frame)
                done += 1
                yield done
            first = times.stop
            batch = int(np.clip(BATCH_SECONDS / max(each, 1e-9), 1, LONGEST_BATCH))


def total_frames(magnification: Magnification) -> int:
    """Return how many frames `draw_all` draws."""
    movie = magnification.movie
    return movie.n_frames * len(list(movie.series()))
