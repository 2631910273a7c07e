"""A movie of terabytes that is not there: planning, memory, frames anywhere, the graph.

    python benchmarks/terabyte.py [--quick] [--threads N]

The source has a million frames of 2048x2048 uint16 (8.4 TB) and makes those that are read. Each
mode runs in a process of its own, whose memory counts from when the first frame was drawn.
"""

from __future__ import annotations

import json
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import Table, arguments

MODES = {
    "static": {},
    "temporal, FIR of 51 taps": {"mode": "temporal", "band": (2, 4), "taps": 51},
    "temporal, Butterworth": {"mode": "temporal", "band": (2, 4), "filter": "butterworth"},
    "dynamic": {"mode": "dynamic"},
}
FRAMES, SIDE = 1_000_000, 2048


class Film:
    """Frames that are made when they are indexed; counts them."""

    ndim, dtype = 3, np.dtype(np.uint16)

    def __init__(self, frames: int, side: int):
        self.shape = (frames, side, side)
        self.read: list[int] = []
        y, x = np.mgrid[:side, :side].astype(np.float32)
        self._waves = np.sin(x / 5), np.cos(x / 5), 9000 * np.sin(y / 7)

    def __reduce__(self):
        return Film, (self.shape[0], self.shape[1])

    def __getitem__(self, index):
        t = index[0] if isinstance(index, tuple) else index
        rest = index[1:] if isinstance(index, tuple) else ()
        self.read.append(int(t))
        shift = 0.2 * np.sin(2 * np.pi * 3 * t / 20)
        sine, cosine, rows = self._waves
        frame = rows * (sine * np.cos(shift / 5) + cosine * np.sin(shift / 5)) + 20000
        return frame.astype(np.uint16)[rest]


def resident() -> int:
    """Bytes of memory that this process holds."""
    import psutil

    return psutil.Process().memory_info().rss


def measure(mode: str, frames: int, side: int) -> dict:
    """Measure one mode, in a process of its own."""
    from napari_motionmag import Movie, magnify

    options = dict(MODES[mode])
    taps = options.pop("taps", None)
    if taps is not None:
        from napari_motionmag.temporal import FIR

        options = {"mode": FIR(*options["band"], 20.0, taps=taps)}
    magnify(Movie(Film(16, 64), fps=20), 5, device="cpu")[3].compute()  # imports all
    film = Film(frames, side)
    movie = Movie(film, fps=20, intensity_range=(0, 65535))
    before = resident(), time.process_time()
    result = magnify(movie, 5, device="cpu", **options)
    planning = time.process_time() - before[1]
    planned = resident() - before[0]
    graph = result.__dask_graph__()
    whole = len(pickle.dumps(graph))
    one = result[frames // 2]
    task = sum(len(pickle.dumps(value)) for value in dict(one.__dask_optimize__(
        one.__dask_graph__(), one.__dask_keys__())).values())  # fmt: skip

    def draw(t: int) -> tuple[float, int]:
        film.read.clear()
        begun = time.process_time()
        result[t].compute(scheduler="synchronous")
        return time.process_time() - begun, len(set(film.read))

    first, reads = draw(frames // 2)
    held = resident()
    random = np.random.default_rng(0)
    far = [draw(int(t)) for t in random.integers(100, frames - 100, 3)]
    near = [draw(frames // 2 + k) for k in range(1, 3)]
    return {
        "planning": planning, "planned": planned, "whole": whole, "task": task, "first": first,
        "reads": reads, "far": statistics.median(s for s, _ in far),
        "near": statistics.median(s for s, _ in near), "grown": resident() - held,
    }  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--mode":
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
        return
    given = arguments(__doc__)
    frames, side = (10_000, 128) if given.quick else (FRAMES, SIDE)
    table = Table(
        f"{frames:,} frames of {side}x{side}", "planning, CPU ms", "graph, kB", "one task, kB",
        "first frame, CPU s", "frames read for it", "jump, CPU s", "next frame, CPU s",
        "memory of planning, MB", "memory of 5 further frames, MB",
    )  # fmt: skip
    for mode in MODES:
        argv = [sys.executable, "-W", "ignore", __file__, "--mode", mode, str(frames), str(side)]
        ran = subprocess.run(
            argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        )
        found = json.loads(ran.stdout.splitlines()[-1])
        table.add(
            mode, f"{1e3 * found['planning']:.0f}", f"{found['whole'] / 1e3:.1f}",
            f"{found['task'] / 1e3:.1f}", f"{found['first']:.2f}", found["reads"],
            f"{found['far']:.2f}", f"{found['near']:.2f}", f"{found['planned'] / 1e6:.0f}",
            f"{found['grown'] / 1e6:.0f}",
        )  # fmt: skip
    table.save(given.json)


if __name__ == "__main__":
    main()
