"""The movie as it looks to one who moves along: what `Stabilised` shows to the other method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.methods.classical.image_warp import sample
from napari_motionmag.methods.stabilisation.masks import feathered, smooth_step
from napari_motionmag.methods.stabilisation.registration import Template
from napari_motionmag.methods.stabilisation.transforms import apply, mean_transform
from napari_motionmag.methods.warn_once import warn_once
from napari_motionmag.movie.color import luma

if TYPE_CHECKING:
    from napari_motionmag.methods.stabilisation.stabilised import Stabilised

__all__ = ["Aligned", "Follower"]

_BYTES = 256 * 2**20
_TRANSFORM_BYTES = 256  # of one, with its key
_TRANSFORMS = ByteBoundedCache(16 * 2**20, lambda matrix: _TRANSFORM_BYTES)
_TEMPLATES = ByteBoundedCache(_BYTES, lambda template: template.nbytes)
_ALIGNED = ByteBoundedCache(_BYTES, lambda frame: frame.nbytes)
_POORLY_ALIKE = 0.5


class Follower:
    """Reads frames and knows how each of them lies against the reference."""

    def __init__(self, plan: Stabilised, frames: Sequence[np.ndarray]):
        self.plan = plan
        self.frames = frames
        self.reference = self._checked_reference()
        identity = getattr(frames, "identity", None)
        self.identity = None if identity is None else (plan.token, identity)
        # without an identity nothing outlives the call
        self._reads = ByteBoundedCache(_BYTES, lambda frame: frame.nbytes)
        self._own = ByteBoundedCache(2**24, lambda matrix: _TRANSFORM_BYTES)
        self._template: Template | None = None
        self._frame_shape: tuple[int, ...] | None = None
        self.shape = self.frame(self.reference).shape[:2]
        smallest = plan.smallest_frame
        if min(self.shape) < smallest:
            raise ValueError(
                f"frames must be at least {smallest} x {smallest} px for {plan.name}, "
                f"got {self.shape[0]} x {self.shape[1]}"
            )
        self._check_mask()

    def _checked_reference(self) -> int:
        n, reference = len(self.frames), self.plan.reference
        if not -n <= reference < n:
            raise ValueError(f"reference must be within {-n} to {n - 1}, got {reference}")
        return reference % n

    def _check_mask(self) -> None:
        mask = self.plan.mask
        allowed = (self.shape, (len(self.frames), *self.shape))
        if mask is not None and tuple(mask.shape) not in allowed:
            raise ValueError(
                f"mask must have the shape {allowed[0]} or {allowed[1]} of the movie, "
                f"got {tuple(mask.shape)}"
            )

    def frame(self, t: int) -> np.ndarray:
        """Frame `t`, read once unless memory is short."""
        return self._reads.get(t, lambda: self._read(t))

    def _read(self, t: int) -> np.ndarray:
        frame = np.asarray(self.frames[t], dtype=np.float32)
        if frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)):
            raise ValueError(f"frames must be (Y, X) or (Y, X, 3), frame {t} is {frame.shape}")
        if self._frame_shape is None:
            self._frame_shape = frame.shape
        if frame.shape != self._frame_shape:
            raise ValueError(
                f"frames must have one shape, frame {t} is {frame.shape}, not {self._frame_shape}"
            )
        return frame

    def key(self, t: int):
        """What tells frame `t` from others, also after it was edited if the frames know that."""
        return self.frames.key(t) if hasattr(self.frames, "key") else t

    def finite(self, t: int) -> np.ndarray:
        """Frame `t` with the mean in place of what is not finite, which splines would spread."""
        frame = self.frame(t)
        bad = ~np.isfinite(frame)
        if not bad.any():
            return frame
        if bad.all():
            raise ValueError(f"frame {t} has no finite pixel")
        warn_once(
            self.frames,
            "not finite",
            f"frame {t} has {int(bad.sum())} values that are not finite: the mean of the others "
            "stands in for them, and they come back unchanged in the output",
        )
        return np.where(bad, frame[~bad].mean(dtype=np.float64).astype(np.float32), frame)

    def mask(self, t: int) -> np.ndarray | None:
        """Mask in frame `t`, if there is one for it: every frame, or the reference only."""
        mask = self.plan.mask
        if mask is None:
            return None
        if len(mask.shape) == 3:
            marked = np.asarray(mask[t]) != 0
            if not marked.any():
                raise ValueError(f"mask marks no pixel in frame {t}")
            return marked
        return np.asarray(mask) != 0 if t == self.reference else None

    def layer(self, t: int) -> np.ndarray | None:
        """The mask in the pixels of frame `t`, float32 0..1 with feathered edge; None for all."""
        if self.plan.mask is None:
            return None
        mask = self.mask(t)
        if mask is None:  # where the reference's mask has moved to
            matrix = self.transform(self.reference) @ np.linalg.inv(self.transform(t))
            at = apply(matrix, np.indices(self.shape, dtype=np.float64))
            near = np.floor(at + 0.5).astype(np.int64)
            limits = np.array(self.shape)[:, None, None]
            inside = ((near >= 0) & (near < limits)).all(0)
            near = np.clip(near, 0, limits - 1)
            mask = self.mask(self.reference)[tuple(near)] & inside
        return feathered(mask, self.plan.feather)

    def transform(self, t: int) -> np.ndarray:
        """Map from the reference to frame `t`, smoothed in time if so planned."""
        reach = int(np.ceil(3 * self.plan.smooth))
        if reach == 0:
            return self._raw(t)
        # mirrored at the ends of the movie, without repeating the end frames
        n = len(self.frames)
        if n == 1:
            return self._raw(0)
        near = np.arange(t - reach, t + reach + 1) % (2 * (n - 1))
        near = np.minimum(near, 2 * (n - 1) - near)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.plan.smooth) ** 2)
        return mean_transform(self.plan.model, [self._raw(int(i)) for i in near], weights)

    def _raw(self, t: int) -> np.ndarray:
        if t == self.reference:
            return np.eye(3)
        if self.identity is None:
            return self._own.get(t, lambda: self._estimate(t))
        key = (self.identity, self.key(t), self.key(self.reference))
        return _TRANSFORMS.get(key, lambda: self._estimate(t))

    def _estimate(self, t: int) -> np.ndarray:
        found = self._prepared().align(self._grey(t), self.mask(t))
        if found.correlation < _POORLY_ALIKE:
            warn_once(
                self.frames,
                "alignment",
                f"frame {t} aligns poorly to reference {self.reference}: correlation "
                f"{found.correlation:.2f}; the best map found is used",
            )
        return found.matrix

    def _prepared(self) -> Template:
        def make():
            return Template(self._grey(self.reference), self.plan.model, self.mask(self.reference))

        if self.identity is not None:
            return _TEMPLATES.get((self.identity, self.key(self.reference)), make)
        if self._template is None:
            self._template = make()
        return self._template

    def _grey(self, t: int) -> np.ndarray:
        frame = self.finite(t)
        return frame if frame.ndim == 2 else luma(frame)


class Aligned(Sequence):
    """The movie as it looks when it follows the large motion, in the pixels of one frame."""

    def __init__(self, follower: Follower, pivot: int, keep: Sequence[int]):
        self._follower = follower
        self._pivot = pivot
        self._keep = set(keep)
        self._kept: dict[int, np.ndarray] = {}
        self._home = follower.transform(pivot)
        self._still = follower.finite(pivot)
        self._layer = follower.layer(pivot)
        self._pixels = np.indices(follower.shape, dtype=np.float64)
        self.warned = getattr(follower.frames, "warned", None)
        if follower.identity is not None:
            self.identity = ("stabilised", *follower.identity, pivot)

    def __len__(self) -> int:
        return len(self._follower.frames)

    def __getitem__(self, t: int) -> np.ndarray:
        t = int(t)
        if t in self._kept:
            return self._kept[t]
        if self._follower.identity is None:
            frame = self._align(t)
        else:
            frame = _ALIGNED.get(self.key(t), lambda: self._align(t))
        if t in self._keep:
            self._kept[t] = frame
        return frame

    def key(self, t: int):
        """What tells aligned frame `t` from others."""
        follower = self._follower
        here = (follower.key(i) for i in (t, self._pivot, follower.reference))
        return (self.identity, *here)

    def carry_back(self, t: int, change: np.ndarray) -> np.ndarray:
        """A change in aligned frame `t` in the pixels of frame `t`, faded where it ends."""
        if t == self._pivot:
            return change
        matrix = self._home @ np.linalg.inv(self._follower.transform(t))
        at = apply(matrix, self._pixels)
        return _times(sample(change, at), self._known(at))

    def _align(self, t: int) -> np.ndarray:
        if t == self._pivot:
            return self._still
        matrix = self._follower.transform(t) @ np.linalg.inv(self._home)
        at = apply(matrix, self._pixels)
        share = self._known(at)
        if self._layer is not None:
            share = share * self._layer
        moved = sample(self._follower.finite(t), at)
        return self._still + _times(moved - self._still, share)

    def _known(self, at: np.ndarray) -> np.ndarray:
        """How far positions in a frame are to be trusted: 0 outside of it, rising inside."""
        limits = np.array(self._follower.shape)[:, None, None] - 1.0
        room = np.minimum(at, limits - at).min(0)
        beyond = max(float(-room.min()), 0.0)
        if beyond < 1e-6:
            return np.ones(room.shape, np.float32)
        # no wider than what is missing: frames that hardly move keep their borders
        width = max(min(self._follower.plan.feather, beyond), 1e-3)
        # splines err in the outermost pixel: the picture does not go on as its mirror image
        return smooth_step((room - 1) / width)


def _times(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return image * (weight if image.ndim == 2 else weight[..., None])
