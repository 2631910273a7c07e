"""Time to the first frame after a parameter changed, as in the widget.

    python benchmarks/first_frame.py [--quick] [--threads N]

The movie is open and one frame is shown; then the factor, or the frame, changes and `magnify` is
called anew. Seconds until the frame is there, which is what a person waits, and in brackets the CPU
seconds of the process, which other programs do not lengthen as much. "opened": the very first frame
of a process that has imported everything, loading of the weights included.
"""

from __future__ import annotations

import statistics
import time

from common import Table, arguments, movie

from napari_motionmag import Movie, magnify

MODES = {
    "static": {},
    "temporal, FIR": {"mode": "temporal", "band": (2, 4)},
}


def main() -> None:
    given = arguments(__doc__)
    size, rounds = (128, 2) if given.quick else (512, 7)
    film = Movie(movie(40, size), fps=20)
    table = Table(
        f"{size}x{size}, {given.threads} thread", "model", "opened, s", "factor changed, s",
        "frame changed, s",
    )  # fmt: skip
    for model in ("difference", "oh2018"):
        for mode, options in MODES.items():

            def show(factor: float, t: int, model=model, options=options) -> tuple[float, float]:
                begun = time.perf_counter(), time.process_time()
                magnify(film, factor, model=model, device="cpu", **options)[t].compute()
                return time.perf_counter() - begun[0], time.process_time() - begun[1]

            opened = [show(5, 20)]
            show(5, 20)
            factor = [show(6 + n, 20) for n in range(rounds)]
            frame = [show(5, 21 + n) for n in range(rounds)]
            table.add(mode, model, *map(waited, (opened, factor, frame)))
    table.save(given.json)


def waited(seconds: list[tuple[float, float]]) -> str:
    wall, cpu = (statistics.median(column) for column in zip(*seconds, strict=True))
    return f"{wall:.2f} ({cpu:.2f})"


if __name__ == "__main__":
    main()
