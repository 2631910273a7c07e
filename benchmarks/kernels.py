"""Kernels of our own against what PyTorch has, on the CPU.

    python benchmarks/kernels.py [--quick] [--threads N]

The steps of one frame of 528x528 (512x512 and its border), each with and without the kernels in
turns, in CPU seconds of the process; and the error of a convolution, in shares of its largest
output, against sums in float64.
"""

from __future__ import annotations

import statistics
from unittest.mock import patch

import torch
import torch.nn.functional as F
from common import Table, arguments, interleaved, ratio

from napari_motionmag.methods.learned import kernels as cpu
from napari_motionmag.methods.learned.networks.difference import _upsampled
from napari_motionmag.methods.learned.networks.flow_candidates import _products
from napari_motionmag.methods.learned.networks.inference_conv import Conv2d
from napari_motionmag.methods.learned.networks.splatting import backward_flow

LAYERS = ((64, 64, 2), (48, 32, 2), (16, 32, 2), (48, 48, 4), (48, 32, 4), (64, 32, 8))


def main() -> None:
    given = arguments(__doc__)
    size, rounds = (128, 2) if given.quick else (528, 15)
    table = Table("step", "kernel, ms", "PyTorch, ms", "times as fast", "GMAC/s", "PyTorch, GMAC/s")
    if not cpu.available():
        table.note(f"Not run: {cpu.why_unavailable()}.")
        table.save(given.json)
        return
    generator = torch.Generator().manual_seed(0)
    for inputs, outputs, down in LAYERS:
        side = size // down
        layer = Conv2d(inputs, outputs, 3, padding=1, after="relu").requires_grad_(False)
        x = torch.randn(1, inputs, side, side, generator=generator)
        x = x.contiguous(memory_format=torch.channels_last)
        name = f"convolution 3x3, {inputs} to {outputs} channels, {side}x{side}"
        add(table, name, lambda layer=layer, x=x: layer(x), rounds, 9 * inputs * outputs * side**2)
    quarter = size // 4
    frame = torch.rand(1, 1, size, size, generator=generator)
    motion = F.interpolate(
        torch.randn(1, 2, quarter, quarter, generator=generator), size=(size,) * 2
    )
    coarse = torch.randn(1, 3, quarter, quarter, generator=generator)
    shares = torch.randn(1, 144, quarter, quarter, generator=generator)
    shares = shares.contiguous(memory_format=torch.channels_last)
    add(table, "products of gradients", lambda: _products(frame, 0.01 * frame, 4), rounds)
    add(table, "convex upsampling by 4", lambda: _upsampled(coarse, shares), rounds)
    add(table, "splatting, filling of holes", lambda: backward_flow(motion, frame), rounds)
    table.note("Errors of a convolution, 64 channels: {:.1e}, PyTorch {:.1e}.".format(*errors()))
    table.save(given.json)


def switched(on: bool):
    """Switch the kernels on or off in a block."""
    return patch.object(cpu, "why_unavailable", lambda: None if on else "switched off")


def add(table: Table, name: str, work, rounds: int, macs: float | None = None) -> None:
    def one(kernels: bool):
        def run(_):
            with switched(kernels), torch.inference_mode():
                return work()

        return run

    seconds = interleaved({"kernel": one(True), "PyTorch": one(False)}, rounds)
    kernel, plain = (1e3 * statistics.median(values) for values in seconds.values())
    speeds = [f"{macs / ms / 1e6:.0f}" if macs else "" for ms in (kernel, plain)]
    times = ratio(seconds["PyTorch"], seconds["kernel"])
    table.add(name, f"{kernel:.2f}", f"{plain:.2f}", f"{times:.2f}", *speeds)


def errors() -> list[float]:
    """Largest errors of the kernel and of PyTorch, in shares of the largest output."""
    generator = torch.Generator().manual_seed(1)
    layer = Conv2d(64, 64, 3, padding=1).requires_grad_(False)
    x = torch.randn(1, 64, 64, 64, generator=generator)
    exact = F.conv2d(x.double(), layer.weight.double(), layer.bias.double(), padding=1)
    found = []
    for kernels in (True, False):
        with switched(kernels), torch.inference_mode():
            found.append(((layer(x) - exact).abs().max() / exact.abs().max()).item())
    return found


if __name__ == "__main__":
    main()
