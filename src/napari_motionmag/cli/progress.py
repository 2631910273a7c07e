"""A line on a terminal that says how far a long computation got."""

from __future__ import annotations

import sys
import time
from typing import TextIO

INTERVAL = 0.1  # seconds between two updates of the line


class ProgressLine:
    """Shows frames done, rate and time left; on anything but a terminal, nothing while it runs.

    Parameters
    ----------
    what : str
        What is done, at the start of the line.
    stream : file, optional
        Where to write; standard error when None.
    """

    def __init__(self, what: str, stream: TextIO | None = None):
        self.what = what
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self._begun = self._shown = time.monotonic()
        self._first: int | None = None
        self.done = self.total = 0

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` frames are there, and show it now and then."""
        if self._first is None:
            self._first = done - 1  # what was there before, when resuming
        self.done, self.total = done, total
        now = time.monotonic()
        if self.live and (now - self._shown >= INTERVAL or done == total):
            self._shown = now
            self.stream.write(f"\r\x1b[K{self.line()}")
            self.stream.flush()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Frames per second so far."""
        fresh = self.done - (self._first or 0)
        return fresh / max(self.elapsed, 1e-9)

    def line(self) -> str:
        """Return the line as it is now."""
        share = self.done / max(self.total, 1)
        text = f"{self.what} {self.done}/{self.total} ({share:.0%}), {self.rate:.3g} frames/s"
        if self.rate > 0 and self.done < self.total:
            text += f", {duration((self.total - self.done) / self.rate)} left"
        return text

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def duration(seconds: float) -> str:
    """Return a time as people say it: 7.2 s, 3:05, 2:10:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
