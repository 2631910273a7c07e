"""What all methods share: the interface, checks of arguments, warnings; and making one by name."""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.compute.device import load_torch
from napari_motionmag.compute.validate import finite_number
from napari_motionmag.methods.options import METHOD_CLASSES, MethodOptions, option_names

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator


class Method(ABC):
    """Magnifies the motion that a temporal operator selects.

    Attributes
    ----------
    name : str
        Name in arguments and messages.
    smallest_frame : int
        Shortest side of frames that the method can work on, px.
    """

    name: str
    smallest_frame: int = 2

    def magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: Iterable[int],
        factor: float | np.ndarray,
    ) -> np.ndarray:
        """Multiply the motion that a temporal operator selects.

        Parameters
        ----------
        frames : sequence of numpy.ndarray
            ``frames[i]`` -> (Y, X) or (Y, X, 3), black 0, white 1, not clipped. Each frame that
            is needed is read once: those that the operator names for `times`, and `times`. With
            the attributes of `FrameSource` a method keeps what it made of them for later calls, in
            ``cache`` under ``series`` and ``key(t)``, as far as ``fits`` allows; with ``warned``, a
            `WarnOnce`, each warning is issued once.
        operator : TemporalOperator
            Bound operator; ``row(t, n)`` names the frames and weights of output frame t.
        times : iterable of int
            Output frames; neighbors share work.
        factor : float or numpy.ndarray
            Total gain m of the selected motion: 1 leaves, 0 removes, negative mirrors it. An array
            (Y, X) has one for each pixel.

        Returns
        -------
        numpy.ndarray
            float32, (len(times), Y, X) or (len(times), Y, X, 3).

        Raises
        ------
        TypeError, ValueError
            If `factor` is not finite or an array of another size than the frames, `times` is empty
            or out of range, or frames differ in shape, are too small, or lack what the method
            needs.

        Warns
        -----
        UserWarning
            If the requested motion is more than the method can carry, if frames hold values that
            are not finite, or if a GPU runs out of memory and the work goes on with less.
        """
        times = checked_times(times, len(frames))
        order = sorted(set(times))
        if isinstance(factor, np.ndarray):
            factor = _checked_map(factor, np.shape(frames[order[0]])[:2])
        else:
            factor = finite_number("factor", factor)
        if np.all(factor == 1):
            drawn = np.stack([np.asarray(frames[t], dtype=np.float32) for t in order])
        else:
            drawn = self._magnify(frames, operator, order, factor)
        return drawn if times == order else drawn[np.searchsorted(order, times)]

    def preparations(self) -> list[tuple[str, Callable[[], object]]]:
        """Return what the first frame has to wait for, as (what it is, function), in order.

        All of it is done on the way to a frame anyway, and again takes no time.
        """
        return []

    def between(self, frames: Sequence[np.ndarray], before: int, share: float) -> np.ndarray:
        """Draw what lies between frame `before` and the next, at a share of the way, in float32."""
        from napari_motionmag.temporal import Static

        # each neighbor is moved towards the other: of the motion from there, a share is left
        first = self.magnify(frames, Static(before + 1), [before], 1 - share)[0]
        second = self.magnify(frames, Static(before), [before + 1], share)[0]
        return first + np.float32(share) * (second - first)

    @abstractmethod
    def _magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        factor: float | np.ndarray,
    ) -> np.ndarray:
        """Draw frames for `times`, which increase, and a finite `factor`, or (Y, X) factors."""


def strongest(factor: float | np.ndarray) -> float:
    """Return a factor, of a map the one that changes the motion most."""
    if not isinstance(factor, np.ndarray):
        return factor
    return float(factor.flat[np.abs(factor - 1).argmax()])


def _checked_map(factor: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if factor.shape != shape or not np.isfinite(factor).all():
        raise ValueError(
            f"factor must be a number, or finite numbers of shape {shape}; got an array of shape "
            f"{factor.shape}"
        )
    return factor.astype(np.float32, copy=False)


def check_size(what: str, shape: Sequence[int], least: int, who: str) -> None:
    """Refuse frames, (Y, X, ...) = `shape`, that are too small for a method."""
    if min(shape[:2]) < least:
        raise ValueError(
            f"{what} must be at least {least} x {least} px for {who}, "
            f"got {shape[0]} x {shape[1]} (Y x X)"
        )


def checked_times(times: Iterable[int], n_frames: int) -> list[int]:
    """Return output frames as ints; ValueError unless there are some and all lie in the movie."""
    times = [int(t) for t in times]
    if not times:
        raise ValueError("times must name at least one frame, got none")
    if min(times) < 0 or max(times) >= n_frames:
        raise ValueError(
            f"times must be within 0 to {n_frames - 1}, got {min(times)} to {max(times)}"
        )
    return times


class WarnOnce:
    """Remembers which warnings were issued, so that each is issued once.

    Thread-safe; pickled copies start empty.
    """

    def __init__(self):
        self._issued: set[Hashable] = set()
        self._lock = threading.Lock()

    def first(self, kind: Hashable) -> bool:
        """Whether this is the first request for a warning of this kind."""
        with self._lock:
            known = kind in self._issued
            self._issued.add(kind)
        return not known

    def __reduce__(self):
        return WarnOnce, ()


def warn_once(frames, kind: Hashable, message: str, stacklevel: int = 2) -> None:
    """Warn, once per kind if `frames` has a `WarnOnce` as attribute ``warned``, else always."""
    warned = getattr(frames, "warned", None)
    if warned is not None:
        if not warned.first(kind):
            return
        message += " (said once, for the first such frame)"
    warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


# ---- making a method by its name ----


def _make(declaration: type[MethodOptions], model, device, precision, tile, options) -> Method:
    name, shared = declaration.name, declaration.shared
    if options and (unknown := sorted(set(options) - set(option_names(name)))):
        raise TypeError(
            f"magnify() got unknown arguments {unknown}; "
            f"method {name!r} takes also {option_names(name)}"
        )
    arguments = {"model": model, "device": device, "precision": precision, "tile": tile}
    for argument, default in (("model", "default"), ("tile", None)):
        if argument not in shared and arguments[argument] not in (default, None):
            only = {argument: arguments[argument]}
            raise ValueError(f"only the learned method takes {only}; leave it out")
    if "tile" not in shared:  # a classical method
        if precision not in (None, "float32", "float64"):
            raise ValueError(
                f"precision must be 'float32' or 'float64' for this method, got {precision!r}"
            )
        arguments["precision"] = precision or "float32"
        if "device" in shared:
            load_torch()
    module, cls = declaration.implementation.split(":")
    kind = getattr(import_module(f"napari_motionmag.methods.{module}"), cls)
    return kind(**{shared[argument]: arguments[argument] for argument in shared}, **options)


METHODS: dict[str, Callable[..., Method]] = {
    name: partial(_make, declaration) for name, declaration in METHOD_CLASSES.items()
}
"""Name -> callable that makes the method of (model, device, precision, tile, its own options)."""


def make_method(name: str, model, device, precision, tile, options: dict) -> Method:
    """Make a method of arguments of `magnify`; TypeError or ValueError if it lacks one."""
    if name not in list(METHODS):
        raise ValueError(f"method must be one of {list(METHODS)}, got {name!r}")
    return METHODS[name](model, device, precision, tile, options)
