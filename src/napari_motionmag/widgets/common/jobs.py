"""Work in the background: short pieces of which the last counts, and long ones with a progress bar.

Errors come back as values, to be shown once: raised in a worker they would be shown twice or,
RuntimeErrors among them, not at all.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from napari.qt.threading import create_worker
from qtpy.QtCore import QCoreApplication
from superqt.utils import ensure_main_thread

from napari_motionmag.widgets.common.pace import UNITS, paced


def in_background(function: Callable[[], object], done: Callable) -> None:
    """Run a function in a thread; then call ``done(result, error)`` on the main thread.

    For short pieces of work: at its end the program waits for them. napari's own workers are
    remembered until the window closes, with all they hold, and must not outlive it.
    """

    def run() -> None:
        try:
            outcome = function(), None
        except Exception as error:
            outcome = None, error
        if QCoreApplication.instance() is not None:
            ensure_main_thread(done)(*outcome)

    threading.Thread(target=run, name="napari-motionmag").start()


class Latest:
    """Runs functions one after another in the background; while one runs, only the last waits.

    Parameters
    ----------
    done : callable
        Called on the main thread as ``done(request, result, error)``; one of the last two is
        None. Not called for requests that were overtaken.
    """

    def __init__(self, done: Callable):
        self._done = done
        self._running = False
        self._waiting = None

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self._running

    def request(self, request, function: Callable) -> None:
        """Have ``function()`` run; `request` comes back with its result."""
        self._waiting = (request, function)
        if not self._running:
            self._start()

    def stop(self) -> None:
        """Forget what runs and what waits."""
        self._waiting = None
        self._done = None

    def _start(self) -> None:
        request, function = self._waiting
        self._waiting = None

        self._running = True
        in_background(function, lambda *outcome: self._returned(request, *outcome))

    def _returned(self, request, result, error) -> None:
        self._running = False
        if self._done is None:
            return
        if self._waiting is not None:
            self._start()
        else:
            self._done(request, result, error)


class Job:
    """A long piece of work with a progress bar in napari's activity dock.

    Parameters
    ----------
    begin : callable
        ``begin(cancelled)`` returns an iterator that does the work and tells how many steps are
        done. It raises `Cancelled` once the event `cancelled` is set.
    total : int
        Number of steps.
    title : str
        What the progress bar says.
    done : callable
        Called on the main thread as ``done(error, cancelled)`` when all is over.
    stepped : callable
        Called on the main thread, now and then, with what the iterator gave.
    warned : callable
        Called on the main thread with the arguments of `warnings.showwarning`, as a tuple.
    """

    def __init__(
        self,
        begin: Callable,
        total: int,
        title: str,
        done: Callable,
        stepped: Callable,
        warned: Callable,
    ):
        self._cancelled = threading.Event()
        self._done = done
        self._outcome = (None, True)  # when napari ends it, as it closes
        self._worker = create_worker(
            _outcome,
            paced(begin(self._cancelled), total),
            _progress={"total": UNITS, "desc": title},
        )
        self._worker.returned.connect(self._returned)
        self._worker.finished.connect(self._finished)
        self._worker.yielded.connect(stepped)
        with suppress(TypeError, RuntimeError):  # raised by Qt where there is no connection
            self._worker.warned.disconnect()  # napari may make a notification of each
        self._worker.warned.connect(warned)
        atexit.register(self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the step that is being done."""
        self._cancelled.set()

    def abandon(self) -> None:
        """Cancel, and tell nobody."""
        self._done = None
        self.cancel()

    def _returned(self, outcome) -> None:
        self._outcome = outcome

    def _end(self) -> None:
        """Wait for the worker as the program ends: it must not find Qt gone."""
        self.cancel()
        self._worker.await_workers()

    def _finished(self) -> None:
        atexit.unregister(self._end)
        done, self._done = self._done, None
        if done is not None:
            done(*self._outcome)


def _outcome(steps: Iterator):
    """Take all steps; return the error, and whether it was cancelled."""
    try:
        yield from steps
    except Cancelled:
        return None, True
    except Exception as error:
        return error, False
    return None, False


class Cancelled(Exception):
    """Raised inside work that was cancelled."""


def stoppable(steps: Iterator, cancelled: threading.Event) -> Iterator:
    """Yield from an iterator; raise `Cancelled` once the event is set."""
    for step in steps:
        if cancelled.is_set():
            raise Cancelled
        yield step


def steps_of(function: Callable, cancelled: threading.Event) -> Iterator[int]:
    """Make an iterator of a function that reports its progress.

    Parameters
    ----------
    function : callable
        Called in a thread of its own as ``function(progress)``; calls ``progress(done, total)``.
    cancelled : threading.Event
        Once it is set, the next of these calls raises `Cancelled`. Closing the iterator sets it.

    Yields
    ------
    int
        `done` of each call.
    """
    steps: queue.Queue = queue.Queue()

    def progress(done: int, total: int) -> None:
        if cancelled.is_set():
            raise Cancelled
        steps.put((done, None))

    def run() -> None:
        try:
            function(progress)
        except Exception as error:
            steps.put((None, error))
        finally:
            steps.put((None, None))

    thread = threading.Thread(target=run, name="napari-motionmag-job")
    thread.start()
    try:
        while True:
            done, error = steps.get()
            if error is not None:
                raise error
            if done is None:
                return
            yield done
    finally:
        cancelled.set()
        thread.join()
