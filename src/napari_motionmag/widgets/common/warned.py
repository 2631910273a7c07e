"""Warnings of the methods, told once for each result.

A method may warn at every frame, with other numbers each time, and napari makes a notification of
each. `warnings.catch_warnings` would catch them, but is not safe in threads: it may leave behind
the handler of another thread. Here a handler that is like napari's own takes its place, and stays
like it for all but the threads that are drawing.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari.utils.notifications import notification_manager

_here = threading.local()


def _show(message, category, filename, lineno, file=None, line=None) -> None:
    sink = getattr(_here, "sink", None)
    if sink is None:
        notification_manager.receive_warning(message, category, filename, lineno, file, line)
    else:
        sink(message, category, filename, lineno)


@contextmanager
def warnings_to(sink: Callable) -> Iterator[None]:
    """Give the warnings of this thread to ``sink(message, category, filename, lineno)``.

    Only where napari would make notifications of them; elsewhere they go where they went.
    """
    if warnings.showwarning == notification_manager.receive_warning:
        warnings.showwarning = _show
    before = getattr(_here, "sink", None)
    _here.sink = sink
    try:
        yield
    finally:
        _here.sink = before
