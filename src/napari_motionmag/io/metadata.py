"""What files say is data: wrong metadata are left out, damage becomes one line with the path."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming_damage(path: Path, problem: str) -> Iterator[None]:
    """Turn what a library raises for damaged bytes into an error of one line with the path."""
    try:
        yield
    except (ImportError, Warning):
        raise
    except MemoryError as error:
        raise MemoryError(
            f"{path}: {problem}: it needs more memory than there is, or is damaged"
        ) from error
    except Exception as error:  # libraries raise whatever damaged bytes lead them to
        text = " ".join(str(error).split())
        named = isinstance(error, ValueError) and text.startswith(str(path))
        if named or (isinstance(error, OSError) and error.filename is not None):
            raise
        raise ValueError(f"{path}: {problem}: {type(error).__name__}: {text}") from error


def positive_number(path: Path, name: str, text) -> float | None:
    """Return a number above 0 from metadata, or None, with a warning where it is something else.

    Some programs write a comma for the decimal point.
    """
    if text is None:
        return None
    plain = text.strip() if isinstance(text, str) else text
    if isinstance(plain, str) and plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        number = float(plain)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number) and number > 0 and math.isfinite(1 / number):
        return number
    warnings.warn(
        f"{path}: {name}={text!r} is no finite number above 0; it is left out", stacklevel=3
    )
    return None


def calibration_of(path: Path, read: Callable[[], dict]) -> dict:
    """Return what `read` returns, or nothing, with a warning, where metadata cannot be read."""
    try:
        return read()
    except (MemoryError, Warning):
        raise
    except Exception as error:  # whatever metadata lead to, pixels are not lost for it
        warnings.warn(
            f"{path}: its calibration cannot be read ({type(error).__name__}: {error}) and is "
            "left out",
            stacklevel=3,
        )
        return {}
