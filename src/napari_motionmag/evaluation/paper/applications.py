"""A.2.6: applications, with factors below 1."""

from __future__ import annotations

import numpy as np

from napari_motionmag.evaluation.paper.figure import Figure, Setting, shown
from napari_motionmag.evaluation.protocols import similarity
from napari_motionmag.evaluation.scenes import Pair
from napari_motionmag.temporal import Static

BETWEEN = (0.2, 0.4, 0.6, 0.8)


def interpolation(setting: Setting):
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
                picture = shown([*drawn.values(), truth], [*drawn, f"truth at {share:g}"])
    return {f"SSIM, {name}": float(np.mean(values)) for name, values in scores.items()}, picture


FIGURES = (Figure("A.2.6", "Frames between two frames", interpolation),)
