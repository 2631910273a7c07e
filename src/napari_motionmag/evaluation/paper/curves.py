"""Fig. 8, 11, A.2 and A.5: curves."""

from __future__ import annotations

import warnings

import numpy as np

from napari_motionmag.evaluation import run
from napari_motionmag.evaluation.paper.figure import Figure, Setting, blank, shown
from napari_motionmag.evaluation.protocols import gap_closed, temporal_case
from napari_motionmag.temporal import (
    FIR,
    Acceleration,
    Butterworth,
    DifferenceOfIIR,
    Dynamic,
    Static,
)


def _protocols(setting: Setting, *names: str):
    with warnings.catch_warnings():  # beyond a method's bounds is the point
        warnings.simplefilter("ignore", UserWarning)
        found = run.scores(setting.methods, setting.seeds, False, names)
    numbers = {
        f"SSIM, {name} {row['level']:g}": {"input": row["floor"], **row["ssim"]}
        for name, rows in found["protocols"].items()
        for row in rows
    }
    return numbers, run.curves(found)


def quantitative(setting: Setting):
    """Fig. 8: sub-pixel motion, and noise at 0.05 px and 5 px."""
    return _protocols(setting, "subpixel", "noise_small", "noise_large")


def additional(setting: Setting):
    """Fig. A.5, and the rest of Table A.2: noise on real pictures, factor, input, output motion."""
    return _protocols(setting, "noise_real", "factor", "input_motion", "output_motion")


def high_factors(setting: Setting):
    """Fig. 11: a temporal filter at 20x, 50x and 300x; 0.05 px at 3 Hz."""
    numbers: dict = {name: {} for name in setting.learned}
    frames, titles = [], []
    for factor in (20.0, 50.0, 300.0):
        shares: dict = {name: [] for name in setting.learned}
        for seed in range(setting.seeds):
            case = temporal_case((0.05, factor), seed)
            drawn = {
                name: m.magnify(case.frames, case.operator, [case.time], factor)[0]
                for name, m in setting.learned.items()
            }
            for name, frame in drawn.items():
                shares[name].append(gap_closed(case.frames[case.time], frame, case.truth))
            if seed == 0:
                frames += [case.frames[case.time], *drawn.values(), case.truth]
                titles += [f"input, {factor:g}x", *drawn, "truth"]
        for name, values in shares.items():
            numbers[name][f"share of the gap closed, {factor:g}x"] = float(np.mean(values))
    return numbers, shown(frames, titles, columns=len(frames) // 3)


def responses(setting: Setting):
    """Fig. A.2: what two frames and what filters pass, and how long a narrow filter is."""
    from napari_motionmag.views import response_table

    fps = 60.0
    table = response_table(
        {
            "static": Static(0),
            "dynamic": Dynamic(1),
            "Butterworth 5-8 Hz": Butterworth(5, 8, fps=fps),
            "FIR 5-8 Hz": FIR(5, 8, fps=fps),
            "difference of IIR 5-8 Hz": DifferenceOfIIR(5, 8, fps=fps),
            "acceleration 6.5 Hz": Acceleration(6.5, fps=fps),
        },
        fps,
    )
    narrow = FIR(0.35, 0.71, fps=fps)
    canvas = blank(9, 3.6)
    left, right = canvas.subplots(1, 2)
    for name, gain in zip(table.names, table.decibels, strict=True):
        left.plot(table.frequencies, gain, label=name)
    left.set(xlabel="frequency [Hz]", ylabel="gain [dB]", ylim=(-60, 10))
    canvas.legend(loc="outside upper left", ncols=3, fontsize=8)
    right.plot(narrow.kernel)
    right.set(xlabel="frame", ylabel="weight", title="FIR 0.35-0.71 Hz at 60 frames/s")
    area = {n: float(np.mean(g**2)) for n, g in zip(table.names, table.gain, strict=True)}
    return {"mean power passed": area, "frames of the filter 0.35-0.71 Hz": narrow.n_taps}, canvas


FIGURES = (
    Figure("8", "Sub-pixel motion and noise", quantitative),
    Figure("11", "A temporal filter at high factors", high_factors),
    Figure("A.2", "Responses of the temporal operators", responses),
    Figure("A.5", "Noise on real pictures, factor, input and output motion", additional),
)
