"""Background jobs: the newest wins; progress, cancel, and errors and warnings reported once.

Errors come back as values: raised in a worker they would be shown twice or, RuntimeErrors among
them, not at all.
"""

from __future__ import annotations

import atexit
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from napari.utils.progress import progress as progress_bar
from qtpy.QtCore import QCoreApplication, QObject, Signal, Slot

from napari_motionmag.widgets.common.messages import warnings_to

UPDATE_SECONDS = 0.2  # between two updates of a progress bar, each of which paints the window
PERCENT = 100
SETTLED_SECONDS = 2.0  # until the time left is worth telling


class Cancelled(Exception):
    """Raised inside a job that was cancelled."""


def throttled(function: Callable, seconds: float) -> Callable:
    """Return a function that calls another at most once in a while, and ignores other calls."""
    last = -float("inf")

    def call(*arguments) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            function(*arguments)

    return call


class TimeLeft:
    """Says how far a long job is: ``"42 %, 1:05 left"``."""

    def __init__(self):
        self._begun = time.monotonic()

    def __call__(self, done: int, total: int) -> str:
        text = f"{100 * done // max(total, 1)} %"
        elapsed = time.monotonic() - self._begun
        left = elapsed * (total - done) / max(done, 1)
        if elapsed < SETTLED_SECONDS or left < 1:
            return text
        minutes, seconds = divmod(round(left), 60)
        return f"{text}, {f'{minutes}:{seconds:02}' if minutes else f'{seconds} s'} left"


class Job:
    """Work in a thread, with a progress bar in napari's activity dock unless it is quiet.

    ``work(progress)`` calls ``progress(done, total)`` after each step, which raises `Cancelled`
    once the job is cancelled. The other functions are called on the main thread:
    ``done(error, cancelled)`` at the end, ``stepped(done, total)`` now and then, and
    ``warned(place, text)`` with each warning; see `warnings_to`.
    """

    def __init__(
        self,
        work: Callable,
        title: str,
        done: Callable,
        stepped: Callable | None = None,
        warned: Callable | None = None,
        quiet: bool = False,
    ):
        self._work, self._done, self._stepped, self._warned = work, done, stepped, warned
        self._cancelled = threading.Event()
        self._step = (0, 1)
        self._finished = False
        self._updating = False  # napari handles events while a bar moves: one update at a time
        self._post = throttled(lambda: on_main_thread(self._update), UPDATE_SECONDS)
        self._bar = None if quiet else progress_bar(total=PERCENT, desc=title, gui=True)
        with warnings.catch_warnings():
            pass  # makes Python forget which warnings it has shown
        self._thread = threading.Thread(target=self._run, name="napari-motionmag-job", daemon=True)
        atexit.register(self._wait)
        _main_thread()
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the step in progress."""
        self._cancelled.set()

    def _run(self) -> None:
        outcome = None, False
        try:
            with warnings_to(self._warn):
                self._work(self._progress)
        except Cancelled:
            outcome = None, True
        except Exception as error:
            outcome = error, False
        on_main_thread(self._finish, *outcome)

    def _progress(self, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self._step = done, total
        if not self._updating:
            self._post()

    def _warn(self, place: tuple, text: str) -> None:
        on_main_thread(lambda: self._warned and self._warned(place, text))

    def _update(self) -> None:
        if self._updating or self._finished:
            return
        self._updating = True
        try:
            done, total = self._step
            if self._stepped is not None:
                self._stepped(done, total)
            if self._bar is not None and not self._finished:
                self._bar.update(PERCENT * done // max(total, 1) - self._bar.n)
        finally:
            self._updating = False

    def _finish(self, error: Exception | None, cancelled: bool) -> None:
        atexit.unregister(self._wait)
        self._finished = True
        if self._bar is not None:
            with suppress(RuntimeError, KeyError):  # its window may be gone already
                self._bar.close()
        self._done(error, cancelled)

    def _wait(self) -> None:
        """Wait for the thread as the program ends: it must not find Qt gone."""
        self.cancel()
        self._thread.join()


class Replacing:
    """Runs the newest of the jobs that were requested; the one before is cancelled.

    ``busy(True)`` is called when a job with a title begins and ``busy(False)`` when it is over,
    ``warned`` as by `Job`.
    """

    def __init__(self, busy: Callable[[bool], object], warned: Callable):
        self._busy, self._warned = busy, warned
        self._waiting: tuple | None = None
        self._job: Job | None = None
        self._closed = False

    @property
    def working(self) -> bool:
        """Whether a job is in progress."""
        return self._job is not None

    def request(
        self, work: Callable, done: Callable, stepped: Callable | None = None, *, title: str = ""
    ) -> None:
        """Begin a job as soon as possible; see `Job`. It is quiet without a title.

        `done` is not called when a newer job replaces this one.
        """
        self._waiting = (work, done, stepped, title)
        if self._job is None:
            self._start()
        else:
            self._job.cancel()

    def cancel(self) -> None:
        """Stop; `done` is called."""
        self._waiting = None
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Stop, and call nobody."""
        self._closed = True
        self.cancel()

    def _start(self) -> None:
        (work, done, stepped, title), self._waiting = self._waiting, None

        def over(error: Exception | None, cancelled: bool) -> None:
            self._job = None
            if self._closed:
                return
            if title:
                self._busy(False)
            if self._waiting is not None:
                self._start()
            else:
                done(error, cancelled)

        def step(*progress) -> None:
            if stepped is not None and title and not self._closed:
                stepped(*progress)

        if title:
            self._busy(True)
        self._job = Job(work, title, over, step, self._warn, quiet=not title)

    def _warn(self, place: tuple, text: str) -> None:
        if not self._closed:
            self._warned(place, text)


class _MainThread(QObject):
    """Calls functions on the main thread, for all jobs.

    An object of Qt for each call, as superqt has it, is destroyed while the thread ends that made
    it: now and then both wait for each other for good.
    """

    called = Signal(object)

    def __init__(self):
        super().__init__()
        self.moveToThread(QCoreApplication.instance().thread())
        self.called.connect(self._call)

    @Slot(object)
    def _call(self, function: Callable) -> None:
        function()


_main_thread = cache(_MainThread)


def on_main_thread(function: Callable, *arguments) -> None:
    """Call a function on the main thread soon; from there at once."""
    if QCoreApplication.instance() is not None:
        _main_thread().called.emit(lambda: function(*arguments))
