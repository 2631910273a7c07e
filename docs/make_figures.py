"""Draw the figures that explain the methods: python docs/make_figures.py [NAME ...]

One figure for each method: what it takes from the movie, and what it draws. The scene is the sample
`beating_cell` without noise, of which the magnified frame is known exactly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "pictures" / "methods"
AMPLITUDE, FACTOR = 0.4, 12  # px, and what is asked for
REST, PEAK = 0, 11  # frames
CROP = (slice(58, 146), slice(20, 116))  # the left end of the cell
ROW = 46  # of the crop, along which profiles are taken


def main(argv: list[str] | None = None) -> None:
    """Draw the figures named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the figures")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(FIGURES))
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or FIGURES:
        path = arguments.out / f"{name}.png"
        FIGURES[name]().savefig(path, dpi=110, pil_kwargs={"optimize": True})
        print(f"{path} ({path.stat().st_size // 1000} kB)")


@cache
def scene(amplitude: float = AMPLITUDE):
    """Return the frames at rest and at the peak, 0 to 1, of a motion of `amplitude` px."""
    import numpy as np

    from napari_motionmag import samples

    movie, info = samples.load(
        "beating_cell", n_frames=PEAK + 1, noise=False, dtype="float32", amplitude=amplitude
    )
    low, high = samples.load("beating_cell", n_frames=2)[1]["contrast_limits"]
    frames = (movie[[REST, PEAK]] - low) / (high - low)
    return frames.astype(np.float32), info["fps"]


def method_figure(panels: list[tuple[str, object, dict]], **arguments):
    """Draw what a method takes from the movie, and what it draws beside what is true."""
    import numpy as np
    from matplotlib.figure import Figure

    from napari_motionmag import magnify

    frames, fps = scene()
    truth = scene(AMPLITUDE * FACTOR)[0][1]
    drawn = magnify(frames, FACTOR, axes="TYX", fps=fps, intensity_range=(0, 1), **arguments)[
        1
    ].compute()
    columns = len(panels) + 3
    figure = Figure(figsize=(2.3 * columns, 2.5), layout="constrained")
    axes = figure.subplots(1, columns)
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1}
    shown = [*panels, (f"drawn, x {FACTOR}", drawn, gray), (f"true, x {FACTOR}", truth, gray)]
    for ax, (title, picture, style) in zip(axes, shown, strict=False):
        picture = np.asarray(picture)
        picture = picture[CROP] if picture.shape == drawn.shape else picture
        ax.imshow(picture, **style)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    ax = axes[-1]
    for label, picture, style in (
        ("at rest", frames[0], {"color": "0.7"}),
        ("true", truth, {"color": "black", "linestyle": ":"}),
        ("drawn", drawn, {"color": "tab:red", "linewidth": 1}),
    ):
        ax.plot(picture[CROP][ROW], label=label, **style)
    for ax_ in axes[len(panels) : len(panels) + 2]:
        ax_.axhline(ROW, color="orange", linewidth=0.7, linestyle="--")
    ax.set_title("along the dashed row", fontsize=9)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7, frameon=False)
    return figure


def _around_zero(values) -> dict:
    import numpy as np

    most = float(np.quantile(np.abs(values), 0.999))
    return {"cmap": "RdBu", "vmin": -most, "vmax": most}


def linear():
    """Draw the linear method: the change of each pixel."""
    change = scene()[0][1] - scene()[0][0]
    return method_figure([("change of each pixel", change, _around_zero(change))], method="linear")


def phase():
    """Draw the phase-based method: a subband, and the change of its phase."""
    import numpy as np
    import torch

    from napari_motionmag.methods.classical.pyramids.steerable import SteerablePyramid

    frames = torch.from_numpy(scene()[0])
    pyramid = SteerablePyramid(tuple(frames.shape[1:]), "octave")
    spectra = pyramid.spectrum(frames)
    for band, coefficients in pyramid.coefficients(spectra):
        if band.orientation == 0 and band.level == 1:
            rest, peak = (part.numpy() for part in coefficients)
    change = np.angle(peak * rest.conj())
    change[np.abs(rest) < 0.05 * np.abs(rest).max()] = np.nan
    crop = tuple(
        slice(*(round(edge * n / whole) for edge in (side.start, side.stop)))
        for side, n, whole in zip(CROP, rest.shape, frames.shape[1:], strict=True)
    )
    return method_figure(
        [
            ("a subband", rest.real[crop], _around_zero(rest.real)),
            ("change of its phase", change[crop], _around_zero(np.nan_to_num(change))),
        ],
        method="phase",
    )


