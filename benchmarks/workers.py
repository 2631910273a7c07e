"""Frames per second of 1, 2 and 4 worker processes on one machine, against ideal.

    python benchmarks/workers.py [--quick] [--threads N]

Each worker computes and writes frames of an OME-Zarr, with as many threads of torch as asked for
(one). Frames per second while other programs run say little: the CPU milliseconds that all workers
together spend on a frame do not depend on these, and more than those of one worker are what
working side by side costs. The process that hands out the frames is counted beside them. Works
take turns; medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import Table, arguments, movie

from napari_motionmag import magnify
from napari_motionmag.compute import cluster
from napari_motionmag.io import open_movie, save_movie

WORKERS = 1, 2, 4


def main() -> None:
    given = arguments(__doc__)
    size, frames, rounds = (64, 8, 1) if given.quick else (512, 24, 3)
    found = {workers: [] for workers in WORKERS[: 2 if given.quick else None]}
    with tempfile.TemporaryDirectory() as folder:
        source = save_movie(Path(folder, "film.zarr"), movie(frames, size, np.uint16), fps=20)
        for _ in range(rounds):
            for workers, speeds in found.items():
                with (
                    patch.object(cluster, "_cores", lambda n=workers: n * given.threads),
                    cluster.connected(workers=workers) as client,
                ):
                    speeds.append(measured(client, open_movie(source), Path(folder, "out.zarr")))
    table = Table(
        f"workers, frames of {size}x{size}", "frames/s", "times one worker", "CPU ms a frame",
        "times one worker", "CPU ms of handing out",
    )  # fmt: skip
    one = found[WORKERS[0]]
    for workers, speeds in found.items():
        rate, cpu, own = (statistics.median(column) for column in zip(*speeds, strict=True))
        faster, dearer = (
            statistics.median(a[k] / b[k] for a, b in zip(speeds, one, strict=True)) for k in (0, 1)
        )
        row = f"{rate:.1f}", f"{faster:.2f}", f"{cpu:.0f}", f"{dearer:.2f}", f"{own:.1f}"
        table.add(workers, *row)
    table.save(given.json)


def measured(client, film, path: Path) -> tuple[float, float, float]:
    """Frames per second, and CPU ms a frame of the workers and of this process."""
    magnified = film.replace(data=magnify(film, 5, model="difference", device="cpu"))
    save_movie(path, magnified, client=client, overwrite=True)  # imports and loads everything
    before = spent(client), time.process_time(), time.perf_counter()
    again = film.replace(data=magnify(film, 6, model="difference", device="cpu"))
    save_movie(path, again, client=client, overwrite=True)
    seconds = time.perf_counter() - before[2]
    workers, own = spent(client) - before[0], time.process_time() - before[1]
    n = film.n_frames
    return n / seconds, 1e3 * workers / n, 1e3 * own / n


def spent(client) -> float:
    """CPU seconds of all workers together."""
    return sum(client.run(time.process_time).values())


if __name__ == "__main__":
    main()
