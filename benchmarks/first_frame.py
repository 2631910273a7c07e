"""Time to the first frame after a parameter changed, as in the widget.

    python benchmarks/first_frame.py [--quick] [--threads N]

The movie is open and one frame is shown; then the factor, or the frame, changes and `magnify` is
called anew. Wall time until the frame is there: what a person waits. "opened": the very first
frame of a process that has imported everything, loading of the weights included.
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

            def show(factor: float, t: int, model=model, options=options) -> float:
                begun = time.perf_counter()
                magnify(film, factor, model=model, device="cpu", **options)[t].compute()
                return time.perf_counter() - begun

            opened = show(5, 20)
            show(5, 20)
            factor = statistics.median(show(6 + n, 20) for n in range(rounds))
            frame = statistics.median(show(5, 21 + n) for n in range(rounds))
            table.add(mode, model, f"{opened:.2f}", f"{factor:.2f}", f"{frame:.2f}")
    table.save(given.json)


if __name__ == "__main__":
    main()
