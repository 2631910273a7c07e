"""Memory and time of the phase method against holding all subbands of all frames at once.

    python benchmarks/classical_memory.py [--quick]

Both magnify the same band of the same movie with the same pyramid. "ours" is `PhaseMagnifier` as
an export uses it: frames are read when needed, some output frames at a time, one subband after the
other. "at once" is the usual vectorised way: the pyramid of the whole movie, phases unwrapped along
time, one matrix product for the filter. It takes the same cropped subbands, without which it would
need several times as much. Each runs in a process of its own, which reports its peak resident
memory above what it had with everything imported, and CPU seconds of its one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

FPS, BAND, TAPS, FACTOR, RUN = 30.0, (4.0, 7.0), 9, 6.0, 8


class Movie:
    """A texture that vibrates, made frame by frame: it takes no memory."""

    def __init__(self, size: int, frames: int):
        import numpy as np

        rng = np.random.default_rng(0)
        f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
        self._turn = np.fft.rfftfreq(size)[None] * -2j * np.pi
        white = np.fft.rfft2(rng.standard_normal((size, size)))
        self._spectrum = white * np.exp(-((f / 0.15) ** 2)) / (f + 0.02)
        self._size, self._frames = size, frames

    def __len__(self):
        return self._frames

    def __getitem__(self, t: int):
        import numpy as np

        shift = 0.1 * np.sin(2 * np.pi * 5.5 * t / FPS)
        moved = np.fft.irfft2(self._spectrum * np.exp(self._turn * shift), s=(self._size,) * 2)
        return (0.5 + 0.02 * moved).astype(np.float32)


def ours(movie, operator):
    """Frames magnified by this package, some at a time."""
    from napari_motionmag.methods.classical.phase import PhaseMagnifier

    method = PhaseMagnifier(device="cpu", sigma=0)
    for start in range(0, len(movie), RUN):
        times = range(start, min(start + RUN, len(movie)))
        yield from method.magnify(movie, operator, times, FACTOR)


def at_once(movie, operator):
    """Frames magnified with the pyramid of the whole movie in memory."""
    import numpy as np
    import torch

    from napari_motionmag.methods.classical.pyramids.padding import Border
    from napari_motionmag.methods.classical.pyramids.steerable import get_pyramid

    n = len(movie)
    frames = torch.from_numpy(np.stack([movie[t] for t in range(n)]))
    border = Border(tuple(frames.shape[1:]), 16, torch.device("cpu"), torch.float32)
    height = int(np.log2(min(frames.shape[1:]))) - 2
    pyramid = get_pyramid(border.padded, "half-octave", height=height)
    spectra = pyramid.spectrum(border.pad(frames))
    weights = torch.zeros(n, n)
    for t in range(n):
        indices, values = operator.row(t, n)
        weights[t, torch.from_numpy(indices)] = torch.from_numpy(values).float()
    bands = list(pyramid.coefficients(spectra))  # all subbands of all frames
    moved = []
    for band, values in bands:
        phase = torch.angle(values)
        step = torch.diff(phase, dim=0)
        step -= 2 * np.pi * torch.round(step / (2 * np.pi))
        phase[1:] = phase[:1] + torch.cumsum(step, 0)
        delta = (weights @ phase.flatten(1)).view_as(phase)
        moved.append((band, values * torch.polar(torch.ones_like(delta), (FACTOR - 1) * delta)))
    out = pyramid.reconstruct(moved, pyramid.residuals(spectra))
    yield from border.crop(out).numpy()


def measure(which: str, size: int, frames: int) -> dict:
    """Run one of them in this process."""
    import torch

    import napari_motionmag.methods.classical.phase  # noqa: F401
    from napari_motionmag.temporal import FIR

    torch.set_num_threads(1)
    operator = FIR(*BAND, FPS, taps=TAPS)
    movie = Movie(size, frames)
    torch.fft.ifft2(torch.fft.rfft2(torch.rand(64, 64)))  # libraries get their own memory
    before = resident()
    start = time.process_time()
    total = 0.0
    for frame in {"ours": ours, "at once": at_once}[which](movie, operator):
        total += float(frame.sum(dtype="float64"))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {"bytes": max(peak, 0), "seconds": seconds, "sum": total}


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def in_process(which: str, size: int, frames: int) -> dict:
    """Run `measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", which, str(size), str(frames)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small movies only")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        which, size, frames = arguments.one
        print(json.dumps(measure(which, int(size), int(frames))))
        return
    cases = [(128, 16), (128, 64), (256, 16), (256, 32), (256, 64), (512, 16)]
    cases = cases[:2] if arguments.quick else cases
    print(f"half-octave pyramid, FIR of {TAPS} taps, {RUN} output frames at a time, one thread")
    print("                      peak memory above import        CPU time a frame")
    print(" size px  frames    ours MiB  at once MiB  ratio     ours ms  at once ms   ratio")
    for size, frames in cases:
        mine, other = (in_process(which, size, frames) for which in ("ours", "at once"))
        if abs(mine["sum"] - other["sum"]) > 1e-4 * abs(other["sum"]):
            raise SystemExit(f"they draw different movies: {mine['sum']} and {other['sum']}")
        a, b = mine["bytes"] / 2**20, other["bytes"] / 2**20
        s, u = 1e3 * mine["seconds"] / frames, 1e3 * other["seconds"] / frames
        print(
            f"{size:>5}^2 {frames:>7} {a:>11.0f} {b:>12.0f} {b / a:>6.1f} {s:>11.0f} {u:>11.0f} "
            f"{s / u:>7.2f}"
        )


if __name__ == "__main__":
    main()
