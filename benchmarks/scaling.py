"""Cost of a frame against the size of frames and the length of the movie.

    python benchmarks/scaling.py [--quick] [--threads N]

CPU milliseconds of one more frame of `magnify(...)`, per megapixel; sizes take turns within each
round. A cost that grows with the area alone has a constant last column.
"""

from __future__ import annotations

import statistics

import dask.array as da
from common import Table, arguments, interleaved, movie

from napari_motionmag import magnify

BAND = {"mode": "temporal", "band": (2, 4), "fps": 20}


def main() -> None:
    given = arguments(__doc__)
    sizes = (64, 128) if given.quick else (128, 256, 512, 1024)
    lengths = (10, 50) if given.quick else (10, 100, 1000)
    rounds = 2 if given.quick else 5
    table = Table("model", "mode", "frame", "frames", "CPU ms a frame", "CPU ms a megapixel")
    for model in ("difference", "oh2018"):
        works = {}
        for size in sizes:
            works[size] = shown(movie(rounds + 2, size), model, {})
        for size, seconds in interleaved(works, rounds).items():
            add(table, model, "static", size, rounds + 2, seconds)
    size = 64 if given.quick else 256
    few = movie(10, size)
    for mode, options in {"static": {}, "temporal": BAND}.items():
        works = {}
        for length in lengths:
            film = da.concatenate([da.from_array(few, chunks=(1, -1, -1))] * (length // 10))
            works[length] = shown(film, "difference", options, length // 2 - rounds // 2)
        for length, seconds in interleaved(works, rounds).items():
            add(table, "difference", mode, size, length, seconds)
    table.save(given.json)


def shown(film, model: str, options: dict, first: int = 1):
    drawn = magnify(film, 5, model=model, device="cpu", precision="float32", **options)
    return lambda number: drawn[first + number].compute(scheduler="synchronous")


def add(table: Table, model: str, mode: str, size: int, frames: int, seconds) -> None:
    median = 1e3 * statistics.median(seconds)
    table.add(
        model, mode, f"{size}x{size}", frames, f"{median:.1f}", f"{median / (size / 1e3) ** 2:.0f}"
    )


if __name__ == "__main__":
    main()
