"""A.2.6: applications: frames between frames, and cinemagraphs that move more or less."""

from __future__ import annotations

import numpy as np

from napari_motionmag.evaluation.paper.discs import DiscMovie, sine
from napari_motionmag.evaluation.paper.figure import Figure, Setting, shown
from napari_motionmag.evaluation.protocols import similarity
from napari_motionmag.evaluation.scenes import Pair
from napari_motionmag.temporal import Static

BETWEEN = (0.2, 0.4, 0.6, 0.8)
DYNAMISM = (0.0, 0.5, 2.0, 3.0)


def applications(setting: Setting):
    """Draw frames between two, and a loop that moves less or more than it did."""
    scores, frames = _between(setting)
    errors, slices = _dynamism(setting)
    pictures = {**frames, **slices}
    return {**scores, **errors}, shown(list(pictures.values()), list(pictures), columns=5)


def _between(setting: Setting) -> tuple[dict, dict]:
    """Draw four frames between two that are 4 px apart: five times as slow.

    Beside them what costs nothing: fading one frame into the other, and the nearer of the two.
    """
    scores: dict = {name: [] for name in (*setting.learned, "faded", "nearer frame")}
    for seed in range(setting.seeds):
        pair = Pair.make(seed)
        first, last = pair.at(0.0, 0.0), pair.at(4.0, 4.0)
        for share in BETWEEN:
            truth = pair.at(4.0 * share, 4.0 * share)
            drawn = {
                name: method.magnify([first, last], Static(0), [1], share)[0]
                for name, method in setting.learned.items()
            }
            drawn["faded"] = first + share * (last - first)
            drawn["nearer frame"] = last if share > 0.5 else first
            for name, frame in drawn.items():
                scores[name].append(similarity(frame, truth))
            if seed == 0 and share == BETWEEN[1]:
                pictures = {**drawn, f"truth at {share:g}": truth}
    return {f"SSIM, {name}": float(np.mean(values)) for name, values in scores.items()}, pictures


def _dynamism(setting: Setting) -> tuple[dict, dict]:
    """Draw a disc that comes and goes by 1.8 px, and measure where it is; slices: x over time."""
    movie = DiscMovie(sine(24, 24, 1, (1.0, 1.5), phase=0))
    times = list(range(1, 24))
    errors, slices = {}, {"loop": np.array(movie.frames)[:, 64].T}
    for name, method in setting.learned.items():
        for factor in DYNAMISM:
            drawn = method.magnify(movie.frames, Static(0), times, factor)
            targets = [movie.target(Static(0), t, factor) for t in times]
            found = [movie.located(*pair) for pair in zip(drawn, targets, strict=True)]
            label = f"loop x{factor:g}, {name}"
            off = np.subtract(found, targets)
            errors[f"{label}, rms error [px]"] = float(np.sqrt((off**2).sum(1).mean()))
            slices[label] = np.array([movie.frames[0], *drawn])[:, 64].T
    return errors, slices


FIGURES = (
    Figure("A.2.6", "Frames between frames, and loops that move more or less", applications),
)
