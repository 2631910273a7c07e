"""Draw the frame that is shown while its settings change, at the pace of the computer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from contextlib import suppress

from qtpy.QtCore import QObject, QTimer

from napari_motionmag.movie.region import MOST_REDUCED
from napari_motionmag.widgets.common.jobs import Replacing

QUICK = 0.2  # seconds; where a frame takes longer, smaller ones are drawn meanwhile
AIM = 0.1  # seconds that a smaller frame should take
SMALLEST = 48  # px, shortest side of a smaller frame
INTERVAL = 1 / 30  # seconds between the starts of two frames, at least


class Pace:
    """How long frames took, by what draws them, and by how much they have to be reduced."""

    def __init__(self):
        self._seconds: dict[Hashable, dict[int, float]] = {}

    def note(self, kind: Hashable, reduction: int, seconds: float) -> None:
        """Take note of how long a frame took whose sides were divided by `reduction`."""
        self._seconds.setdefault(kind, {})[reduction] = seconds

    def reduction(self, kind: Hashable, side: int) -> int:
        """Return by how much to divide the sides of frames, of which `side` is the shorter, px."""
        taken = self._seconds.get(kind, {})
        if taken.get(1, 0) <= QUICK:
            return 1
        largest = max(1, min(MOST_REDUCED, side // SMALLEST))
        chosen = min(largest, math.ceil(math.sqrt(taken[1] / AIM)))
        # what was measured counts more than what was expected from the number of pixels
        while taken.get(chosen, 0) > QUICK and chosen < largest:
            chosen += 1
        return chosen


class LiveDrawing:
    """Draws one frame after the other while settings change, each with the newest settings.

    ``plan()`` returns what ``draw(planned)`` takes in another thread, or None to draw nothing;
    ``show(planned, seconds)`` or ``failed(error)`` is called on the main thread, and ``idle()``
    when no other frame is wanted. Requests meanwhile end in one more frame: unlike a job that is
    replaced, a frame in progress is shown, so that the picture moves.
    """

    def __init__(
        self,
        plan: Callable[[], object],
        draw: Callable,
        show: Callable,
        failed: Callable,
        idle: Callable,
        warned: Callable,
        parent: QObject,
    ):
        self._plan, self._draw = plan, draw
        self._show, self._failed, self._idle = show, failed, idle
        self._runner = Replacing(lambda busy: None, warned)
        self._wanted = False
        self._begun = 0.0
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._begin)

    @property
    def working(self) -> bool:
        """Whether a frame is being drawn or about to be."""
        return self._wanted or self._runner.working

    def request(self) -> None:
        """Draw with the settings as they are when the frame is begun."""
        self._wanted = True
        if not self._runner.working and not self._timer.isActive():
            self._wait()

    def forget(self) -> None:
        """Draw no more; a frame in progress is not shown."""
        self._wanted = False
        self._timer.stop()
        if self._runner.working:
            self._runner.cancel()

    def close(self) -> None:
        """Stop, and call nobody."""
        self._wanted = False
        with suppress(RuntimeError):  # Qt may have deleted it already
            self._timer.stop()
        self._runner.close()

    def _wait(self) -> None:
        pause = self._begun + INTERVAL - time.monotonic()
        self._timer.start(max(0, round(1000 * pause)))

    def _begin(self) -> None:
        if not self._wanted:
            return
        self._wanted = False
        self._begun = time.monotonic()
        planned = self._plan()
        if planned is None:
            return
        seconds: list[float] = []

        def done(error: Exception | None, cancelled: bool) -> None:
            if error is not None:
                self._failed(error)
            elif not cancelled:
                self._show(planned, seconds[0])
            if self._wanted:
                self._wait()
            else:
                self._idle()

        def work(progress: Callable) -> None:
            seconds.append(self._draw(planned))
            progress(1, 1)  # ends here if it was cancelled

        self._runner.request(work, done)
