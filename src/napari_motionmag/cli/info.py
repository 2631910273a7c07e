"""``napari-motionmag info``: versions, device and weights, or what a movie file says of itself."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

from napari_motionmag.compute.versions import version_of
from napari_motionmag.methods.options import METHOD_CLASSES

PACKAGES = (
    "napari", "npe2", "magicgui", "torch", "numpy", "scipy", "dask", "tifffile", "safetensors",
    "zarr", "av", "matplotlib", "scikit-image", "imagecodecs", "numba", "PyQt6",
)  # fmt: skip


def add_command(commands, common) -> None:
    """Add the command ``info``."""
    parser = commands.add_parser(
        "info",
        parents=[common],
        help="versions, device and weights of this installation, or axes, rate and scale of a "
        "movie file",
    )
    parser.add_argument(
        "movie",
        metavar="MOVIE",
        type=Path,
        nargs="?",
        help="movie file, to print its axes, shape, frame rate and scale instead",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)


def run(arguments) -> None:
    """Run the command."""
    if arguments.movie is None:
        facts, text = gather(), as_text
    else:
        facts, text = describe_file(arguments.movie), movie_as_text
    print(json.dumps(facts, indent=2) if arguments.json else text(facts))


def describe_file(path: Path) -> dict:
    """Collect what a movie file says of itself.

    ``fps``, ``scale`` and ``units`` are None where the file does not say; ``fps_note`` is a hint
    that the rate may be that of playing alone, or empty.
    """
    from napari_motionmag.io import open_movie

    movie = open_movie(path)
    return {
        "path": str(path),
        "axes": movie.axes,
        "shape": movie.shape,
        "dtype": str(movie.dtype),
        "fps": movie.fps,
        "fps_note": getattr(movie.data, "rate_note", ""),
        "scale": movie.scale,
        "units": movie.units,
    }


def movie_as_text(facts: dict) -> str:
    """Return the result of `describe_file` as text."""
    rate = "unknown" if facts["fps"] is None else f"{facts['fps']:g} fps"
    note = facts["fps_note"] and f" ({facts['fps_note']})"
    scale = "unknown"
    if facts["scale"] is not None:
        steps = zip(facts["axes"].replace("S", ""), facts["scale"], facts["units"], strict=True)
        scale = ", ".join(f"{letter} {step:.6g} {unit}" for letter, step, unit in steps)
    lines = {
        "Axes": facts["axes"],
        "Shape": " x ".join(map(str, facts["shape"])),
        "Type": facts["dtype"],
        "Rate": f"{rate}{note}",
        "Scale": scale,
    }
    return "\n".join([facts["path"], *(f"  {name:6} {text}" for name, text in lines.items())])


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
