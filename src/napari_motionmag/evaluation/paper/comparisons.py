"""Fig. 3 to 6, 12 and A.4: methods beside each other on edges that move."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from napari_motionmag.evaluation.paper.discs import DiscMovie, sine
from napari_motionmag.evaluation.paper.figure import Figure, Setting, blank, shown
from napari_motionmag.evaluation.protocols import similarity
from napari_motionmag.evaluation.run import make_method
from napari_motionmag.evaluation.scenes import Pair, add_noise
from napari_motionmag.methods.learned import weights
from napari_motionmag.temporal import FIR, Acceleration, Dynamic, Static

FPS = 30.0


def _compared(movie: DiscMovie, rows, t: int, factor: float) -> tuple[dict, list, list]:
    """Return numbers, frames and titles of (name, method, operator); last the first's truth."""
    numbers, frames, titles = {}, [movie.frames[t]], ["input"]
    for name, method, operator in rows:
        target = movie.target(operator, t, factor)
        drawn = method.magnify(movie.frames, operator, [t], factor)[0]
        asked = float(np.hypot(*(target - movie.positions[t])))
        numbers[name] = {**movie.errors(drawn, target), "added motion [px]": asked}
        frames.append(drawn)
        errors = "edge {edge:.1f}, ringing {ringing:.1f} [1/255]".format(**numbers[name])
        titles.append(f"{name}\n{errors}")
    frames.append(movie.render(movie.target(rows[0][2], t, factor)))
    return numbers, frames, [*titles, f"truth of\n{rows[0][0]}"]


