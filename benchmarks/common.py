"""What the benchmarks share: interleaved timing, arithmetic counted as it runs, tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_motionmag.methods.learned import kernels as cpu


def arguments(description: str) -> argparse.Namespace:
    """Arguments of every script."""
    parser = argparse.ArgumentParser(
        description=description.splitlines()[0],
        epilog=description.partition("\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    return found


def machine() -> str:
    """Kind of machine, in a line."""
    name = platform.processor() or platform.machine()
    flags = set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
            if line.startswith("flags"):
                flags = set(line.split())
    except OSError:
        pass  # not Linux: the platform's own name will do
    wide = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{name} ({', '.join(wide)}), {cores} cores, {gpu}; torch {torch.__version__}"


def interleaved(
    works: dict[str, Callable[[int], object]], rounds: int, clock=time.process_time
) -> dict[str, list[float]]:
    """Seconds of each work in each round; works take turns, so that load hits all alike.

    Parameters
    ----------
    works : dict of callable
        Each is given the number of the round. A first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(-1, rounds):
        for name, work in works.items():
            begun = clock()
            work(number + 1)
            if number >= 0:
                seconds[name].append(clock() - begun)
    return seconds


def ratio(slow: list[float], fast: list[float]) -> float:
    """Median over the rounds of how many times as long the first takes."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


class Arithmetic(TorchDispatchMode):
    """Counts the multiply-adds of all convolutions that run in this thread, as plain ones have."""

    def __init__(self):
        super().__init__()
        self.macs = 0
        self._patch = None

    def __enter__(self):
        if cpu.available():
            from napari_motionmag.methods.learned.kernels.winograd import Winograd

            plain = Winograd.__call__

            def counted(kernel, x, *others, **options):
                out = plain(kernel, x, *others, **options)
                self.macs += out.numel() * kernel.inputs * 9
                return out

            self._patch = patch.object(Winograd, "__call__", counted)
            self._patch.start()
        return super().__enter__()

    def __exit__(self, *error):
        if self._patch:
            self._patch.stop()
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.name()
        if "conv" in name and isinstance(out, torch.Tensor):
            planes = [a for a in args if isinstance(a, torch.Tensor) and a.ndim == 4]
            weight = planes[-1]  # behind the inputs; biases have one dimension
            self.macs += out.numel() * weight[0].numel()
        return out


def big_convolution(size: int = 512, channels: int = 64) -> tuple[Callable[[int], object], float]:
    """A convolution that is large enough to run at what is attainable, and its multiply-adds."""
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1).requires_grad_(False)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(1, channels, size, size).contiguous(memory_format=torch.channels_last)

    def work(_: int):
        with torch.inference_mode():
            return layer(x)

    return work, 9 * channels**2 * size**2


def movie(frames: int, size: int, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    """A smooth texture that moves by a fraction of a pixel, (frames, size, size)."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    spectrum *= np.exp(-((np.hypot(fy, fx) / 0.15) ** 2)) / (np.hypot(fy, fx) + 0.02)
    out = np.empty((frames, size, size), dtype)
    still = np.fft.irfft2(spectrum, (size, size))
    low, span = still.min(), np.ptp(still)
    for t in range(frames):
        turn = np.exp(-2j * np.pi * fx * 0.3 * np.sin(0.7 * t))
        unit = (np.fft.irfft2(spectrum * turn, (size, size)) - low) / span
        out[t] = np.clip(np.rint(unit * np.iinfo(dtype).max), 0, np.iinfo(dtype).max)
    return out


class Table:
    """Rows that are printed as they come, and written as JSON for `run.py`."""

    def __init__(self, *columns: str):
        self.columns = columns
        self.rows: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        print(" | ".join(columns), flush=True)

    def add(self, *row) -> None:
        self.rows.append(tuple(str(cell) for cell in row))
        print(" | ".join(self.rows[-1]), flush=True)

    def note(self, text: str) -> None:
        """A line below the table."""
        self.notes.append(text)
        print(text, flush=True)

    def save(self, path: Path | None) -> None:
        content = {"columns": self.columns, "rows": self.rows, "notes": self.notes}
        if path is not None:
            path.write_text(json.dumps(content))


def passed(yes: bool) -> str:
    return "reached" if yes else "not reached"
