"""Messages of a dock: a line at its foot, notifications that are not repeated, warnings."""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari.utils.notifications import notification_manager, show_error, show_warning

from napari_motionmag.compute.validate import error_text

EXPECTED = (ValueError, TypeError, OSError, ImportError)  # the message says what is wrong
_FIELDS = {  # what functions call an argument in their messages, and the docks a field
    "try brightness=True": "try “Allow for changes in brightness” of “Displacement”",
    "allow for it with brightness=True": "try “Allow for changes in brightness” of “Displacement”",
    "the limit reach=": "the limit “Reach” of ",
    "pass it, or playback_fps": "fill in “Rate”",
    "give fps, or playback_fps instead of speed": "fill in “Rate”",
    "give fps, or playback_fps": "fill in “Rate”",
    "give pixel_size, or scale and units of the movie": "set scale and units of the layer",
    "pass axes": "fill in “Axes”",
    "put numbers in their place first, as with numpy.nan_to_num": "fill them or crop the movie",
    "needs the frames per second of the movie": "needs the frames per second: fill in “Rate”",
    "give fps=... or use .bind(fps) first": "fill in “Rate”",
}


class Messages:
    """Messages of a dock, whose foot is the label `status`."""

    def __init__(self, status):
        self._status = status
        self._reported = ""
        self._warned: set[tuple] = set()
        self._warning = ""
        self.on_error: Callable[[Exception], object] | None = None  # called with each error

    def close(self) -> None:
        """Show nothing from now on."""
        self._status = None

    def say(self, message: str) -> None:
        """Show a message at the foot."""
        if self._status is not None:
            self._status.value = in_words_of_fields(message)

    def say_result(self, message: str) -> None:
        """Show a message, followed by the latest warning."""
        warning, self._warning = self._warning, ""
        if warning.partition(" ")[0].isalpha():  # and no name of a file or a method
            warning = warning[0].upper() + warning[1:]
        self.say(f"{message}. {warning}" if warning else message)

    def warn(self, place: tuple, text: str) -> None:
        """Show a warning, and notify of it unless one from the same place was shown.

        Methods warn at each frame, with other numbers each time. `place` is the category, file
        and line of the warning. Deprecations, which are for programmers, are not shown.
        """
        if self._status is None or issubclass(place[0], DeprecationWarning):
            return
        self._warning = text
        self.say(text)
        if place not in self._warned:
            self._warned.add(place)
            show_warning(in_words_of_fields(text))

    def report(self, error: Exception, *, again: bool = False) -> None:
        """Show an error, and notify of it unless it was the last one; with `again`, in any case."""
        if self._status is None:
            return
        if self.on_error is not None:
            self.on_error(error)
        text = error_text(error)
        self.say(text)
        if text == self._reported and not again:
            return
        self._reported = text
        if isinstance(error, EXPECTED):
            show_error(in_words_of_fields(text))
            return
        try:  # with its traceback
            notification_manager.receive_error(type(error), error, error.__traceback__)
        except SystemError:
            # napari's print to the console comes last and parses sources, which in Python 3.11
            # fails now and then beside another thread
            traceback.print_exception(error)

    def forget_error(self) -> None:
        """Forget the last error, so that it is shown when it occurs again."""
        self._reported = ""

    def forget(self) -> None:
        """Forget errors and warnings, for a new request of the user."""
        self._reported = self._warning = ""
        self._warned.clear()


def in_words_of_fields(text: str) -> str:
    """Return a message with arguments of functions named as the fields of the docks."""
    for argument, field in _FIELDS.items():
        text = text.replace(argument, field)
    return text


_here = threading.local()
_lock = threading.Lock()
_listeners = 0
_show_before: Callable | None = None


@contextmanager
def warnings_to(sink: Callable) -> Iterator[None]:
    """Give the warnings of this thread to ``sink((category, file, line), text)``.

    `warnings.catch_warnings` is not safe in threads. Here `warnings.showwarning` is replaced while
    any thread listens, and put back afterwards.
    """
    global _listeners, _show_before
    with _lock:
        if _listeners == 0:
            _show_before, warnings.showwarning = warnings.showwarning, _show
        _listeners += 1
    before, _here.sink = getattr(_here, "sink", None), sink
    try:
        yield
    finally:
        _here.sink = before
        with _lock:
            _listeners -= 1
            if _listeners == 0 and warnings.showwarning is _show:
                warnings.showwarning = _show_before


def _show(message, category, filename, lineno, file=None, line=None) -> None:
    sink = getattr(_here, "sink", None)
    if sink is not None:
        sink((category, filename, lineno), str(message))
    elif _show_before is not None:
        _show_before(message, category, filename, lineno, file, line)
