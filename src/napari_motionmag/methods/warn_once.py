"""Warnings that are issued once for a magnification, not once for each frame."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Hashable

__all__ = ["WarnOnce", "warn_once"]


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
            if kind in self._issued:
                return False
            self._issued.add(kind)
            return True

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
