"""How much memory there is, and how running out of it is recognized."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CGROUP = Path("/sys/fs/cgroup")
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "cudnn_status_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device, or of the computer, is used up."""
    text = str(error).lower()  # torch.OutOfMemoryError is a RuntimeError that says so
    out = isinstance(error, RuntimeError) and any(phrase in text for phrase in _PHRASES)
    return out or isinstance(error, MemoryError)


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device now."""
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
    """Bytes of memory of the computer, or of the container or cluster job."""
    import psutil

    return min(psutil.virtual_memory().total, _control_group()[0])


def _control_group() -> tuple[int, int]:
    """Limit and use of the control group, bytes: containers see the memory of the whole machine."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = (_CGROUP / "memory.current").read_text().strip()
    except OSError:
        return 2**62, 0
    return (2**62 if limit == "max" else int(limit)), int(used)


def release(device: torch.device) -> None:
    """Give memory that is held but not used back to the device."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
