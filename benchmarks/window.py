"""Time from a click on "Magnify" to the first magnified frame in napari's window.

    python benchmarks/window.py [--quick] [--threads N]

Each row is a fresh process whose window shows a movie and the dock *Magnify motion*, at rest: what
the dock loads on its own is loaded. Then the button is clicked, and then the time slider moves from
frame to frame. Seconds, and CPU seconds of the process in brackets; medians over processes that
took turns. With compiled kernels in numba's cache, and with an empty cache, as after an
installation. Needs a display: on a server, run it by xvfb-run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import Table, arguments, movie

CACHES = "kept", "empty"
FRAMES = 10
WINDOW = """
import json, os, sys, time
import napari, numpy as np
from qtpy.QtWidgets import QAbstractButton, QApplication
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

def wait(condition, seconds=0.0):
    last = time.perf_counter() + seconds
    while not (condition() and time.perf_counter() >= last):
        QApplication.processEvents()
        time.sleep(0.002)

def drawn():
    layers = [x for x in viewer.layers if "napari_motionmag" in x.metadata]
    return bool(layers) and layers[0].visible and layers[0].loaded

def spent(work):
    begun = time.perf_counter(), time.process_time()
    work()
    wait(drawn)
    return time.perf_counter() - begun[0], time.process_time() - begun[1]

viewer = napari.Viewer(show=True)
viewer.add_image(np.load(sys.argv[1]), axis_labels=("t", "y", "x"))
dock = MagnifyWidget(viewer)
viewer.window.add_dock_widget(dock, name="Magnify motion")
wait(lambda: "torch" in sys.modules and not dock.working, 8)
viewer.dims.set_current_step(0, 5)
first = spent(dock.native.findChild(QAbstractButton, "magnify").click)
later = [spent(lambda: viewer.dims.set_current_step(0, t)) for t in range(6, 6 + int(sys.argv[2]))]
print(json.dumps([first, *later]), flush=True)
os._exit(0)  # without waiting for what is compiled
"""


def main() -> None:
    given = arguments(__doc__)
    size, rounds = (128, 1) if given.quick else (512, 3)
    table = Table(
        f"{size}x{size}, {given.threads} thread", "compiled kernels", "first frame, s",
        f"each of the next {FRAMES}, s",
    )  # fmt: skip
    found = {cache: [] for cache in CACHES}
    with tempfile.TemporaryDirectory() as folder:
        film, kept = Path(folder, "film.npy"), Path(folder, "kept")
        np.save(film, movie(40, size))
        argv = [sys.executable, "-c", "from napari_motionmag.methods.learned import kernels; "
                "assert kernels.available(), kernels.why_unavailable()"]  # fmt: skip
        subprocess.run(argv, env={**os.environ, "NUMBA_CACHE_DIR": str(kept)}, check=True)
        for _ in range(rounds):
            for cache in CACHES:
                with tempfile.TemporaryDirectory() as empty:
                    found[cache].append(
                        run(film, kept if cache == "kept" else empty, given.threads)
                    )
    for cache, runs in found.items():
        first = [times[0] for times in runs]
        later = [time for times in runs for time in times[1:]]
        table.add("difference", cache, waited(first), waited(later))
    table.save(given.json)


def run(film: Path, cache, threads: int) -> list[tuple[float, float]]:
    """Wall and CPU seconds of each frame in a fresh process."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as settings:
        environment["NAPARI_CONFIG"] = str(Path(settings, "settings.yaml"))
        argv = [sys.executable, "-W", "ignore", "-c", WINDOW, str(film), str(FRAMES)]
        ran = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def waited(seconds: list[tuple[float, float]]) -> str:
    wall, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
    return f"{wall:.2f} ({cpu:.2f})"


if __name__ == "__main__":
    main()
