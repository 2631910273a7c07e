"""Which magnification is behind a lazy array.

Frames can be asked of a magnification many at a time, which share most of the work; the blocks of
its dask array cannot.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

_MADE: WeakValueDictionary = WeakValueDictionary()  # name of a dask array -> what makes its blocks


def remember(name: str, magnification) -> None:
    """Note what makes the blocks of the array of this name, as long as it lives."""
    _MADE[name] = magnification


def magnification_of(array):
    """Return the `Magnification` behind a lazy result made in this process; None for others."""
    return _MADE.get(getattr(array, "name", None))
