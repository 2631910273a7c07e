"""A per-device lock that serves interactive frames first and prefetching last."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERACTIVE, NORMAL, PREFETCH = 0, 1, 2  # the smallest number goes first
_priority: contextvars.ContextVar[int] = contextvars.ContextVar("priority", default=NORMAL)


@contextmanager
def priority(level: int) -> Iterator[None]:
    """Set the priority of what this thread computes.

    Parameters
    ----------
    level : int
        `INTERACTIVE` for a frame that somebody waits for, `NORMAL`, or `PREFETCH` for one that may
        be wanted later, which is computed only while nobody else wants the device.
    """
    before = _priority.set(level)
    try:
        yield
    finally:
        _priority.reset(before)


class Preempted(Exception):
    """Raised inside prefetching when somebody else wants the device."""


class PriorityLock:
    """A reentrant lock that goes to the waiting thread of highest `priority`, then to the first.

    Prefetching does not wait for it.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = 0

    def acquire(self) -> bool:
        """Wait for the lock and take it; raise `Preempted` when prefetching would have to wait."""
        me = threading.get_ident()
        with self._changed:
            if self._owner != me:
                if _priority.get() == PREFETCH and (self._owner is not None or self._waiting):
                    raise Preempted
                self._arrivals += 1
                place = (_priority.get(), self._arrivals)
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
        """Release the lock, in the thread that holds it."""
        with self._changed:
            if self._owner != threading.get_ident():
                raise RuntimeError("the device is not held by this thread")
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                self._changed.notify_all()

    def give_way(self) -> None:
        """Raise `Preempted` when this thread prefetches and another one wants the lock."""
        if _priority.get() == PREFETCH and self._waiting:
            raise Preempted

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_) -> None:
        self.release()
