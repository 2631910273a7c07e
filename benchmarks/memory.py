"""Peak memory of an export against the length of the movie.

    python benchmarks/memory.py [--quick] [--threads N]

Each export runs in a process of its own, from an OME-Zarr to a file through the command line's
functions, and reports its peak resident memory. Ten times the frames should take no more than 1.05
times the memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from common import Table, arguments, movie, passed

EXPORT = """
import resource, sys, torch
torch.set_num_threads(int(sys.argv[4]))
from napari_motionmag.cli import main as cli
code = cli.main(["magnify", sys.argv[1], sys.argv[2], "--factor", "5", "--quiet", "--overwrite",
                 "--device", "cpu", *sys.argv[5:]])
assert code == 0, code
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)
"""
METHODS = {
    "learned, difference": ["--model", "difference"],
    "learned, difference, temporal": [
        "--model", "difference", "--mode", "temporal", "--band", "2", "4",
    ],
    "learned, oh2018": ["--model", "oh2018"],
}  # fmt: skip


def main() -> None:
    given = arguments(__doc__)
    size, few = (64, 16) if given.quick else (256, 20)
    methods = dict(list(METHODS.items())[: 1 if given.quick else None])
    table = Table("export", "frames", "peak MB", "frames", "peak MB", "times the memory")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sources = {count: make(folder, size, count) for count in (few, 10 * few)}
        for name, options in methods.items():
            for extension in (".ome.tif", ".zarr"):
                peaks = {}
                for count, source in sources.items():
                    target = folder / f"out{extension}"
                    argv = [sys.executable, "-W", "ignore", "-c", EXPORT, source, target, "0"]
                    argv = [*map(str, argv), str(given.threads), *options]
                    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
                    peaks[count] = int(ran.stdout.splitlines()[-1])
                times = peaks[10 * few] / peaks[few]
                worst = max(worst, times)
                row = [cell for n, peak in peaks.items() for cell in (n, f"{peak / 1e6:.0f}")]
                table.add(f"{name}, {extension}, {size}x{size} uint16", *row, f"{times:.2f}")
    table.note(f"Worst: {worst:.2f} times (asked at most 1.05: {passed(worst <= 1.05)}).")
    table.save(given.json)


def make(folder: Path, size: int, count: int) -> Path:
    import dask.array as da
    import numpy as np

    from napari_motionmag.io import save_movie

    ten = movie(10, size, np.uint16)
    path = folder / f"film{count}.zarr"
    film = da.concatenate([da.from_array(ten, chunks=(1, -1, -1))] * -(-count // 10))[:count]
    return save_movie(path, film, fps=20)


if __name__ == "__main__":
    main()
