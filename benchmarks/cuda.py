"""Frames per second of 1920x1080 on a CUDA device, from host memory to host memory.

    python benchmarks/cuda.py [--quick]

Runs of neighbouring frames through the same method objects that exports use, against the plain
port in float32 (see plain_port.py) with its own uploads and downloads. The share of peak is the
arithmetic done against a large convolution in the same precision in the same run.
"""

from __future__ import annotations

import statistics
import time

import torch
from common import Arithmetic, Table, arguments, movie
from plain_port import draw, with_weights

from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.temporal import Static


def main() -> None:
    given = arguments(__doc__)
    if not torch.cuda.is_available():
        table = Table("CUDA")
        table.note("Not run: this machine has no CUDA device.")
        table.save(given.json)
        return
    rounds, run = (2, 4) if given.quick else (5, 32)
    film = movie(run + 1, 1920)[:, :1080]
    frames = [frame.astype("f4") / 255 for frame in film]
    port = with_weights(weights.load("oh2018")[0]).cuda()
    table = Table("1920x1080, host to host", "frames/s", "times the port", "share of peak")
    port_rate = []
    for n in range(rounds + 1):
        begun = time.perf_counter()
        for t in range(1, 3):
            draw(port, film[0], film[t], 5.0)
        torch.cuda.synchronize()
        port_rate += [2 / (time.perf_counter() - begun)] * (n > 0)
    table.add("plain port, float32", f"{statistics.median(port_rate):.1f}", "1.0", "")
    for model in ("oh2018", "difference"):
        for precision in ("float32", "float16"):
            method = LearnedMagnifier(model, device="cuda", precision=precision)
            times = list(range(1, run + 1))
            rates = []
            for n in range(rounds + 1):
                torch.cuda.synchronize()
                begun = time.perf_counter()
                method.magnify(frames, Static(), times, 5.0)
                rates += [run / (time.perf_counter() - begun)] * (n > 0)
            with Arithmetic() as counted:
                method.magnify(frames, Static(), times[:4], 5.0)
            rate = statistics.median(rates)
            share = counted.macs / 4 * rate / peak(precision)
            times_port = rate / statistics.median(port_rate)
            table.add(f"{model}, {precision}", f"{rate:.1f}", f"{times_port:.1f}", f"{share:.0%}")
    table.save(given.json)


def peak(precision: str) -> float:
    """Multiply-adds a second of a large convolution."""
    dtype = getattr(torch, precision)
    layer = torch.nn.Conv2d(256, 256, 3, padding=1, device="cuda", dtype=dtype)
    layer = layer.requires_grad_(False).to(memory_format=torch.channels_last)
    x = torch.randn(8, 256, 256, 256, device="cuda", dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode():
        for _ in range(8):
            torch.cuda.synchronize()
            begun = time.perf_counter()
            out = layer(x)
            torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begun)
    return out.numel() * layer.weight[0].numel() / statistics.median(seconds[2:])


if __name__ == "__main__":
    main()
