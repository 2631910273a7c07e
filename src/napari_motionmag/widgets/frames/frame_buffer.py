"""Draw the frames that will be played next into the cache, while nobody waits for anything."""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from napari_motionmag.compute.cache import budget
from napari_motionmag.compute.device import PREFETCH, Preempted, priority
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification

SHARE = 0.5  # of the budget of all caches, for the frames that are played
LONGEST_BATCH = 8  # frames drawn together; they share work
BATCH_SECONDS = 0.2
RETRY_SECONDS = 0.02  # until a batch that gave way is begun anew


def upcoming(t: int, n_frames: int, step: int, mode: str) -> list[int]:
    """Return the frames in the order in which they are played from frame t on, each once.

    `step` is 1 or -1, the direction of play; `mode` is one of napari's: "loop",
    "back_and_forth", or "once", which ends at the last frame, or at the first one.
    """
    if mode == "loop":
        return [(t + step * k) % n_frames for k in range(n_frames)]
    onwards, back = list(range(t, n_frames)), list(range(t, -1, -1))
    if step < 0:
        onwards, back = back, onwards
    return onwards if mode == "once" else onwards + back[1:]


def most_frames(magnifications: Sequence[CachedMagnification]) -> int:
    """Return how many frames of each of some magnifications may be kept together."""
    each = sum(x.movie.dtype.itemsize * math.prod(x.movie.frame_shape) for x in magnifications)
    return int(SHARE * budget()) // max(1, each)


def ready(magnifications: Sequence[CachedMagnification], other: tuple[int, ...]) -> set[int]:
    """Return the frames that all of some magnifications keep, at an index along other axes."""
    kept = [{key[-1] for key in x.cache.kept_keys() if key[:-1] == other} for x in magnifications]
    return set.intersection(*kept) if kept else set()


class FrameBuffer:
    """Draws frames of magnifications ahead in a thread, which gives way to all other work.

    ``failed(error)`` is called in that thread when a frame cannot be drawn; the rest is not drawn
    then.
    """

    def __init__(self, failed: Callable[[Exception], object]):
        self._failed = failed
        self._lock = threading.Lock()
        self._request: tuple | None = None
        self._thread: threading.Thread | None = None
        self._seconds = 0.0  # that a frame took lately
        atexit.register(self.close)

    @property
    def working(self) -> bool:
        """Whether frames are being drawn."""
        return self._thread is not None

    @property
    def rate(self) -> float:
        """Frames per second that were drawn lately; 0 before the first one."""
        return 1 / self._seconds if self._seconds else 0.0

    def fill(
        self,
        magnifications: Sequence[CachedMagnification],
        other: tuple[int, ...],
        times: Sequence[int],
    ) -> None:
        """Draw frames in this order, as far as there is room, instead of those requested before."""
        times = list(times)[: most_frames(magnifications)]
        with self._lock:
            if self._request is None or self._request[0] != [x.token for x in magnifications]:
                self._seconds = 0.0
            self._request = (
                [x.token for x in magnifications],
                list(magnifications),
                other,
                times,
                set(),
            )
            if self._thread is None:
                name = "napari-motionmag-buffer"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Draw no more frames ahead."""
        with self._lock:
            self._request = None

    def close(self) -> None:
        """Stop, and wait until the frames in progress are drawn."""
        self.stop()
        atexit.unregister(self.close)
        thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        batch = 1
        with priority(PREFETCH):
            while (wanted := self._next(batch)) is not None:
                magnifications, other, times, tried = wanted
                start = time.perf_counter()
                try:
                    for one in magnifications:
                        one.draw_ahead(times, other)
                except Preempted:
                    time.sleep(RETRY_SECONDS)
                    continue
                except Exception as error:
                    self.stop()
                    with suppress(RuntimeError):  # nobody is there to be told
                        self._failed(error)
                    continue
                tried.update(times)
                self._seconds = (time.perf_counter() - start) / len(times)
                batch = int(min(LONGEST_BATCH, max(1, BATCH_SECONDS / max(self._seconds, 1e-9))))

    def _next(self, batch: int) -> tuple | None:
        """Return the next frames to draw; None, and end, when there are none."""
        with self._lock:
            if self._request is not None:
                _, magnifications, other, times, tried = self._request
                done = ready(magnifications, other) | tried  # once: others may need the room
                if missing := [t for t in times if t not in done][:batch]:
                    return magnifications, other, sorted(missing), tried
            self._request = self._thread = None
            return None