def riesz():
    """Draw the Riesz pyramid: a level and its two Riesz transforms."""
    import torch

    from napari_motionmag.methods.classical.pyramids.riesz import RieszPyramid

    frame = torch.from_numpy(scene()[0][0])
    pyramid = RieszPyramid(tuple(frame.shape))
    spectra, _ = pyramid.spectra(frame)
    parts = pyramid.quaternions(spectra[1], 1).numpy()
    crop = tuple(slice(side.start // 2, side.stop // 2) for side in CROP)
    names = ("a level", "Riesz, along x", "Riesz, along y")
    return method_figure(
        [(name, part[crop], _around_zero(parts)) for name, part in zip(names, parts, strict=True)],
        method="riesz",
    )


def lagrangian():
    """Draw the Lagrangian method: the displacement that optical flow measures."""
    import numpy as np

    from napari_motionmag.methods.classical.optical_flow import FlowEstimator

    estimator = FlowEstimator()
    rest, peak = (estimator.prepare(frame) for frame in scene()[0])
    flow = estimator.flow(rest, peak)[1]
    figure = method_figure(
        [("measured displacement, x", flow, _around_zero(np.asarray(flow)))], method="lagrangian"
    )
    return figure


def difference():
    """Draw the network `difference`: the displacement it finds, and the frame it only moves."""
    import numpy as np

    from napari_motionmag import magnify, views

    frames, fps = scene()
    seen = views.unit_activations(
        frames, 1, factors=(FACTOR,), model="difference", layers=["displacement"], axes="TYX"
    )
    moves = np.asarray(seen.maps["displacement"])[0, 0]
    moved = magnify(
        frames, FACTOR, axes="TYX", fps=fps, intensity_range=(0, 1), draw=False, denoise=0
    )[1].compute()
    change = frames[1] - frames[0]
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1}
    return method_figure(
        [
            ("change of each pixel", change, _around_zero(change)),
            ("displacement found, x", moves, _around_zero(moves)),
            ("frame, moved", moved, gray),
        ],
        model="difference",
    )


def oh2018():
    """Draw the network of Oh et al.: units of texture and shape, and what is added to shape."""
    import numpy as np

    from napari_motionmag import views

    frames, _ = scene()
    seen = views.unit_activations(
        frames,
        1,
        factors=(FACTOR,),
        model="oh2018",
        units=1,
        axes="TYX",
        layers=["texture", "shape", "manipulator"],
    )
    panels = []
    for layer, title in (
        ("texture", "a unit of texture"),
        ("shape", "a unit of shape"),
        ("manipulator", "what is added to shape"),
    ):
        unit = np.asarray(seen.maps[layer])[-1, 0]
        share = unit.shape[0] / frames.shape[1]
        crop = tuple(slice(round(s.start * share), round(s.stop * share)) for s in CROP)
        panels.append((title, unit[crop], _around_zero(unit)))
    return method_figure(panels, model="oh2018")


def filters():
    """Draw what the temporal operators pass."""
    import numpy as np
    from matplotlib.figure import Figure

    from napari_motionmag import temporal, views

    fps, band = 30, (2, 4)
    operators = {
        name: temporal.make_operator(mode="temporal", band=band, filter=name, fps=fps)
        for name in temporal.FILTERS
    }
    operators |= {"dynamic": temporal.Dynamic()}
    table = views.response_table(operators, fps)
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    ax = figure.subplots()
    ax.axvspan(*band, color="0.92")
    for name, gain in zip(table.names, np.asarray(table.gain), strict=True):
        ax.plot(table.frequencies, gain, label=name, linewidth=1.3)
    ax.set(xlabel="frequency (Hz), at 30 frames per second", ylabel="gain", xlim=(0, 10))
    ax.legend(fontsize=8, frameon=False)
    return figure


def aliasing():
    """Draw a motion that is too fast for the camera, and what the camera records."""
    import numpy as np
    from matplotlib.figure import Figure

    fps, fast = 30, 29
    fine, frames = np.linspace(0, 1, 2000), np.arange(31) / fps
    figure = Figure(figsize=(7, 2.2), layout="constrained")
    ax = figure.subplots()
    ax.plot(fine, np.cos(2 * np.pi * fast * fine), color="0.8", linewidth=1, label="29 Hz")
    ax.plot(fine, np.cos(2 * np.pi * (fps - fast) * fine), "tab:red", label="1 Hz")
    ax.plot(frames, np.cos(2 * np.pi * fast * frames), "ko", markersize=4, label="frames at 30/s")
    ax.set(xlabel="time (s)", ylabel="displacement", yticks=[])
    ax.legend(fontsize=8, loc="upper right", framealpha=1)
    return figure


FIGURES: dict[str, Callable] = {
    "linear": linear,
    "phase": phase,
    "riesz": riesz,
    "lagrangian": lagrangian,
    "difference": difference,
    "oh2018": oh2018,
    "filters": filters,
    "aliasing": aliasing,
}


if __name__ == "__main__":
    main()
