"""A line on a terminal that shows how far a long computation is."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from napari_motionmag.compute.validate import rounded

INTERVAL = 0.1  # seconds between two updates of the line


class ProgressLine:
    """Shows frames done, rate and time left; on a terminal only, until its block ends."""

    def __init__(self, what: str, stream: TextIO | None = None, *, quiet: bool = False):
        self.what = what  # at the start of the line
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty() and not quiet
        self._begun = self._shown = time.monotonic()
        self._resumed_at: int | None = None
        self.done = self.total = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exception) -> None:
        self.clear()

    def __call__(self, done: int, total: int) -> None:
        """Take note that `done` of `total` frames are there, and update the line."""
        if self._resumed_at is None:
            self._resumed_at = done - 1
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
        return (self.done - (self._resumed_at or 0)) / max(self.elapsed, 1e-9)

    def line(self) -> str:
        """Return the line as it is now."""
        share = self.done / max(self.total, 1)
        rate = rounded(self.rate, 3)
        text = f"{self.what} {self.done}/{self.total} ({share:.0%}), {rate} frames/s"
        if self.rate > 0 and self.done < self.total:
            text += f", {duration((self.total - self.done) / self.rate)} left"
        return text

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def duration(seconds: float) -> str:
    """Write a time as people do: 7.2 s, 3:05, 2:10:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
