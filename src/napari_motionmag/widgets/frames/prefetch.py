"""Draw the frames that will be shown next, while nobody waits for anything."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Hashable

from napari_motionmag.compute.device import PREFETCH, Preempted, priority

COUNT = 3  # frames


class Prefetcher:
    """Follows which frames are shown, and draws the next ones in the direction of play.

    It begins when a frame is shown next to the one before, forgets what was left to do whenever
    another frame is shown, and gives way to all other work on the device.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._last: tuple[Hashable, int] = (None, 0)
        self._wanted: list[tuple[Callable, Callable, int]] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        atexit.register(self.close)  # a frame may be drawn, and begin this, as the program ends

    def shown(
        self,
        series: Hashable,
        t: int,
        n_frames: int,
        draw: Callable[[int], object],
        failed: Callable[[Exception], object],
    ) -> None:
        """Take note that frame t of a sequence was shown; another sequence begins anew.

        ``draw(t)`` draws a frame and keeps it; ``failed(error)`` is called in the thread of the
        prefetcher when it raises, and the frames after that one are not drawn ahead.
        """
        with self._lock:
            before, self._last = self._last, (series, t)
            step = t - before[1]
            self._wanted.clear()
            if before[0] != series or abs(step) != 1:
                return
            following = (t + step * k for k in range(1, COUNT + 1))
            self._wanted += [(draw, failed, k) for k in following if 0 <= k < n_frames]
            if self._wanted and self._thread is None and not self._closed:
                name = "napari-motionmag-prefetch"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # Python 3.12 starts no thread as the program ends
                    self._thread = None

    def stop(self) -> None:
        """Forget what is left to do."""
        with self._lock:
            self._wanted.clear()
            self._last = (None, 0)

    def close(self) -> None:
        """Draw nothing from now on, and wait for the frame in progress."""
        self._closed = True
        self.stop()
        self.wait()

    def wait(self) -> None:
        """Wait until nothing is being drawn."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        with priority(PREFETCH):
            while True:
                with self._lock:
                    if not self._wanted:
                        self._thread = None
                        return
                    draw, failed, t = self._wanted.pop(0)
                try:
                    draw(t)
                except Preempted:
                    self._give_up(draw)
                except Exception as error:
                    self._give_up(draw)
                    failed(error)

    def _give_up(self, draw: Callable) -> None:
        """Forget what is left to do of the same play."""
        with self._lock:
            self._wanted[:] = [request for request in self._wanted if request[0] is not draw]
