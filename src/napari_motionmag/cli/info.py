"""``napari-motionmag info``: versions, device and weights, for reports and records."""

from __future__ import annotations

import json
import platform
import sys

from napari_motionmag.compute.versions import version_of
from napari_motionmag.methods.options import METHOD_CLASSES

PACKAGES = (
    "napari", "npe2", "magicgui", "torch", "numpy", "scipy", "dask", "tifffile", "safetensors",
    "zarr", "av", "matplotlib", "scikit-image", "imagecodecs", "numba", "PyQt6",
)  # fmt: skip


def add_command(commands, common) -> None:
    """Add the command ``info``."""
    parser = commands.add_parser(
        "info", parents=[common], help="versions, device and weights of this installation"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)


def run(arguments) -> None:
    """Run the command."""
    facts = gather()
    print(json.dumps(facts, indent=2) if arguments.json else as_text(facts))


def gather() -> dict:
    """Collect versions, the device that would be used, and the weights, ours and the user's.

    A package that is not installed has version None; ``kernels`` of the device is None, or why
    those of numba are not used on the CPU.
    """
    from napari_motionmag.temporal import filters

    return {
        "version": version_of(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "device": _device(),
        "methods": {name: method.label for name, method in METHOD_CLASSES.items()},
        "filters": {name: operator.label for name, operator in filters().items()},
        "weights": _weights(),
    }


def _device() -> dict:
    from napari_motionmag.compute.device import load_torch

    load_torch()
    import torch

    from napari_motionmag.compute.device import choose_device
    from napari_motionmag.methods.learned import kernels
    from napari_motionmag.methods.learned.engine import engine

    device = choose_device(None)
    description, memory = platform.processor() or platform.machine(), None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        description, memory = properties.name, properties.total_memory
    return {
        "name": str(device),
        "description": description,
        "memory_bytes": memory,
        "precision": str(engine(device=str(device)).dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "kernels": kernels.why_unavailable(),
    }


def _weights() -> list[dict]:
    from napari_motionmag.methods.learned import weights

    found = [*weights.available(), *weights.of_the_user()]
    return [{**vars(one), "path": str(one.path)} for one in found]


def as_text(facts: dict) -> str:
    """Return the result of `gather` as text."""
    device = facts["device"]
    memory = device["memory_bytes"]
    room = "" if memory is None else f", {memory / 2**30:.0f} GiB"
    lines = [
        f"napari-motionmag {facts['version']}",
        f"Python {facts['python']} on {facts['platform']}",
        f"Device {device['name']} ({device['description']}{room}), {device['precision']}, "
        f"{device['threads']} CPU threads",
        f"Kernels of numba on the CPU: {device['kernels'] or 'used'}",
        *_section("Packages", facts["packages"]),
        *_section("Methods", facts["methods"]),
        *_section("Filters", facts["filters"]),
        "",
        "Weights",
    ]
    for one in facts["weights"]:
        lines += [
            f"  {one['name']}: {one['description']}",
            f"    sha256 {one['sha256']}",
            f"    {one['path']}",
        ]
    return "\n".join(lines)


def _section(title: str, values: dict) -> list[str]:
    return ["", title, *(f"  {name:14} {text or 'not installed'}" for name, text in values.items())]
