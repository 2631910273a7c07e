"""The device that methods compute on: choosing it, taking turns on it, and its memory.

Importing this imports no torch.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def load_torch() -> None:
    """Import torch with OpenMP threads that sleep while idle, unless it is imported already.

    Spinning threads hold each other up as soon as another program wants a core: a frame takes ten
    times as long. OpenMP reads the policy when it is loaded; the environment is restored then.
    """
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        import torch  # noqa: F401
    finally:
        del os.environ["OMP_WAIT_POLICY"]
    if _THREADS["wanted"] is not None:
        set_threads(_THREADS["wanted"])


_THREADS: dict[str, int | None] = {"wanted": None, "usual": None}


def set_threads(count: int | None) -> None:
    """Set how many threads torch and the kernels use on the CPU; None: as many as torch chooses.

    It counts when torch is loaded, if it is not yet.
    """
    if count is not None and count < 1:
        raise ValueError(f"count must be None or at least 1, got {count}")
    _THREADS["wanted"] = count
    if "torch" not in sys.modules:
        return
    import torch

    if count is None and _THREADS["usual"] is None:
        return  # it was never changed
    if _THREADS["usual"] is None:
        _THREADS["usual"] = torch.get_num_threads()
    torch.set_num_threads(_THREADS["usual"] if count is None else count)


def choose_device(device: str | torch.device | None, *, mps: bool = True) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    device : str, torch.device or None
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; None takes CUDA or MPS where present.
    mps : bool
        Whether MPS is suitable; it lacks float64 and complex Fourier transforms.

    Raises
    ------
    ValueError
        If the device does not exist, is unavailable, or is not suitable.
    """
    import torch

    if device is None or device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if mps and torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"device must be 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}"
        ) from error
    if chosen.type == "mps" and not mps:
        raise ValueError(
            "device 'mps' lacks the float64 and the complex Fourier transforms that this method "
            f"needs; use 'cpu' or 'cuda', got {str(device)!r}"
        )
    if chosen.type == "cuda" and torch.cuda.is_available():
        # with its number, so that "cuda" and "cuda:0" are one device under one lock
        index = torch.cuda.current_device() if chosen.index is None else chosen.index
        if index < torch.cuda.device_count():
            return torch.device("cuda", index)
    elif chosen.type == "cpu" or (chosen.type == "mps" and torch.backends.mps.is_available()):
        return torch.device(chosen.type)
    raise ValueError(f"device {str(device)!r} is not available on this machine")


def choose_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """Return ``torch.float32`` or ``torch.float64`` by name or as given; else ValueError."""
    import torch

    known = {"float32": torch.float32, "float64": torch.float64}
    chosen = known.get(dtype, dtype) if isinstance(dtype, str) else dtype
    if chosen not in known.values():
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return chosen


# ---- taking turns ----

INTERACTIVE, NORMAL, PREFETCH = 0, 1, 2  # the smallest number goes first
_priority: contextvars.ContextVar[int] = contextvars.ContextVar("priority", default=NORMAL)
_LOCKS: dict[str, PriorityLock] = {}
_LOCKS_GUARD = threading.Lock()


@contextmanager
def priority(level: int) -> Iterator[None]:
    """Set the priority of what this thread computes.

    `INTERACTIVE` for a frame that somebody waits for, `NORMAL`, or `PREFETCH` for one that may be
    wanted later, which is computed only while nobody else wants the device.
    """
    before = _priority.set(level)
    try:
        yield
    finally:
        _priority.reset(before)


def current_priority() -> int:
    """Return the priority of what this thread computes."""
    return _priority.get()


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


def device_lock(device: torch.device) -> PriorityLock:
    """Return the one lock of a device."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(str(device), PriorityLock())


# ---- memory ----

_CGROUP = Path("/sys/fs/cgroup")
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "cudnn_status_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error reports that the memory of a device, or of the computer, is used up."""
    text = str(error).lower()  # torch.OutOfMemoryError is a RuntimeError that says so
    out = isinstance(error, RuntimeError) and any(phrase in text for phrase in _PHRASES)
    return out or isinstance(error, MemoryError)


def free_memory(device: torch.device) -> int:
    """Return how many bytes of a device are free now."""
    if device.type == "cuda":
        import torch

        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        import torch

        # the driver may hold more than is recommended
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    import psutil

    limit, used = _control_group()
    return min(psutil.virtual_memory().available, max(0, limit - used))


def total_memory() -> int:
    """Return the bytes of memory of the computer, or of the container or cluster job."""
    import psutil

    return min(psutil.virtual_memory().total, _control_group()[0])


def _control_group() -> tuple[int, int]:
    """Return limit and use of the control group: containers see the whole machine's memory.

    Files that were read and may be dropped do not count as used.
    """
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        parts = dict(map(str.split, (_CGROUP / "memory.stat").read_text().splitlines()))
    except OSError:
        return 2**62, 0
    files = int(parts["inactive_file"]) + int(parts["active_file"])
    return (2**62 if limit == "max" else int(limit)), max(0, used - files)


def release_memory(device: torch.device) -> None:
    """Give memory that is reserved but unused back to the device."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
