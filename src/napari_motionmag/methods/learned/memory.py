"""How much memory there is, how much a network takes, and how running out of it is known."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SHARE = 0.4  # of the free memory that one call may take: convolutions need scratch space, too
_CGROUP = Path("/sys/fs/cgroup")
# torch before 2.5 knows it by its old name only
_ERRORS = (getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError), MemoryError)
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "cudnn_status_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device, or of the computer, is used up."""
    if isinstance(error, _ERRORS):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in _PHRASES)


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device now."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        # the driver may hold more than is recommended
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    import psutil

    return min(psutil.virtual_memory().available, _left_to_the_group())


def _left_to_the_group() -> int:
    """Bytes that the control group leaves us: containers and cluster jobs see the whole machine."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = (_CGROUP / "memory.current").read_text().strip()
    except OSError:
        return 2**62
    return 2**62 if limit == "max" else max(0, int(limit) - int(used))


def release(device: torch.device) -> None:
    """Give memory that is held but not used back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class _Live(TorchDispatchMode):
    """Counts the bytes of tensors made while it is on, and the most there were at a time."""

    def __init__(self):
        super().__init__()
        self.most = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def bytes_per_pixel(forward: Callable[[int], object], side: int) -> float:
    """Bytes that a network holds at a time, for each pixel that it sees.

    Parameters
    ----------
    forward : callable
        ``forward(side)`` runs the network on one frame of so many pixels to each side.
    side : int
        In px; small, as the network is run.
    """
    with _Live() as live:
        forward(side)
    return live.most / side**2
