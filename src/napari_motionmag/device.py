"""Where methods compute, and one lock for each such place."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

VISIBLE, ORDINARY, AHEAD = 0, 1, 2  # who waits for a device: the smallest number goes first
_urgency: contextvars.ContextVar[int] = contextvars.ContextVar("urgency", default=ORDINARY)


@contextmanager
def urgency(level: int) -> Iterator[None]:
    """What this thread computes goes before, or after, what other threads compute.

    Parameters
    ----------
    level : int
        `VISIBLE` for a frame that somebody waits for, `ORDINARY`, or `AHEAD` for one that may be
        asked for later.
    """
    before = _urgency.set(level)
    try:
        yield
    finally:
        _urgency.reset(before)


class DeviceLock:
    """A reentrant lock that the most urgent of the waiting threads gets, see `urgency`.

    Among equals the one that has waited longest.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: list[tuple[int, int]] = []
        self._arrivals = 0

    def acquire(self) -> bool:
        """Wait for the lock and take it."""
        me = threading.get_ident()
        with self._changed:
            if self._owner != me:
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

    @property
    def wanted(self) -> bool:
        """Whether a more urgent thread than this one waits."""
        with self._changed:
            return any(level < _urgency.get() for level, _ in self._waiting)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_) -> None:
        self.release()


_LOCKS: dict[str, DeviceLock] = {}
_LOCKS_GUARD = threading.Lock()


def device_lock(device: torch.device) -> DeviceLock:
    """The one lock of a device."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(str(device), DeviceLock())


def choose_device(device: str | torch.device | None, *, mps: bool = True) -> torch.device:
    """The device to run on.

    Parameters
    ----------
    device : str, torch.device or None
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; None takes CUDA or MPS where present.
    mps : bool
        Whether None may take MPS; it knows no complex numbers and no float64.

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    if device is None or device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if mps and torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device must be 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}"
        ) from error
    if chosen.type == "cuda" and torch.cuda.is_available():
        # With its number, so that "cuda" and "cuda:0" are one device under one lock.
        index = torch.cuda.current_device() if chosen.index is None else chosen.index
        if index < torch.cuda.device_count():
            return torch.device("cuda", index)
    elif chosen.type == "cpu" or (chosen.type == "mps" and torch.backends.mps.is_available()):
        return torch.device(chosen.type)
    raise ValueError(f"device {str(device)!r} is not available on this machine")


def choose_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """``torch.float32`` or ``torch.float64`` from its name or itself.

    Raises
    ------
    ValueError
        If it is another type.
    """
    known = {"float32": torch.float32, "float64": torch.float64}
    chosen = known.get(dtype, dtype) if isinstance(dtype, str) else dtype
    if chosen not in known.values():
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return chosen
