"""Where the classical methods compute, and in what precision."""

from __future__ import annotations

from threading import Lock

import torch

__all__ = ["choose_device", "choose_dtype", "device_lock"]

_LOCKS: dict[str, Lock] = {}
_LOCKS_LOCK = Lock()


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for; a CUDA GPU if there is one, else the CPU, when None."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be a torch device or None, got {device!r}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch finds no CUDA GPU here")
    return chosen


def choose_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """``torch.float32`` or ``torch.float64`` from its name or itself."""
    known = {"float32": torch.float32, "float64": torch.float64}
    chosen = known.get(dtype, dtype) if isinstance(dtype, str) else dtype
    if chosen not in known.values():
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    return chosen


def device_lock(device: torch.device) -> Lock:
    """The lock to hold while computing on a device: one task at a time on each."""
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(str(device), Lock())
