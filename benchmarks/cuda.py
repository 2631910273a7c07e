"""Frames per second of 1920x1080 on a CUDA device, from host memory to host memory.

    python benchmarks/cuda.py [--quick]

Runs of neighboring frames through the same method objects that exports use, against the plain
port in float32 (see plain_port.py) with its own uploads and downloads. The share of peak is the
arithmetic done against a large convolution in the same precision in the same run. Memory is the
largest that PyTorch held on the device.
"""

from __future__ import annotations

import statistics
import time

import torch
from common import Arithmetic, Table, arguments, movie
from plain_port import draw, with_weights

from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.riesz import RieszMagnifier
from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.engine import engine
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.temporal import Static


def main() -> None:
    given = arguments(__doc__)
    if not torch.cuda.is_available():
        table = Table("CUDA")
        table.note("Not run: this machine has no CUDA device.")
        table.save(given.json)
        return
    rounds, run, width, height = (1, 2, 128, 72) if given.quick else (5, 32, 1920, 1080)
    film = movie(run + 1, width)[:, :height]
    frames = [frame.astype("f4") / 255 for frame in film]
    times = list(range(1, run + 1))
    port = with_weights(weights.load("oh2018")[0]).to("cuda")
    table = Table(
        f"{width}x{height}, host to host", "frames/s", "times the port", "share of peak",
        "memory, GiB",
    )  # fmt: skip

    def rate_of(work, count: int) -> float:
        rates = []
        for _ in range(rounds + 1):
            torch.cuda.synchronize()
            begun = time.perf_counter()
            work()
            torch.cuda.synchronize()
            rates.append(count / (time.perf_counter() - begun))
        return statistics.median(rates[1:])

    def add(name: str, work, count: int, share: str = "") -> None:
        torch.cuda.reset_peak_memory_stats()
        rate = rate_of(work, count)
        memory = torch.cuda.max_memory_allocated() / 2**30
        table.add(name, f"{rate:.1f}", f"{rate / port_rate:.1f}", share, f"{memory:.2f}")

    port_rate = rate_of(lambda: draw(port, film[0], film[1], 5.0), 1)
    add("plain port, float32", lambda: draw(port, film[0], film[1], 5.0), 1)
    for model in ("oh2018", "difference"):
        for precision in ("float32", "float16"):
            method = LearnedMagnifier(model, device="cuda", precision=precision)

            def work(method=method):
                method.magnify(frames, Static(), times, 5.0)

            with Arithmetic() as counted:
                method.magnify(frames, Static(), times[:4], 5.0)
            share = counted.macs / len(times[:4]) * rate_of(work, run)
            share /= peak(precision, 64 if given.quick else 256)
            add(f"{model}, {precision}", work, run, f"{share:.0%}")
        table.note(f"{model}: {engine(model, 'cuda').dtype} without a precision.")
    for name, method in (("phase", PhaseMagnifier), ("riesz", RieszMagnifier)):
        classical = method(device="cuda")
        add(name, lambda: classical.magnify(frames, Static(), times, 5.0), run)  # noqa: B023
    table.note(f"Memory of {torch.cuda.get_device_name()}: {gigabytes()} GiB.")
    table.save(given.json)


def gigabytes() -> str:
    """Memory of the device."""
    return f"{torch.cuda.mem_get_info()[1] / 2**30:.0f}"


def peak(precision: str, size: int) -> float:
    """Multiply-adds a second of a large convolution."""
    dtype = getattr(torch, precision)
    layer = torch.nn.Conv2d(size, size, 3, padding=1, device="cuda", dtype=dtype)
    layer = layer.requires_grad_(False).to(memory_format=torch.channels_last)
    x = torch.randn(size // 32, size, size, size, device="cuda", dtype=dtype)
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
