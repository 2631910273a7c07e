"""Checks of arguments, and the errors and warnings about them."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from reprlib import repr as shortened


def as_scalar(value):
    """Return the number in an array of no axes; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def checked_flag(name: str, value) -> bool:
    """Return True or False; TypeError for anything else."""
    value = as_scalar(value)
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {shortened(value)}")
    return value


def checked_text(name: str, value) -> str:
    """Return a text; TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, got {shortened(value)}")
    return str(value)


def finite_number(name: str, value, most: float = math.inf) -> float:
    """Return a number as a float; `most` bounds its size."""
    value = as_scalar(value)
    if not _is_number(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or abs(number) > most:
        allowed = "" if most == math.inf else f"; from {-most:g} to {most:g} is allowed"
        raise ValueError(f"{name} must be finite, got {shortened(value)}{allowed}")
    return number


def one_of(name: str, value, allowed) -> None:
    """Refuse a value that is not among those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")


def whole_number(name: str, value, least: int, most: float = math.inf) -> int:
    """Return a whole number of at least `least` and at most `most`."""
    value = as_scalar(value)
    is_whole = isinstance(value, Integral) or (isinstance(value, Real) and value % 1 == 0)
    if isinstance(value, bool) or not is_whole or not least <= value <= most:
        range_ = f"from {least} up" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {range_}; got {value!r}")
    return int(value)


def is_list(value, length: int) -> bool:
    """Whether a value is a list, tuple or array of a length; text is none."""
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return (is_sequence or getattr(value, "ndim", 0) > 0) and len(value) == length


def above_zero(name: str, value, unit: str = "") -> float:
    """Return a finite number above 0, in `unit`."""
    value = as_scalar(value)
    try:
        number = float(value) if _is_number(value) else math.nan
    except OverflowError:
        number = math.inf
    if not 0 < number < math.inf:
        raise ValueError(
            f"{name} must be a finite number above 0{unit and ' ' + unit}, got {value!r}"
        )
    return number


def existing_file(name: str, path: str | os.PathLike) -> Path:
    """Return the path of a file that is there; FileNotFoundError or IsADirectoryError if none."""
    path, start = Path(path), f"{name}: " if name else ""
    if not path.exists():
        raise FileNotFoundError(f"{start}{path}: there is no such file")
    if path.is_dir():
        raise IsADirectoryError(f"{start}{path}: is a folder, not a file")
    return path


def error_text(error: BaseException) -> str:
    """Return the message of an error; of one of the operating system "path: what is wrong"."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def npy_error_text(error: Exception) -> str:
    """Return the message of an error of `numpy.load` without the arguments that it names."""
    unknown = "pickle" in str(error)
    return "it is no NumPy file, or holds Python objects" if unknown else str(error)


def rounded(value: float, digits: int) -> str:
    """Write a number with `digits` significant digits, and without an exponent up to a million."""
    return f"{float(f'{value:.{digits}g}'):.{max(digits, 6)}g}"


def told_apart(value: float, other: float, digits: int) -> tuple[str, str]:
    """Write two numbers with `digits` digits, or as many more as it takes to tell them apart."""
    enough = (n for n in range(digits, 17) if rounded(value, n) != rounded(other, n))
    digits = digits if value == other else next(enough, 17)
    return rounded(value, digits), rounded(other, digits)


def warn_user(message: str) -> None:
    """Warn on behalf of the first caller outside this package."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def same_kind(error: Exception, message: str) -> ValueError | TypeError:
    """Return an error of the same kind, TypeError or ValueError, with another message.

    Subclasses such as UnicodeDecodeError cannot be made of a message alone.
    """
    return (TypeError if isinstance(error, TypeError) else ValueError)(message)
