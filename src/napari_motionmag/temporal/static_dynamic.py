"""Operators that compare two moments: static and dynamic."""

import operator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal import _apply
from napari_motionmag.temporal.base import TemporalOperator, check_fps, check_int


@dataclass(frozen=True)
class Static(TemporalOperator):
    """Difference to a reference, ``s(t) - s(reference)``: every change since then is selected.

    Parameters
    ----------
    reference : int, slice or sequence of int
        The reference frame, or frames to average: over N frames the noise of the reference falls
        as 1/N in variance. Negative numbers count from the end. A frame named twice counts twice.
    fps : float, optional
        Not needed; kept for the record.

    Raises
    ------
    TypeError, ValueError
        `reference` is something else or empty; or, when used, lies outside the movie. The ends of a
        slice are not clipped to the movie either.
    """

    name: ClassVar[str] = "static"
    in_hz: ClassVar[bool] = False
    compares_frames: ClassVar[bool] = True

    reference: int | slice | tuple[int, ...] = 0
    fps: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        self._set(reference=_check_reference(self.reference))
        self._check_fps()

    def __hash__(self):
        # slices have no hash before Python 3.12
        return hash((repr(self.reference), self.fps))

    def frames(self, n_frames: int) -> np.ndarray:
        """Return the reference frames in a movie of `n_frames`, increasing."""
        return _resolve(self, check_int("n_frames", n_frames, 2)).copy()

    def to_dict(self) -> dict:
        recipe = super().to_dict()
        if isinstance(self.reference, slice):
            recipe["reference"] = {
                "slice": [self.reference.start, self.reference.stop, self.reference.step]
            }
        elif isinstance(self.reference, tuple):
            recipe["reference"] = list(self.reference)
        return recipe

    @classmethod
    def _from_recipe(cls, arguments):
        reference = arguments.get("reference", 0)
        if isinstance(reference, dict):
            ends = reference.get("slice")
            if not isinstance(ends, list | tuple) or len(ends) != 3:
                raise ValueError(
                    f"recipe of 'static': reference must be a slice of three, got {reference!r}"
                )
            arguments = {**arguments, "reference": slice(*ends)}
        return cls(**arguments)

    def _describe(self):
        if isinstance(self.reference, int):
            return f"static, reference frame {self.reference}"
        if isinstance(self.reference, slice):
            return f"static, reference mean of frames {_written(self.reference)}"
        shown = ", ".join(map(str, self.reference[:6]))
        more = f", ... ({len(self.reference)} frames)" if len(self.reference) > 6 else ""
        return f"static, reference mean of frames {shown}{more}"

    def _row(self, t, n):
        indices, weights = _reference_row(self, n)
        at = int(np.searchsorted(indices, t))
        if at == len(indices) or indices[at] != t:
            parts = (
                (indices[:at], np.array([t], dtype=np.int64), indices[at:]),
                (weights[:at], [1.0], weights[at:]),
            )
            return np.concatenate(parts[0]), np.concatenate(parts[1])
        weights = weights.copy()
        weights[at] += 1.0
        return indices.copy(), weights

    def _response(self, frequencies):
        return np.where(frequencies == 0, 0.0, 1.0)

    def _filter(self, frames, first, start, stop, n):
        reference = frames[_resolve(self, n) - first].mean(axis=0)
        return frames[start - first : stop - first] - reference

    def _apply_dask(self, x, axis):
        import dask.array as da

        at = _resolve(self, x.shape[axis])
        if len(at) == 1 or (np.diff(at) == 1).all():
            at = slice(int(at[0]), int(at[-1]) + 1)
        chosen = x[(slice(None),) * axis + (at,)] if isinstance(at, slice) else da.take(x, at, axis)
        reference = chosen.astype(np.float64).mean(axis=axis, keepdims=True)
        dtype = _apply.float_dtype(x.dtype)
        return da.map_blocks(_apply.subtract_block, x, reference, dtype=dtype)


