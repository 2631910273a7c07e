"""Plain values and calls as Python source."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping

import numpy as np

LONGEST_LINE = 88


def plain(value, write: Callable[[object], str]) -> str:
    """Write None, a truth value, number, text, path or slice, or a list, tuple or dict.

    Parameters
    ----------
    value : object
        NumPy's scalars become Python's.
    write : callable
        Writes what is in it.

    Raises
    ------
    TypeError
        When the value is something else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, str | os.PathLike):
        return quoted(os.fspath(value))
    if isinstance(value, slice):
        ends = [value.start, value.stop, value.step]
        if value.step is None:
            ends.pop()
        return f"slice({', '.join(map(write, ends))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{write(key)}: {write(v)}' for key, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(write, value))}]"
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(write, value))}{comma})"
    raise TypeError(f"a {type(value).__name__} cannot be written into a script: {value!r}")


def fitted(start: str, arguments: list[str]) -> str:
    """Return a call in one line or, where that is too long, with a line for each argument."""
    line = f"{start}({', '.join(arguments)})"
    if len(line) <= LONGEST_LINE or len(arguments) < 2:
        return line
    return "\n".join([f"{start}(", *(f"    {argument}," for argument in arguments), ")"])


def quoted(text: str) -> str:
    """Return text in double quotes where repr has single ones."""
    written = repr(text)
    if written[0] == "'" and '"' not in written:
        return f'"{written[1:-1]}"'
    return written
