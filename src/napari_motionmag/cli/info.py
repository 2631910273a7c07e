"""What this installation is made of: versions, device and weights, for reports and records."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import napari_motionmag

PACKAGES = (
    "napari",
    "npe2",
    "magicgui",
    "torch",
    "numpy",
    "scipy",
    "dask",
    "tifffile",
    "safetensors",
    "zarr",
    "av",
    "matplotlib",
    "scikit-image",
    "imagecodecs",
    "numba",
    "PyQt6",
)


def gather() -> dict:
    """Collect versions, the device that would be used, and the weights that ship.

    Returns
    -------
    dict
        Of what JSON can hold: ``version``, ``python``, ``platform``, ``packages`` (name to
        version, None where it is not installed), ``device`` (``name``, ``description``,
        ``memory_bytes``, ``precision``, ``threads``, ``kernels``: None, or why numba's are not
        used on the CPU) and ``weights`` (a list of ``name``, ``path``, ``sha256``,
        ``description`` and ``card``).
    """
    return {
        "version": napari_motionmag.__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": _device(),
        "weights": _weights(),
    }


def _version(name: str) -> str | None:
    # from the records of the installation: importing them all would take seconds
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> dict:
    from napari_motionmag.compute.load_torch import load_torch

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
        "kernels": kernels.missing(),
    }


def _weights() -> list[dict]:
    from napari_motionmag.methods.learned import weights

    return [
        {
            "name": found.name,
            "path": str(found.path),
            "sha256": found.sha256,
            "description": found.description,
            "card": found.card,
        }
        for found in weights.available()
    ]


def as_text(facts: dict) -> str:
    """Lay out what `gather` found for reading."""
    device = facts["device"]
    memory = device["memory_bytes"]
    room = "" if memory is None else f", {memory / 2**30:.0f} GiB"
    lines = [
        f"napari-motionmag {facts['version']}",
        f"Python {facts['python']} on {facts['platform']}",
        f"Device {device['name']} ({device['description']}{room}), {device['precision']}, "
        f"{device['threads']} CPU threads",
        f"Kernels of numba on the CPU: {device['kernels'] or 'used'}",
        "",
        "Packages",
        *(f"  {name:14} {found or 'not installed'}" for name, found in facts["packages"].items()),
        "",
        "Weights",
    ]
    for found in facts["weights"]:
        lines += [
            f"  {found['name']}: {found['description']}",
            f"    sha256 {found['sha256']}",
            f"    {found['path']}",
        ]
    return "\n".join(lines)
