"""CPU time of maps of motion and noise floors, and of traces.

    python benchmarks/measuring.py [--quick] [--threads N]

The sample `strings`, and a movie of the size of a recorded tuning fork. Each view reads each frame
once.
"""

from __future__ import annotations

import statistics

import numpy as np
from common import Table, arguments, interleaved, movie

from napari_motionmag import Movie, samples, views


class Counted:
    """Frames of an array; counts those that are read."""

    def __init__(self, frames: np.ndarray):
        self.frames, self.shape, self.dtype, self.ndim = frames, frames.shape, frames.dtype, 3
        self.reads = 0

    def __getitem__(self, index):
        self.reads += len(np.atleast_1d(np.arange(len(self.frames))[index[0]]))
        return self.frames[index]


def main() -> None:
    given = arguments(__doc__)
    frames, few, rounds = (32, 16, 1) if given.quick else (200, 48, 1)
    strings, about = samples.load("strings", n_frames=frames)
    texture = movie(few, 640)[:, :420]
    table = Table("view", "movie", "CPU ms a frame", "reads of a frame")
    works = {
        "motion map": views.motion_map,
        "noise floor": views.noise_floor,
        "noise floor, few frames": lambda film: views.noise_floor(film, measure=False),
        "displacement of a quarter": lambda film: views.displacement_trace(film, quarter(film)),
    }
    for name, data, fps in (("strings", strings, about["fps"]), ("texture", texture, 100.0)):
        source = Counted(np.asarray(data))
        film = Movie(source, axes="TYX", fps=fps)
        for view, work in works.items():
            times = interleaved({"view": lambda _, work=work: work(film)}, rounds)["view"]  # noqa: B023
            spent = 1e3 * statistics.median(times) / len(data)
            reads = source.reads / len(data) / (rounds + 1)
            source.reads = 0
            size = f"{name}, {len(data)} frames of {film.frame_shape[0]}x{film.frame_shape[1]}"
            table.add(view, size, f"{spent:.1f}", f"{reads:.2f}")
    table.save(given.json)


def quarter(film: Movie) -> tuple[slice, slice]:
    """Return the middle of the frame."""
    return tuple(slice(size // 4, 3 * size // 4) for size in film.frame_shape)


if __name__ == "__main__":
    main()
