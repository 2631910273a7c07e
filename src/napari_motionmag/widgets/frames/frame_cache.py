"""Magnifications for a viewer: they keep the frames that they drew."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import dask.array as da
import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.device import INTERACTIVE, PREFETCH, Preempted, priority
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.common.messages import warnings_to
from napari_motionmag.widgets.frames.layer_frames import LayerFrames
from napari_motionmag.widgets.frames.prefetch import Prefetcher

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

    def draw_timed(self, place: tuple[int, tuple[int, ...]]) -> float:
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
        """Do as `draw_timed`, and begin anew whenever somebody else wants the device meanwhile.

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
    def like(
        cls, magnification: CachedMagnification, smaller: Magnification
    ) -> CoarseMagnification:
        """Make one whose frames are as large as those of another."""
        values = {**_values(magnification), "token": uuid.uuid4().hex, "cache": Cache()}
        return cls(**values, listener=magnification.listener, smaller=smaller)

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
