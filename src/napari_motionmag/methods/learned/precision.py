"""The number type of the convolutions: the fastest that draws the same picture."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import torch
from torch import Tensor

TOLERANCE = 1 / 255  # a gray level of an 8-bit picture
SIDE = 128  # px of the frame that types are compared on
FACTOR = 20.0
_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_MEASURED: dict[tuple, float] = {}
_LOCK = threading.Lock()


def checked_precision(precision: str | None, device: torch.device) -> torch.dtype | None:
    """Return the number type of a name; None, to be chosen by measuring, stays None."""
    if precision is None:
        return None
    if precision not in list(_TYPES):
        raise ValueError(f"precision must be one of {sorted(_TYPES)}, got {precision!r}")
    if precision == "float16" and device.type == "cpu":
        raise ValueError("precision 'float16' needs a GPU; use 'float32' or 'bfloat16' on the CPU")
    return _TYPES[precision]


def candidates(device: torch.device) -> tuple[torch.dtype, ...]:
    """Return types that may be faster than float32 on a device, the most exact first.

    On CPUs neither pays: without matrix units both are slower, and bfloat16 misses the picture by
    more than a gray level.
    """
    return (torch.float16, torch.bfloat16) if device.type == "cuda" else ()


def deviation(draw: Callable[[torch.dtype], Tensor], dtype: torch.dtype, key: tuple) -> float:
    """Measure, once, the largest difference of ``draw(dtype)`` from float32."""
    with _LOCK:
        measured = _MEASURED.get((key, dtype))
    if measured is None:
        difference = (draw(dtype).float() - draw(torch.float32)).abs().max().item()
        measured = difference if difference == difference else float("inf")  # NaN is far off
        with _LOCK:
            _MEASURED[key, dtype] = measured
    return measured


def test_frames(device: torch.device) -> tuple[Tensor, Tensor]:
    """Make two frames, (1, 1, Y, X), of a fine texture that moves by 0.3 px and flickers."""
    place = torch.arange(SIDE, dtype=torch.float32)
    y, x = place[:, None], place[None, :]

    def frame(shift: float) -> Tensor:
        waves = torch.zeros(SIDE, SIDE)
        for k, (wave, angle) in enumerate(((31.0, 0.3), (13.0, 1.9), (7.0, 2.6), (4.5, 0.9))):
            along = (
                torch.cos(torch.tensor(angle)) * (x + shift) + torch.sin(torch.tensor(angle)) * y
            )
            waves += torch.sin(2 * math.pi * along / wave + k) / (k + 2)
        return (0.5 + 0.35 * waves).clamp(0, 1)[None, None].to(device)

    return frame(0.0), frame(0.3) * 0.995
