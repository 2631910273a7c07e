"""Find the pitch of filmed tuning forks, in the movie as it is, magnified, and where nothing moves.

python benchmarks/tuning_forks.py tuning_hz64_fps1000_50-1_640x420.mp4 --frequency 64 --fps 1000
    --fork 55 118 294 334 --still 200 300 420 560

The recordings are those of "A Novice Video Vibration Analysis Framework with Motion Magnification"
(github.com/kevinvv, MIT licence), not part of this repository. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from napari_motionmag import magnify
from napari_motionmag.io import open_movie
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views import displacement_trace, motion_spectrum, motionless_surrogate
from napari_motionmag.views.figures.text import with_error

MARGIN = 24  # px around a region that is cut out: what magnification and registration need
NEAR = 0.1  # of the pitch: a peak so near would be taken for it


def main(argv: list[str] | None = None) -> None:
    """Print the table of one recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("movie", type=Path)
    parser.add_argument("--frequency", type=float, required=True, help="Hz, as stamped on the fork")
    parser.add_argument("--fps", type=float, required=True, help="of the camera, not of the file")
    parser.add_argument(
        "--fork", type=int, nargs=4, required=True, metavar=("Y0", "Y1", "X0", "X1")
    )
    parser.add_argument("--still", type=int, nargs=4, required=True, help="a part of the wall")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--factor", type=float, default=3)
    parser.add_argument("--methods", nargs="*", default=["riesz", "phase", "learned"])
    arguments = parser.parse_args(argv)
    print(f"{arguments.movie.name}: {arguments.frames} frames at {arguments.fps:g} fps\n")
    print("| what is measured | peak (Hz) | amplitude (px) | x background | s |")
    print("|---|---|---|---|---|")
    fork = _cut(arguments, arguments.fork)
    pitch = arguments.frequency
    _row("fork", *fork, pitch)
    _row("wall", *_cut(arguments, arguments.still), pitch)
    surrogate = motionless_surrogate(fork[0])
    _row("fork, motion taken out", surrogate, fork[1], pitch)
    band = (0.85 * pitch, 1.15 * pitch)
    for method in arguments.methods:
        for name, movie in (("fork", fork[0]), ("fork, motion taken out", surrogate)):
            made = magnify(
                movie, arguments.factor, method=method, mode="temporal", band=band, fps=movie.fps
            )
            title = f"{name}, magnified x {arguments.factor:g} ({method})"
            _row(title, movie.replace(data=made), fork[1], pitch)


def _cut(arguments, region) -> tuple[Movie, tuple[int, ...]]:
    """A region with some room around it, as a grey movie, and the region within."""
    movie = open_movie(arguments.movie, fps=arguments.fps)
    y0, y1, x0, x1 = region
    height, width = movie.frame_shape[:2]
    top, left = max(0, y0 - MARGIN), max(0, x0 - MARGIN)
    rows, columns = slice(top, min(height, y1 + MARGIN)), slice(left, min(width, x1 + MARGIN))
    frames = np.asarray(movie.data[: arguments.frames, rows, columns])
    grey = frames[..., 1] if frames.ndim == 4 else frames
    return Movie(grey, axes="TYX", fps=arguments.fps), (y0 - top, y1 - top, x0 - left, x1 - left)


def _row(title: str, movie: Movie, region, pitch: float) -> None:
    """Print what is found near the pitch."""
    begun = time.perf_counter()
    spectrum = motion_spectrum(displacement_trace(movie, region), direction=0.0)
    near = ((1 - NEAR) * pitch, (1 + NEAR) * pitch)
    peaks = spectrum.peaks(near)
    inside = (spectrum.frequencies >= near[0]) & (spectrum.frequencies <= near[1])
    seconds = time.perf_counter() - begun
    if peaks:
        peak = peaks[0]
        found = with_error(peak.frequency, peak.sigma_frequency)
        amplitude = with_error(peak.amplitude, peak.sigma_amplitude)
        ratio = f"{float(f'{peak.ratio:.2g}'):,.0f}"
    else:
        found = f"none within {near[0]:.1f} to {near[1]:.1f}"
        amplitude = f"< {max(float(spectrum.amplitude[inside].max()), 1e-4):.1g}"
        ratio = f"{float((spectrum.density / spectrum.background)[inside].max()):.1f}"
    print(f"| {title} | {found} | {amplitude} | {ratio} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
