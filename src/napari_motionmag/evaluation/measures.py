"""Measures of later work: rigid motion, flicker, thin lines, texture, the ends of a movie.

Each measure is a function of a method and a scene's seed that returns numbers by name.
"""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from napari_motionmag.evaluation.protocols import (
    CROP,
    FPS,
    MOTIONS,
    common_drift,
    gap_closed,
    vibration,
    window_displacements,
)
from napari_motionmag.evaluation.scenes import Pair, add_noise
from napari_motionmag.temporal import FIR, Static

MOVIE = 64  # frames of the whole movie
ENDS = 12  # of them at each end
WIDTHS = (1.0, 2.0, 3.0, 6.0)  # px, of lines


def rigidity(method, seed: int) -> dict[str, float]:
    """Measure the motion of the parts of a picture that moves as a whole by 0.05 px, in noise, x76.

    Windows of 48 px of the result are registered to the truth: ``magnification error`` is their
    mean displacement from it, ``deviation`` the rms of what is left, in px.
    """
    pair, rng = Pair.make(seed, gray=True), np.random.default_rng(seed)
    delta, factor = 0.05 * np.array([0.6, 0.8]), 76.0
    frames = [add_noise(pair.at(0.0, drift=tuple(k * delta)), 1.0, rng)[..., 0] for k in (0, 1)]
    truth = pair.at(0.0, drift=tuple(factor * delta))[..., 0]
    drawn = method.magnify(frames, Static(0), [1], factor)[0]
    # slopes by differences are right where the picture is smooth
    off = window_displacements(*(gaussian_filter(picture, 2) for picture in (truth, drawn)))
    mean = off.mean(0)
    return {
        "magnification error [px]": float(np.hypot(*mean)),
        "deviation [px]": float(np.sqrt(((off - mean) ** 2).sum(1).mean())),
    }


def flicker(method, seed: int) -> dict[str, float]:
    """Change from frame to frame that is not motion, over the input's, band 2-4 Hz.

    ``still``: a still scene in noise, x76. ``moving``: objects that move by 0.1 px at 3 Hz, x40,
    after the true motion is taken from both movies.
    """
    pair, rng = Pair.make(seed), np.random.default_rng(seed)
    times = list(range(24, 32))
    out = {}
    for name, amplitude, factor in (("still", 0.0, 76.0), ("moving", 0.1, 40.0)):
        course = [amplitude * vibration(t, 0.3) for t in range(56)]
        clean = [pair.at(c) for c in course]
        frames = [add_noise(frame, 1.0, rng) for frame in clean]
        drawn = method.magnify(frames, FIR(2, 4, fps=FPS), times, factor)
        off = [drawn[k] - pair.at(factor * course[t]) for k, t in enumerate(times)]
        given = [frames[t] - clean[t] for t in times]
        out[name] = _unrest(off) / _unrest(given)
    return out


def _unrest(frames) -> float:
    inner = np.stack(frames)[:, CROP:-CROP, CROP:-CROP]
    return float(np.sqrt((np.diff(inner, axis=0) ** 2).mean()))


def thin_lines(method, seed: int) -> dict[str, float]:
    """Measure the gain over 8 of lines that vibrate by 0.4 px at 5 Hz over a 1 Hz drift of 2 px.

    Band 4-6 Hz; by the width of the line.
    """
    n, factor = 90, 8.0
    t = np.arange(n) / FPS
    rng = np.random.default_rng(seed)
    own = 0.4 * np.sin(2 * np.pi * 5 * t + rng.uniform(0, 2 * np.pi))
    drift = 2 * np.sin(2 * np.pi * t + rng.uniform(0, 2 * np.pi))
    times = list(range(39, 51))  # two periods
    terms = np.stack([own[times], np.ones(len(times)), t[times] - t[times].mean()], 1)
    x = np.arange(96) - 47.5
    texture = 0.02 * rng.standard_normal((96, 1))
    out = {}
    for width in WIDTHS:
        edges = [
            erf((x - at + side * width / 2) / (0.7 * np.sqrt(2)))
            for at in own + drift
            for side in (1, -1)
        ]
        lines = [0.25 * (a - b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        frames = [(0.3 + texture + line).astype(np.float32) for line in lines]
        drawn = method.magnify(frames, FIR(4, 6, fps=FPS), times, factor)
        mass = np.clip(drawn[:, 24:-24].mean(1) - 0.35, 0, None)
        found = mass @ x / mass.sum(1) - drift[times]
        gain = np.linalg.lstsq(terms, found, rcond=None)[0][0]
        out[f"{width:g} px"] = float(gain / factor)
    return out


def texture(method, seed: int) -> dict[str, float]:
    """Return the gradient energy of a still scene in noise, x8, over the input's: 1 keeps it."""
    frame, rng = Pair.make(seed).at(0.0), np.random.default_rng(seed)
    frames = [add_noise(frame, 1.0, rng) for _ in range(2)]
    drawn = method.magnify(frames, Static(0), [1], 8.0)[0]
    return {"gradient energy": _gradient(drawn) / _gradient(frames[1])}


def _gradient(frame: np.ndarray) -> float:
    inner = frame[CROP:-CROP, CROP:-CROP]
    return float(sum((slope**2).mean() for slope in np.gradient(inner, axis=(0, 1))))


def whole_movie(method, seed: int) -> dict[str, float]:
    """Return the share of the gap closed at all crests of a movie of 64 frames, its ends apart.

    The scene of the protocol ``temporal``.
    """
    pair, rng = Pair.make(seed), np.random.default_rng(1000 + seed)
    phase = rng.uniform(0, 2 * np.pi)
    operator = FIR(2, 4, fps=FPS)
    crests = [t for t in range(MOVIE) if abs(vibration(t, 0.3)) > 0.95]
    drifts = [common_drift(t, phase) for t in range(MOVIE)]
    out = {}
    for amplitude, factor in MOTIONS:
        course = [amplitude * vibration(t, 0.3) for t in range(MOVIE)]
        frames = [
            add_noise(pair.at(c, drift=d), 1.0, rng) for c, d in zip(course, drifts, strict=True)
        ]
        shares: dict[str, list[float]] = {"middle": [], "ends": []}
        drawn = method.magnify(frames, operator, crests, factor)
        for t, frame in zip(crests, drawn, strict=True):
            truth = pair.at(factor * course[t], drift=drifts[t])
            where = "middle" if ENDS <= t < MOVIE - ENDS else "ends"
            shares[where].append(gap_closed(frames[t], frame, truth))
        for where, values in shares.items():
            out[f"{amplitude:g}x{factor:g}, {where}"] = float(np.mean(values))
    return out


MEASURES = {
    measure.__name__: measure for measure in (rigidity, flicker, thin_lines, texture, whole_movie)
}
