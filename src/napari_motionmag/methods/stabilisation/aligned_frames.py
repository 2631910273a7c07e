"""Frames aligned to what moves far, as passed to the wrapped method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_motionmag.compute.cache import Cache, budget
from napari_motionmag.methods.base import check_size, warn_once
from napari_motionmag.methods.classical.image_warp import sample
from napari_motionmag.methods.classical.planes import check_shape, filled
from napari_motionmag.methods.stabilisation.dense_motion import DenseMotion
from napari_motionmag.methods.stabilisation.masks import feathered, smooth_step
from napari_motionmag.methods.stabilisation.registration import Template
from napari_motionmag.methods.stabilisation.transforms import apply, mean_transform
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.frame_source import SHARE

_POORLY_ALIKE = 0.5


class FrameAligner:
    """Reads frames and knows how they lie against each other, as a `Stabilised` wants it.

    For model "dense", `cutoff` is the frequency, in cycles per frame, below which motion is
    followed, and `first` a frame that is needed in any case; for others that is the reference.
    """

    def __init__(self, settings, frames: Sequence[np.ndarray], cutoff=None, first=None):
        self.settings, self.frames = settings, frames
        n, reference = len(frames), settings.reference
        if not -n <= reference < n:
            raise ValueError(f"reference must be within {-n} to {n - 1}, got {reference}")
        self.reference = reference % n
        # of frames without a cache nothing outlives the call
        self.cache = getattr(frames, "cache", None) or Cache()
        self.series = (settings.token, getattr(frames, "series", None))
        self._reads = Cache()
        self._shape_read: tuple[int, ...] | None = None
        self.shape = self.frame(self.reference if first is None else first).shape[:2]
        check_size("frames", self.shape, settings.smallest_frame, settings.name)
        mask, allowed = settings.mask, (self.shape, (n, *self.shape))
        if mask is not None and tuple(mask.shape) not in allowed:
            raise ValueError(
                f"mask must have the shape {allowed[0]} or {allowed[1]} of the movie, "
                f"got {tuple(mask.shape)}"
            )
        self._motion = None
        if settings.model == "dense":
            key = getattr(frames, "series", None)
            self._motion = DenseMotion(self._gray, self.shape, n, self.cache, key, cutoff)

    # ---- frames ----

    def frame(self, t: int) -> np.ndarray:
        """Return frame `t`, read once unless memory is short."""
        return self._reads.get(t, lambda: self._read(t))

    def _read(self, t: int) -> np.ndarray:
        frame = np.asarray(self.frames[t], dtype=np.float32)
        check_shape(frame, t, self._shape_read)
        self._shape_read = frame.shape
        return frame

    def finite(self, t: int) -> np.ndarray:
        """Return frame `t` with its mean where it is not finite, which splines would spread."""
        return filled(self.frames, t, self.frame(t))

    def _gray(self, t: int) -> np.ndarray:
        frame = self.finite(t)
        return frame if frame.ndim == 2 else luma(frame)

    # ---- the mask ----

    def mask(self, t: int) -> np.ndarray | None:
        """Return the mask in frame `t`, if it has one: every frame, or the reference only."""
        mask = self.settings.mask
        if mask is None:
            return None
        if len(mask.shape) == 3:
            marked = np.asarray(mask[t]) != 0
            if not marked.any():
                raise ValueError(f"mask marks no pixel in frame {t}")
            return marked
        return np.asarray(mask) != 0 if t == self.reference else None

    def layer(self, t: int) -> np.ndarray | None:
        """Return the mask in the pixels of frame `t`, float32 0..1, feathered; None for all."""
        if self.settings.mask is None:
            return None
        mask = self.mask(t)
        if mask is None:  # where the reference's mask has moved to
            near = np.floor(self.positions(t)(self.reference) + 0.5).astype(np.int64)
            limits = np.array(self.shape)[:, None, None]
            inside = ((near >= 0) & (near < limits)).all(0)
            near = np.clip(near, 0, limits - 1)
            mask = self.mask(self.reference)[tuple(near)] & inside
        return feathered(mask, self.settings.feather)

    # ---- motion ----

    def positions(self, pivot: int) -> Callable[[int], np.ndarray]:
        """Return where the pixels of frame `pivot` lie in any frame t: (2, Y, X) px."""
        pixels = np.indices(self.shape, dtype=np.float64)
        if self._motion is not None:
            paths = self._motion.paths(pivot)
            return lambda t: pixels + paths(t)
        back = np.linalg.inv(self.transform(pivot))
        return lambda t: apply(self.transform(t) @ back, pixels)

    def transform(self, t: int) -> np.ndarray:
        """Map from the reference to frame `t`, smoothed in time if so planned."""
        reach = int(np.ceil(3 * self.settings.smooth))
        n = len(self.frames)
        if reach == 0 or n == 1:
            return self._raw(t)
        # mirrored at the ends of the movie, without repeating the end frames
        near = np.arange(t - reach, t + reach + 1) % (2 * (n - 1))
        near = np.minimum(near, 2 * (n - 1) - near)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.settings.smooth) ** 2)
        return mean_transform(self.settings.model, [self._raw(int(i)) for i in near], weights)

    def _raw(self, t: int) -> np.ndarray:
        if t == self.reference:
            return np.eye(3)
        return self.cache.get(("transform", self.series, t), lambda: self._estimate(t))

    def _estimate(self, t: int) -> np.ndarray:
        found = self._template().align(self._gray(t), self.mask(t))
        if found.correlation < _POORLY_ALIKE:
            warn_once(
                self.frames,
                "alignment",
                f"frame {t} aligns poorly to reference {self.reference}: correlation "
                f"{found.correlation:.2f}; the best map found is used",
            )
        return found.matrix

    def _template(self) -> Template:
        def make():
            image, mask = self._gray(self.reference), self.mask(self.reference)
            return Template(image, self.settings.model, mask)

        return self.cache.get(("template", self.series), make)


class AlignedFrames(Sequence):
    """Frames that follow the large motion, in the pixels of one of them, the pivot."""

    def __init__(self, aligner: FrameAligner, pivot: int, keep: Sequence[int]):
        self._aligner = aligner
        self._pivot = pivot
        self._keep = set(keep)
        self._kept: dict[int, np.ndarray] = {}
        self._positions = aligner.positions(pivot)
        self._still = aligner.finite(pivot)
        self._layer = aligner.layer(pivot)
        self.warned = getattr(aligner.frames, "warned", None)
        if hasattr(aligner.frames, "cache"):
            self.cache = aligner.cache
        self.series = ("aligned", *aligner.series, pivot)

    def __len__(self) -> int:
        return len(self._aligner.frames)

    def __getitem__(self, t: int) -> np.ndarray:
        t = int(t)
        if t in self._kept:
            return self._kept[t]
        frame = self._aligner.cache.get(self.key(t), lambda: self._align(t))
        if t in self._keep:
            self._kept[t] = frame
        return frame

    def key(self, t: int):
        """Return the key of aligned frame t in the cache."""
        return *self.series, t

    def fits(self, count: int, size: int | None = None) -> bool:
        """Whether `count` frames, or values of `size` bytes each, can be kept at a time."""
        size = self._still.nbytes if size is None else size
        return (count + 2) * size <= SHARE * budget()

    def carry_back(self, t: int, change: np.ndarray) -> np.ndarray:
        """Return a change in aligned frame `t` in the pixels of frame `t`, faded where it ends."""
        if t == self._pivot:
            return change
        at = self._aligner.positions(t)(self._pivot)
        return _times(sample(change, at), self._known(at))

    def _align(self, t: int) -> np.ndarray:
        if t == self._pivot:
            return self._still
        at = self._positions(t)
        share = self._known(at)
        if self._layer is not None:
            share = share * self._layer
        moved = sample(self._aligner.finite(t), at)
        return self._still + _times(moved - self._still, share)

    def _known(self, at: np.ndarray) -> np.ndarray:
        """Return how far to trust positions in a frame: 0 outside of it, rising inside."""
        limits = np.array(self._aligner.shape)[:, None, None] - 1.0
        room = np.minimum(at, limits - at).min(0)
        beyond = max(float(-room.min()), 0.0)
        if beyond < 1e-6:
            return np.ones(room.shape, np.float32)
        # no wider than what is missing: frames that hardly move keep their borders
        width = max(min(self._aligner.settings.feather, beyond), 1e-3)
        # splines err in the outermost pixel: the picture does not go on as its mirror image
        return smooth_step((room - 1) / width)


def _times(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return image * (weight if image.ndim == 2 else weight[..., None])
