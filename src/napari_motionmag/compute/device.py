"""Where methods compute, and one lock for each such place."""

import threading

import torch

from napari_motionmag.compute.device_lock import PriorityLock

_LOCKS: dict[str, PriorityLock] = {}
_LOCKS_GUARD = threading.Lock()


def device_lock(device: torch.device) -> PriorityLock:
    """The one lock of a device."""
    with _LOCKS_GUARD:
        return _LOCKS.setdefault(str(device), PriorityLock())


def choose_device(device: str | torch.device | None, *, mps: bool = True) -> torch.device:
    """The device to run on.

    Parameters
    ----------
    device : str, torch.device or None
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; None takes CUDA or MPS where present.
    mps : bool
        Whether MPS will do; it lacks float64 and complex Fourier transforms.

    Raises
    ------
    ValueError
        If there is no such device here, or it will not do.
    """
    if device is None or device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        if mps and torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
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
