"""Work in the background of which the last wish counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from napari_motionmag.widgets.common.jobs import Cancelled, Job, in_background


class Runner:
    """Does the last of what it was asked to do; what was begun before is cancelled.

    Parameters
    ----------
    busy : callable
        Called with True when long work begins and with False when it is over.
    warned : callable
        Called as ``warned(place, text)`` when the work warns.
    """

    def __init__(self, busy: Callable[[bool], object], warned: Callable):
        self._busy, self._warned = busy, warned
        self._waiting: tuple | None = None
        self._stop: Callable[[], object] | None = None
        self._closed = False

    @property
    def working(self) -> bool:
        """Whether work is in progress."""
        return self._stop is not None

    def request(
        self,
        begin: Callable,
        done: Callable,
        stepped: Callable,
        *,
        total: int,
        title: str,
        quick: bool = False,
    ) -> None:
        """Begin this as soon as can be.

        Parameters
        ----------
        begin : callable
            ``begin(cancelled)`` returns an iterator that does the work, a step at a time, and
            raises `Cancelled` once the event is set.
        done : callable
            Called on the main thread as ``done(error, cancelled)``; not called for work that was
            overtaken.
        stepped : callable
            Called on the main thread with what the iterator gives; not for quick work.
        total : int
            Number of steps.
        title : str
            What the progress bar says.
        quick : bool
            Without a progress bar.
        """
        self._waiting = (begin, done, stepped, total, title, quick)
        if self._stop is None:
            self._start()
        else:
            self._stop()

    def cancel(self) -> None:
        """Stop; `done` is told."""
        self._waiting = None
        if self._stop is not None:
            self._stop()

    def close(self) -> None:
        """Stop, and tell nobody."""
        self._closed = True
        self.cancel()

    def _start(self) -> None:
        begin, done, stepped, total, title, quick = self._waiting
        self._waiting = None

        def over(error, cancelled):
            self._stop = None
            if self._closed:
                return
            if not quick:
                self._busy(False)
            if self._waiting is not None:
                self._start()
            else:
                done(error, cancelled)

        if quick:
            event = threading.Event()
            self._stop = event.set
            in_background(lambda: _exhaust(begin(event)), lambda _, error: over(*_sorted(error)))
            return
        self._busy(True)
        job = Job(
            begin,
            total,
            title,
            over,
            lambda step: None if self._closed else stepped(step),
            lambda arguments: self._warned(tuple(arguments[1:4]), str(arguments[0])),
        )
        self._stop = job.cancel


def _exhaust(steps: Iterator) -> None:
    for _ in steps:
        pass


def _sorted(error) -> tuple:
    return (None, True) if isinstance(error, Cancelled) else (error, False)
