"""The interface of every temporal operator, and the checks of their arguments."""

import math
import operator
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields, replace
from numbers import Real
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal import _apply


class TemporalOperator(ABC):
    """A linear operator along time, ``(T s)(t) = sum_k weights[k] * s[indices[k]]``.

    The operators are frozen dataclasses: hashable, comparable, safe to share between threads.
    Weights always sum to zero: what does not change is never selected.
    """

    name: ClassVar[str]
    """Short name, as used in recipes and for the argument ``filter`` of ``magnify``."""

    in_hz: ClassVar[bool] = True
    """Whether the operator is defined in Hz, and so needs `fps` before it can be used."""

    compares_frames: ClassVar[bool] = False
    """Whether ``(T s)(t)`` is `s(t)` less another frame or the mean of others."""

    label: ClassVar[str] = ""
    """Name in forms, of operators that the argument ``filter`` may name and `from_band` makes.

    What stands in brackets is left out where space is short."""

    summary: ClassVar[str] = ""
    """Explanation in forms, part of a sentence."""

    _registry: ClassVar[dict[str, type["TemporalOperator"]]] = {}

    fps: float | None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            TemporalOperator._registry[cls.name] = cls

    @classmethod
    def short_label(cls) -> str:
        """Return the label without brackets."""
        return cls.label.split(" (")[0]

    @classmethod
    def from_band(cls, low: float, high: float, fps: float) -> "TemporalOperator":
        """Make the operator for a band in Hz, with defaults for everything else."""
        return cls(low, high, fps)

    @property
    def band(self) -> tuple[float, float] | None:
        """The band in Hz; None for operators that have none."""
        return None

    @property
    def selection(self) -> str:
        """A few words for the names of layers, as ``"1-2 Hz"``."""
        return self.name

    def bind(self, fps: float) -> "TemporalOperator":
        """Return a copy for movies of `fps` frames per second; an earlier `fps` is replaced.

        Raises
        ------
        ValueError, TypeError
            `fps` is missing, not a positive finite number, or too low for the band.
        """
        return replace(self, fps=check_fps(fps))

    def row(self, t: int, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the frames and weights that make output frame `t`.

        Parameters
        ----------
        t : int
            Output frame, 0 to ``n_frames - 1``.
        n_frames : int
            Number of frames of the movie, at least 2.

        Returns
        -------
        indices : ndarray of int64, shape (k,)
            The frames that output `t` needs, distinct and increasing.
        weights : ndarray of float64, shape (k,)
            Their weights; they sum to zero. Where the operator gives exactly nothing (at the
            reference frame itself) the row is frame `t` with weight 0, so it is never empty.

        Raises
        ------
        ValueError, TypeError
            `t` is outside the movie, the movie is shorter than two frames, or `fps` is missing.
        """
        n_frames = check_int("n_frames", n_frames, 2)
        t = check_int("t", t, 0, n_frames - 1)
        self._require_fps()
        return self._row(t, n_frames)

    def needs(self, t: int, n_frames: int) -> np.ndarray:
        """Return the frames that output `t` needs: the indices of :meth:`row`."""
        return self.row(t, n_frames)[0]

    @property
    def support(self) -> tuple[int, int] | None:
        """Number of frames needed (before, after) the output frame, away from the ends.

        None where no fixed number is enough: the reference of `Static` may be anywhere, and
        recursive filters remember everything (their rows drop what weighs less than 1e-6).
        """
        return None

    def less_certain_frames(self, n_frames: int) -> tuple[range, range]:
        """Return outputs near the ends that are less sharp in frequency, or start with a delay.

        Parameters
        ----------
        n_frames : int
            Number of frames of the movie, at least 2.

        Returns
        -------
        first, last : range
            Frames for which more than 5 % of the weights of the filter lie outside of the movie.

        Examples
        --------
        >>> from napari_motionmag.temporal import FIR
        >>> FIR(2, 4, fps=30).less_certain_frames(64)
        (range(0, 10), range(54, 64))
        """
        n_frames = check_int("n_frames", n_frames, 2)
        self._require_fps()
        before, after = (min(reach, n_frames) for reach in self._reach(0.05))
        return range(before), range(max(n_frames - after, before), n_frames)

    def apply(self, x, axis: int = 0):
        """Filter an array along time.

        Parameters
        ----------
        x : array_like or dask array
            Real numbers, at least 2 frames along `axis`.
        axis : int
            The axis of time.

        Returns
        -------
        ndarray or dask array
            Same shape. Computed in float64 and returned as float32 for float32, float16 and
            integers up to 16 bit, otherwise as float64. For a dask array: lazy, same chunks; a
            chunk reads only the chunks of time that it needs, never the whole movie unless the
            operator itself reaches that far (recursive filters read the past, chunk by chunk).

        Raises
        ------
        ValueError, TypeError
            Complex or non-numeric `x`, fewer than 2 frames, an axis outside `x`, unknown chunk
            sizes, or `fps` is missing.

        Warns
        -----
        UserWarning
            `x` holds NaN or infinity: the time courses of these pixels are lost, others are not.
        """
        self._require_fps()
        if not isinstance(x, np.ndarray):
            import dask.array as da

            x = x if isinstance(x, da.Array) else np.asarray(x)
        axis = _apply.check_array(x, axis)
        return (
            self._apply_numpy(x, axis) if isinstance(x, np.ndarray) else self._apply_dask(x, axis)
        )

    def response(self, frequencies, fps: float | None = None) -> np.ndarray:
        """Return the complex gain for sinusoids, in the middle of a long movie.

        Parameters
        ----------
        frequencies : array_like of float
            In Hz.
        fps : float, optional
            Frames per second; needed when the operator is not bound, otherwise it takes the place
            of the operator's own.

        Returns
        -------
        ndarray of complex128
            Same shape as `frequencies`. ``exp(2j pi f t)`` comes out multiplied by it.
        """
        bound = self if fps is None else self.bind(fps)
        bound._require_fps()
        frequencies = np.asarray(frequencies)
        if frequencies.dtype.kind not in "iuf" or not np.isfinite(frequencies).all():
            raise ValueError(f"frequencies must be finite real numbers in Hz; got {frequencies!r}")
        return np.asarray(bound._response(frequencies.astype(np.float64)), dtype=np.complex128)

    def describe(self) -> str:
        """Return one line for people: layer names, logs, metadata."""
        return self._describe() + (f" at {self.fps:g} fps" if self.in_hz and self.fps else "")

    def too_slow_for(self, n: int) -> str:
        """Say so where n frames last less than a period of the slowest motion selected, or ""."""
        low = self.band[0] if self.band else getattr(self, "frequency", None)
        if low is None or self.fps is None or low * n >= self.fps * 0.99:
            return ""
        return (
            f"the {n} frames last {n / self.fps:.4g} s at {self.fps:g} fps, less than a period of "
            f"{low:g} Hz, {1 / low:.4g} s: motion so slow cannot be told from drift; the band "
            f"should begin at {self.fps / n:.4g} Hz or above"
        )

    def to_dict(self) -> dict:
        """Return plain JSON types, from which :meth:`from_dict` makes the operator again."""
        recipe = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"operator": self.name, **recipe}

    @staticmethod
    def from_dict(recipe: dict) -> "TemporalOperator":
        """Make an operator from a recipe written by :meth:`to_dict`.

        Raises
        ------
        ValueError
            Unknown operator, or arguments that this operator does not have, or lacks.
        """
        arguments = dict(recipe)
        name = arguments.pop("operator", None)
        cls = TemporalOperator._registry.get(name) if isinstance(name, str) else None
        if cls is None:
            known = ", ".join(sorted(TemporalOperator._registry))
            raise ValueError(f"recipe['operator'] must be one of {known}; got {name!r}")
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(arguments) - set(known)):
            raise ValueError(f"recipe of {name!r} has unknown entries {unknown}; allowed: {known}")
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        if missing := [entry for entry in needed if entry not in arguments]:
            raise ValueError(f"recipe of {name!r} has no entries {missing}")
        return cls._from_recipe(arguments)

    # ---- for operators ------------------------------------------------------------------------

    def _set(self, **values) -> None:
        """Set fields of the frozen instance, from `__post_init__`."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_fps(self) -> None:
        """Check the frame rate, if there is one."""
        if self.fps is not None:
            self._set(fps=check_fps(self.fps))

    # ---- what an operator defines -------------------------------------------------------------

    @classmethod
    def _from_recipe(cls, arguments: dict) -> "TemporalOperator":
        return cls(**arguments)

    @abstractmethod
    def _row(self, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return :meth:`row` without the checks; the arrays are the caller's own."""

    @abstractmethod
    def _response(self, frequencies: np.ndarray) -> np.ndarray:
        """Return :meth:`response` of the bound operator."""

    @abstractmethod
    def _describe(self) -> str:
        """Return :meth:`describe` without the frame rate."""

    def _reach(self, share: float) -> tuple[int, int]:
        """Return frames before and after the output that hold all but `share` of the weights."""
        return 0, 0

    def _window(self, start: int, stop: int, n: int) -> tuple[int, int]:
        """Return the range of frames that outputs ``start..stop-1`` of `n` frames need."""
        return 0, n

    @abstractmethod
    def _filter(self, frames: np.ndarray, first: int, start: int, stop: int, n: int) -> np.ndarray:
        """Return outputs ``start..stop-1`` from frames `first` and on, which may be overwritten."""

    def _apply_numpy(self, x: np.ndarray, axis: int) -> np.ndarray:
        n = x.shape[axis]
        return _apply.filter_array(self, x, axis, 0, 0, n, n)

    def _apply_dask(self, x, axis: int):
        return _apply.filter_dask(self, x, axis)

    def _require_fps(self) -> None:
        if self.in_hz and self.fps is None:
            raise ValueError(
                f"fps is missing: {self.describe()} is defined in Hz; "
                "give fps=... or use .bind(fps) first"
            )


@dataclass(frozen=True)
class BandPass(TemporalOperator):
    """Base of operators that select a band of frequencies.

    Parameters
    ----------
    low, high : float
        The band in Hz, ``0 < low < high <= fps / 2``.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.
    """

    low: float
    high: float
    fps: float | None = None

    def __post_init__(self):
        self._check_fps()
        low, high = check_band(self.low, self.high, self.fps)
        self._set(low=low, high=high)

    @property
    def band(self):
        return self.low, self.high

    @property
    def selection(self):
        return f"{self.low:g}-{self.high:g} Hz"


# ---- checks of arguments ----


def check_number(name: str, value) -> float:
    """Return `value` as a finite float, or say what is wrong with the argument `name`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {value!r}")
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value!r}")
    return value


def check_int(name: str, value, minimum: int, maximum: int | None = None) -> int:
    """Return `value` as an int within ``minimum..maximum``."""
    try:
        if isinstance(value, bool):
            raise TypeError
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {value!r}") from None
    if value < minimum or (maximum is not None and value > maximum):
        allowed = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
        raise ValueError(f"{name} must be {allowed}; got {value}")
    return value


def check_fps(fps) -> float:
    """Return `fps` as a positive finite float, in frames per second."""
    if fps is None:
        raise ValueError("fps is missing; give the frames per second, a positive number")
    fps = check_number("fps", fps)
    if fps <= 0:
        raise ValueError(f"fps must be positive, in frames per second; got {fps:g}")
    return fps


def check_nyquist(what: str, frequency: float, fps: float) -> None:
    """Refuse a frequency, which belongs into "{}" of `what`, that frames cannot show."""
    # a little slack, so that band=(low, fps / 2) survives rounding
    if frequency > fps / 2 * (1 + 1e-9):
        digits = 6 if f"{frequency:g}" != f"{fps / 2:g}" else 12
        raise ValueError(
            f"{what.format(f'{frequency:.{digits}g}')} goes beyond the Nyquist frequency fps / 2 = "
            f"{fps / 2:.{digits}g} Hz "
            f"(fps = {fps:g}); choose frequencies up to that"
        )


def check_band(low, high, fps: float | None) -> tuple[float, float]:
    """Return the band as floats: 0 < low < high <= fps / 2, in Hz."""
    low, high = check_number("low", low), check_number("high", high)
    if low <= 0:
        raise ValueError(
            f"low must be above 0 Hz; got {low:g}: frequency 0 is the still picture, which is "
            "never magnified (use mode='static' to select every change)"
        )
    if high <= low:
        raise ValueError(
            f"band must be (low, high) with low < high, in Hz; got ({low:g}, {high:g})"
        )
    if fps is not None:
        check_nyquist(f"band ({low:g}, {{}}) Hz", high, fps)
    return low, high
