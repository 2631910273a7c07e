"""Fig. 7, 10 and A.3: the motion that comes out, measured."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import minimize_scalar

from napari_motionmag.evaluation.paper.discs import DiscMovie
from napari_motionmag.evaluation.paper.figure import Figure, MethodsMissing, Setting, blank
from napari_motionmag.temporal import FIR, Static

FACTOR = 12.0
_WINDOW = 11  # px around a string


@lru_cache(maxsize=1)
def _strings():
    """Return middle frames of the strings, rows, frequencies, amplitudes and the rate."""
    from napari_motionmag import samples

    movie, info = samples.load("strings", n_frames=72)
    middle = movie.shape[2] // 2
    frames = [f.astype(np.float32) / 255 for f in movie[:, :, middle - 64 : middle + 64]]
    return frames, info["rows"], info["frequencies"], info["amplitude"], info["fps"]


def _course(frames: np.ndarray, row: float) -> np.ndarray:
    """Return where a bright string is along y, px from its row: its center of gravity."""
    y = np.arange(round(row) - _WINDOW, round(row) + _WINDOW + 1)
    profile = np.asarray(frames)[:, y, 56:72].mean(2)
    mass = np.clip(profile - profile.min(1, keepdims=True) - 0.05, 0, None)
    return mass @ y / mass.sum(1) - row


def _frequency(course: np.ndarray, fps: float) -> float:
    """Return the frequency of the peak of the spectrum, Hz."""
    x = (course - course.mean()) * np.hanning(len(course))
    t = np.arange(len(course)) / fps
    rates = np.fft.rfftfreq(8 * len(x), 1 / fps)
    peak = rates[np.abs(np.fft.rfft(x, 8 * len(x))).argmax()]

    def power(f):
        return -abs(x @ np.exp(-2j * np.pi * f * t))

    step = fps / len(x) / 2
    return float(minimize_scalar(power, bounds=(peak - step, peak + step), method="bounded").x)


def _amplitude(course: np.ndarray, frequency: float, fps: float) -> float:
    phase = 2 * np.pi * frequency * np.arange(len(course)) / fps
    terms = np.stack([np.sin(phase), np.cos(phase), np.ones(len(course))], 1)
    return float(np.hypot(*np.linalg.lstsq(terms, course, rcond=None)[0][:2]))


def bands(setting: Setting):
    """Fig. 7: each band selects the string that vibrates in it."""
    frames, rows, frequencies, amplitudes, fps = _strings()
    times = list(range(len(frames)))
    canvas = blank(3 * len(frequencies), 2 * len(setting.methods))
    canvas.supxlabel("time")
    canvas.supylabel("y")
    plots = canvas.subplots(len(setting.methods), len(frequencies), squeeze=False)
    numbers = {}
    for (name, method), line in zip(setting.methods.items(), plots, strict=True):
        own, others = [], []
        for band, (frequency, axes) in enumerate(zip(frequencies, line, strict=True)):
            operator = FIR(frequency - 10, frequency + 10, fps=fps)
            drawn = method.magnify(frames, operator, times, FACTOR)
            for k, row in enumerate(rows):
                gain = _amplitude(_course(drawn, row), frequencies[k], fps) / amplitudes[k]
                (own if k == band else others).append(gain)
            axes.imshow(drawn[:, :, 64].T, cmap="gray", vmin=0, vmax=1, aspect="auto")
            axes.set_title(f"{name}, {frequency:g} Hz", fontsize=8)
            axes.axis("off")
        numbers[name] = {"gain of its own string": own, "largest gain of others": max(others)}
    return {"factor": FACTOR, **numbers}, canvas


def broad(setting: Setting):
    """Fig. A.3: static mode magnifies all strings and leaves their frequencies."""
    if not setting.learned:
        raise MethodsMissing(f"methods must have a learned one, got {', '.join(setting.names)}")
    frames, rows, frequencies, _, fps = _strings()
    numbers, canvas = {"truth [Hz]": list(frequencies)}, blank(9, 2.4 * len(setting.learned))
    canvas.supxlabel("time")
    canvas.supylabel("y")
    plots = canvas.subplots(len(setting.learned), 1, squeeze=False)[:, 0]
    for (name, method), axes in zip(setting.learned.items(), plots, strict=True):
        reference = Static(slice(None))
        drawn = method.magnify(frames, reference, list(range(len(frames))), FACTOR)
        found = [_frequency(_course(drawn, row), fps) for row in rows]
        numbers[name] = {
            "frequencies [Hz]": found,
            "largest error": float(np.max(np.abs(np.divide(found, frequencies) - 1))),
        }
        axes.imshow(drawn[:, :, 64].T, cmap="gray", vmin=0, vmax=1, aspect="auto")
        axes.set_title(f"{name}: " + ", ".join(f"{f:.1f} Hz" for f in found), fontsize=8)
        axes.axis("off")
    return numbers, canvas


def accuracy(setting: Setting):
    """Fig. 10: a struck object, static 10x without a filter; measured against the true course."""
    fps, factor = 300.0, 10.0
    t = np.arange(60) / fps
    struck = np.exp(-12 * t) * (np.sin(2 * np.pi * 24 * t) + 0.4 * np.sin(2 * np.pi * 67 * t))
    movie = DiscMovie(struck[:, None] * (0.24, 0.18), noise=0.5)
    operator, times = Static(0), list(range(1, len(t)))
    asked = np.array([movie.target(operator, k, factor) for k in times])
    canvas = blank(7, 3.2)
    axes = canvas.subplots()
    axes.plot(t[1:], asked[:, 0], "k--", label="true, 10x")
    numbers = {}
    for name, method in setting.methods.items():
        drawn = method.magnify(movie.frames, operator, times, factor)
        found = np.array(
            [
                movie.located(frame, target, movie.positions[k])
                for frame, target, k in zip(drawn, asked, times, strict=True)
            ]
        )
        numbers[name] = {
            "correlation": float(np.corrcoef(found.ravel(), asked.ravel())[0, 1]),
            "gain": float((found * asked).sum() / (asked**2).sum()),
            "rms error [px]": float(np.sqrt(((found - asked) ** 2).sum(1).mean())),
        }
        axes.plot(t[1:], found[:, 0], label=name)
    axes.set(xlabel="time [s]", ylabel="displacement [px]")
    axes.legend(fontsize=8)
    return numbers, canvas


FIGURES = (
    Figure("7", "Each band selects its own string, 12x", bands),
    Figure("10", "Measured against true displacement, 10x", accuracy),
    Figure("A.3", "Static mode leaves frequencies as they are, 12x", broad),
)