@dataclass(frozen=True)
class Dynamic(TemporalOperator):
    """Difference to the recent past, ``s(t) - s(t - lag)``: velocity is selected.

    The first `lag` frames are compared with frame 0. The gain is ``2 |sin(pi f lag / fps)|``.

    Parameters
    ----------
    lag : int
        Number of frames, at least 1.
    fps : float, optional
        Needed for :meth:`response` only.
    """

    name: ClassVar[str] = "dynamic"
    in_hz: ClassVar[bool] = False
    compares_frames: ClassVar[bool] = True

    lag: int = 1
    fps: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        self._set(lag=check_int("lag", self.lag, 1))
        self._check_fps()

    @property
    def support(self):
        return self.lag, 0

    def _describe(self):
        return f"dynamic, lag {self.lag} frame{'s' if self.lag > 1 else ''}"

    def _row(self, t, n):
        past = max(t - self.lag, 0)
        if past == t:
            return np.array([t], dtype=np.int64), np.array([0.0])
        return np.array([past, t], dtype=np.int64), np.array([-1.0, 1.0])

    def _response(self, frequencies):
        fps = check_fps(self.fps)
        return 1 - np.exp(-2j * np.pi * frequencies * self.lag / fps)

    def _window(self, start, stop, n):
        return max(start - self.lag, 0), stop

    def _filter(self, frames, first, start, stop, n):
        past = np.maximum(np.arange(start, stop) - self.lag, 0)
        return frames[start - first : stop - first] - frames[past - first]


def _check_reference(reference) -> int | slice | tuple[int, ...]:
    """Return the reference in its hashable form."""
    wanted = "reference must be a frame number, a slice, or a list of frame numbers"
    if isinstance(reference, slice):
        ends = (reference.start, reference.stop, reference.step)
        try:
            return slice(*(None if end is None else _index(end) for end in ends))
        except TypeError:
            raise TypeError(f"{wanted}; got {reference!r}") from None
    try:
        if hasattr(reference, "__iter__"):
            reference = tuple(_index(frame) for frame in reference)
        else:
            return _index(reference)
    except TypeError:
        raise TypeError(f"{wanted}; got {reference!r}") from None
    if not reference:
        raise ValueError(f"{wanted}; got an empty list")
    return reference


def _index(value) -> int:
    if isinstance(value, (bool, np.bool_)):  # a mask is not a list of frames
        raise TypeError
    return operator.index(value)


@lru_cache(maxsize=64)
def _resolve(op: Static, n: int) -> np.ndarray:
    """Return reference frames within ``0..n-1``, sorted, with repeats; do not write to them."""
    if isinstance(op.reference, slice):
        start, stop, step = op.reference.start, op.reference.stop, op.reference.step
        outside = (start is not None and not -n <= start < n) or (
            stop is not None and not -n - 1 <= stop <= n
        )
        frames = [] if outside or step == 0 else sorted(range(n)[op.reference])
        if not frames:
            raise ValueError(
                f"reference must select frames of the movie and not go beyond its {n} frames, got "
                f"{_written(op.reference)}"
            )
        return np.array(frames, dtype=np.int64)
    chosen = op.reference if isinstance(op.reference, tuple) else (op.reference,)
    outside = [frame for frame in chosen if not -n <= frame < n]
    if outside:
        raise ValueError(
            f"reference {outside[0]} is outside the movie; it has {n} frames, "
            f"so {-n} to {n - 1} are allowed"
        )
    return np.sort(np.array(chosen, dtype=np.int64) % n)


def _written(frames: slice) -> str:
    """Write a slice as in brackets: ``2:5``."""
    ends = [frames.start, frames.stop, frames.step]
    text = ":".join("" if end is None else str(end) for end in ends)
    return text if frames.step else text[:-1]


@lru_cache(maxsize=64)
def _reference_row(op: Static, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return reference frames and their (negative) weights. Do not write to the result."""
    indices, counts = np.unique(_resolve(op, n), return_counts=True)
    return indices, -counts / counts.sum()
