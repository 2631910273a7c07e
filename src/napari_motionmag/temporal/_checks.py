"""Checks of arguments shared by the temporal operators."""

import math
import operator
from numbers import Real


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
    """Refuse a frequency that frames taken at `fps` cannot show."""
    # a little slack, so that band=(low, fps / 2) survives rounding
    if frequency > fps / 2 * (1 + 1e-9):
        raise ValueError(
            f"{what} goes beyond the Nyquist frequency fps / 2 = {fps / 2:g} Hz "
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
        check_nyquist(f"band ({low:g}, {high:g}) Hz", high, fps)
    return low, high


def check_frame(t, n_frames) -> tuple[int, int]:
    """Return frame number and number of frames as ints; the frame must lie in the movie."""
    n_frames = check_int("n_frames", n_frames, 2)
    return check_int("t", t, 0, n_frames - 1), n_frames