def manipulators(setting: Setting):
    """Fig. 3: the same weights with the linear and the non-linear manipulator."""
    network, card = weights.load(setting.oh2018)
    linear = weights.build("oh2018", {**card["config"], "manipulator": "linear"})
    linear.load_state_dict(network.state_dict(), strict=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linear.safetensors"
        weights.save(path, linear, {"model": "oh2018"})
        methods = {
            "linear": make_method(f"learned:{path}", setting.device),
            "non-linear": make_method(f"learned:{setting.oh2018}", setting.device),
        }
        numbers: dict = {name: {"clean": [], "noisy": []} for name in methods}
        for seed in range(setting.seeds):
            pair, rng = Pair.make(seed), np.random.default_rng(seed)
            truth = pair.at(10.0, 10.0)
            for kind, noise in (("clean", 0.0), ("noisy", 3.0)):
                frames = [add_noise(pair.at(d, d), noise, rng) for d in (0.0, 1.0)]
                drawn = [m.magnify(frames, Static(0), [1], 10.0)[0] for m in methods.values()]
                for name, frame in zip(methods, drawn, strict=True):
                    numbers[name][kind].append(similarity(frame, truth))
                if seed == 0 and kind == "noisy":
                    picture = shown([frames[1], *drawn, truth], ["input", *methods, "truth"])
    return {
        f"SSIM, {name}": {kind: float(np.mean(v)) for kind, v in by_kind.items()}
        for name, by_kind in numbers.items()
    }, picture


def filtered(setting: Setting):
    """Fig. 4: edges and ringing with a temporal filter, at 20x and 8x."""
    numbers, frames, titles = {}, [], []
    for factor, amplitude in ((20.0, 0.25), (8.0, 0.8)):
        movie = DiscMovie(sine(60, FPS, 3.0, (0.6 * amplitude, 0.8 * amplitude)), noise=1.0)
        rows = [(name, m, FIR(2, 4, fps=FPS)) for name, m in setting.methods.items()]
        found, drawn, (_, *named) = _compared(movie, rows, 31, factor)
        numbers[f"{factor:g}x"] = found
        frames += drawn
        titles += [f"input, {factor:g}x", *named]
    return numbers, shown(frames, titles, columns=len(frames) // 2)


def filter_or_not(setting: Setting):
    """Fig. 5: with and without a temporal filter, on a disc that drifts besides, at 10x."""
    drift = sine(60, FPS, 0.3, (0.5, 0.0), phase=0.0)
    movie = DiscMovie(drift + sine(60, FPS, 3.0, (0.2, 0.3)), noise=1.0)
    band = FIR(2, 4, fps=FPS)
    rows = [(f"{name}, static", m, Static(0)) for name, m in setting.learned.items()]
    rows += [(f"{name}, filter", m, band) for name, m in setting.methods.items()]
    numbers, frames, titles = _compared(movie, rows, 31, 10.0)
    return numbers, shown(frames, titles)


def dynamic(setting: Setting):
    """Fig. 6: a disc that recoils, by two frames in dynamic mode and by acceleration, at 8x."""
    start = np.maximum(np.arange(40) - 15, 0)
    recoil = 14 * (1 - np.exp(-start / 6)) * np.exp(-start / 40)
    movie = DiscMovie(np.stack([0.2 * recoil, recoil], 1) - (0, 6), noise=1.0)
    rows = [(f"{name}, dynamic", m, Dynamic(1)) for name, m in setting.learned.items()]
    operator = Acceleration(4.0, fps=FPS)
    rows += [(f"{name}, acceleration", m, operator) for name, m in setting.methods.items()]
    numbers, frames, titles = _compared(movie, rows, 18, 8.0)
    return numbers, shown(frames, titles)


def blindness(setting: Setting):
    """Fig. 12: 0.03 px at 40 Hz on a disc that drifts by 2 px, band 30-50 Hz, at 75x."""
    n, fps, factor, amplitude = 150, 500.0, 75.0, 0.03
    slow = sine(n, fps, 2.0, (0.0, 2.0))
    movie = DiscMovie(slow + sine(n, fps, 40.0, (0.0, amplitude)), noise=0.5, radius=40.0)
    operator = FIR(30, 50, fps=fps)
    times = list(range(62, 87))  # two periods
    phase = 2 * np.pi * 40.0 * np.array(times) / fps
    terms = np.stack([np.sin(phase), np.cos(phase)], 1)
    numbers, courses = {}, {}
    for name, method in setting.methods.items():
        drawn = method.magnify(movie.frames, operator, times, factor)
        found = [
            movie.located(frame, movie.target(operator, t, factor), slow[t])[1] - slow[t, 1]
            for t, frame in zip(times, drawn, strict=True)
        ]
        courses[name] = np.array(found)
        fit = np.linalg.lstsq(terms, courses[name] - np.mean(found), rcond=None)[0]
        numbers[f"share of the asked motion, {name}"] = float(np.hypot(*fit) / (factor * amplitude))
    truth = [(movie.target(operator, t, factor) - slow[t])[1] for t in times]
    return numbers, _courses(np.array(times) / fps, truth, courses)


def _courses(times, truth, courses):
    canvas = blank(7, 3.2)
    axes = canvas.subplots()
    axes.plot(times, truth, "k--", label="asked")
    for name, course in courses.items():
        axes.plot(times, course, label=name)
    axes.set(xlabel="time [s]", ylabel="displacement [px]")
    axes.legend(fontsize=8)
    return canvas


def slices(setting: Setting):
    """Fig. A.4: slices of a disc that crosses the frame and vibrates, all in dynamic mode, 6x."""
    n = 40
    crossing = np.stack([np.zeros(n), np.linspace(-20, 20, n)], 1)
    movie = DiscMovie(crossing + sine(n, FPS, 7.0, (0.0, 0.5)), noise=1.0, radius=20.0)
    operator, factor, times = Dynamic(1), 6.0, list(range(1, n))
    rest = {"riesz": make_method("riesz"), "linear": make_method("linear")}
    row = movie.frames[0].shape[0] // 2
    truth = np.stack([movie.render(movie.target(operator, t, factor))[row] for t in times])
    numbers, cuts = {}, {"input": np.stack([movie.frames[t][row] for t in times])}
    for name, method in {**setting.methods, **rest}.items():
        cuts[name] = method.magnify(movie.frames, operator, times, factor)[:, row]
        off = 255 * np.abs(cuts[name] - truth)
        numbers[f"mean error of the slice, {name}"] = float(off.mean())
    cuts["truth"] = truth
    canvas = shown([c.T for c in cuts.values()], list(cuts), aspect="auto")
    canvas.supxlabel("time")
    canvas.supylabel("x")
    return numbers, canvas


FIGURES = (
    Figure("3", "Linear and non-linear manipulator (SSIM, 1 px x10)", manipulators),
    Figure("4", "Edges with a temporal filter, 20x and 8x", filtered),
    Figure("5", "A temporal filter or none, 10x", filter_or_not),
    Figure("6", "Two frames against acceleration, 8x", dynamic),
    Figure("12", "A tiny fast motion on a large slow disc, 75x", blindness),
    Figure("A.4", "Slices in dynamic mode, 6x", slices),
)
