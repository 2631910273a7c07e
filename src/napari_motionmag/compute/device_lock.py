"""Taking turns on a device: what is seen first, what may be seen later while nobody else waits."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VISIBLE, ORDINARY, AHEAD = 0, 1, 2  # who waits for a device: the smallest number goes first
_urgency: contextvars.ContextVar[int] = contextvars.ContextVar("urgency", default=ORDINARY)


@contextmanager
def urgency(level: int) -> Iterator[None]:
    """What this thread computes goes before, or after, what other threads compute.

    Parameters
    ----------
    level : int
        `VISIBLE` for a frame that somebody waits for, `ORDINARY`, or `AHEAD` for one that may be
        asked for later: that is done only while nobody else wants the device.
    """
    before = _urgency.set(level)
    try:
        yield
    finally:
        _urgency.reset(before)


class Overtaken(Exception):
    """Raised inside work that is ahead of its time when somebody else wants the device."""


class DeviceLock:
    """A reentrant lock that the most urgent of the waiting threads gets, see `urgency`.

    Among equals the one that has waited longest. Who works ahead does not wait.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = 0

    def acquire(self) -> bool:
        """Wait for the lock and take it.

        Raises
        ------
        Overtaken
            When the thread works ahead and the lock is taken or wanted.
        """
        me = threading.get_ident()
        with self._changed:
            if self._owner != me:
                if _urgency.get() == AHEAD and (self._owner is not None or self._waiting):
                    raise Overtaken
                self._arrivals += 1
                place = (_urgency.get(), self._arrivals)
                self._waiting.append(place)
                try:
                    while self._owner is not None or min(self._waiting) != place:
                        self._changed.wait()
                finally:
                    self._waiting.remove(place)
                self._owner = me
            self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back; by the thread that holds it."""
        with self._changed:
            if self._owner != threading.get_ident():
                raise RuntimeError("the device is not held by this thread")
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                self._changed.notify_all()

    def give_way(self) -> None:
        """Raise `Overtaken` when this thread works ahead and another wants the lock.

        For the thread that holds it, now and then.
        """
        if _urgency.get() == AHEAD and self._waiting:
            raise Overtaken

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_) -> None:
        self.release()
