"""Which devices there are to compute on."""

from __future__ import annotations

import sys
from collections.abc import Callable

from napari_motionmag.compute.device import load_torch
from napari_motionmag.widgets.common.jobs import Job


def find_devices(found: Callable[[list[str]], object]) -> None:
    """Call ``found(names)`` on the main thread, at once or when torch is loaded.

    Loading torch takes seconds: it is done in the background.
    """
    if "torch" in sys.modules:
        found(device_names())
        return
    names: list[str] = []
    Job(
        lambda progress: names.extend(device_names()),
        "Looking for devices",
        lambda error, cancelled: found(names or ["cpu"]),
        quiet=True,
    )


def device_names() -> list[str]:
    """Return the names of the devices of this machine, as the argument `device` takes them."""
    load_torch()
    import torch

    names = ["cpu"]
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        names += ["cuda"] if count == 1 else [f"cuda:{n}" for n in range(count)]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names
