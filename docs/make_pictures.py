"""Make the pictures of the README and the documentation: python docs/make_pictures.py [NAME ...]

Real windows are opened and photographed, so a display is needed; without one:
xvfb-run -s "-screen 0 1600x1200x24" python docs/make_pictures.py
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent / "pictures"
WINDOW = (1500, 700)  # px
COMPARISON = (1500, 820)
MEASURING = (1280, 800)
DOCK = (1280, 760)
LARGEST_FILE = 300_000  # bytes
PATIENCE = 120  # seconds for a frame to be drawn


def main(argv: list[str] | None = None) -> None:
    """Make the pictures named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(PICTURES))
    if unknown:
        parser.error(f"no picture {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        path = arguments.out / f"{name}.png"
        _save(PICTURES[name](), path)
        print(f"{path} ({path.stat().st_size // 1000} kB)")


def window(sample: str, preset: str = ""):
    """Photograph the demonstration of a sample, perhaps with a preset, when its frame is there."""
    from PIL import Image

    from napari_motionmag.cli.demo import open_window
    from napari_motionmag.widgets.frames import async_slicing as slicing

    slicing.SLOW = math.inf  # how fast this machine is does not belong into the picture
    viewer, demo = open_window(sample)
    try:
        viewer.window.resize(*WINDOW)
        _wait(lambda: len(viewer.layers) == 2 and all(layer.loaded for layer in viewer.layers))
        _wait_until_quiet(0.2)
        widget = demo.widget
        widget.pause()
        viewer.dims.set_current_step(*demo.at)
        if preset:
            drawn = viewer.layers[-1].data
            widget.preset.value = preset
            _wait(lambda: viewer.layers[-1].data is not drawn and viewer.layers[-1].loaded)
        viewer.reset_view()
        _wait_until_quiet(1)
        widget.status.value = ""  # it says how long that took
        _wait_until_quiet(0.5)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def comparison(sample: str, frame: int, methods: list[str]):
    """Photograph a window in which methods are compared on a sample."""
    import napari
    from napari.settings import get_settings
    from PIL import Image

    from napari_motionmag import samples
    from napari_motionmag.widgets.frames import async_slicing as slicing
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    slicing.SLOW = math.inf
    settings = get_settings().application
    level, settings.gui_notification_level = settings.gui_notification_level, "error"
    viewer = napari.Viewer()
    try:
        viewer.window.resize(*COMPARISON)
        ((data, arguments, _),) = samples.make_sample_data(sample)
        viewer.add_image(data, **arguments)
        viewer.dims.set_current_step(0, frame)
        widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Magnify motion")
        _wait_until_quiet(1)
        widget.compare(methods)
        _wait(lambda: len(viewer.layers) == len(methods) and all(y.loaded for y in viewer.layers))
        _wait_until_quiet(2)
        widget.status.value = ""  # it says how long that took
        _wait_until_quiet(0.5)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        settings.gui_notification_level = level
        viewer.close()


def dock(place: str, sample: str, frame: int, do: Callable, magnified: bool = False):
    """Photograph a sample with a dock beside it, when what the dock does is done.

    Parameters
    ----------
    place : str
        ``module:Class`` within `napari_motionmag.widgets`.
    sample : str
    frame : int
        That is shown.
    do : callable
        Called with the widget: sets its fields, presses its button.
    magnified : bool
        Whether a magnified layer is there, too.
    """
    from importlib import import_module

    import napari
    from PIL import Image

    from napari_motionmag import magnify_layer, samples

    module, name = place.split(":")
    viewer = napari.Viewer()
    try:
        viewer.window.resize(*DOCK)
        ((data, arguments, _),) = samples.make_sample_data(sample)
        layer = viewer.add_image(data, **arguments)
        viewer.dims.set_current_step(0, frame)
        if magnified:
            said = dict(arguments["metadata"]["suggestion"], method="phase")
            viewer.add_layer(magnify_layer(layer, **said))
        widget = getattr(import_module(f"napari_motionmag.widgets.{module}"), name)(viewer)
        viewer.window.add_dock_widget(widget, name=widget.name.replace("_", " ").capitalize())
        _wait_until_quiet(1)
        do(widget)
        _wait(lambda: not widget.working)
        viewer.reset_view()
        _wait_until_quiet(2)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def _map_motion(widget) -> None:
    widget.window.value = 24
    widget.measure()


def _show_kernels(widget) -> None:
    widget.model.value, widget.as_layer.value = "oh2018", True
    widget.compute()


def _show_activations(widget) -> None:
    widget.model.value, widget.part.value = "oh2018", "manipulator"
    widget.units.value, widget.second.value = "4", 10
    widget.compute()


def slices(sample: str):
    """Draw a frame and a slice over time of a sample and of its magnification."""
    from napari_motionmag.cli.demo import picture

    return picture(sample)


def measuring(kind: str):
    """Photograph one of the docks that measure, at work on the vibrating strings."""
    import napari
    import numpy as np
    from PIL import Image

    from napari_motionmag import magnify_layer, samples
    from napari_motionmag.widgets.measure.displacement import DisplacementWidget
    from napari_motionmag.widgets.measure.spectrum import SpectrumWidget
    from napari_motionmag.widgets.slices.dock import SliceViewWidget

    kinds = {"slice": SliceViewWidget, "spectrum": SpectrumWidget, "trace": DisplacementWidget}
    viewer = napari.Viewer()
    try:
        viewer.window.resize(*MEASURING)
        ((data, arguments, _),) = samples.make_sample_data("strings")
        movie = viewer.add_image(data, **arguments)
        magnified = magnify_layer(movie, 12, method="linear", mode="temporal", band=(100, 120))
        widget = kinds[kind](viewer)
        viewer.window.add_dock_widget(widget, name=widget.name.replace("_", " ").capitalize())
        if kind == "slice":
            viewer.add_layer(magnified)
            shapes = widget.add_line()
            shapes.data = [np.array([[6, 60], [72, 60]])]  # um: across the strings
            widget.layers.value, widget.frame_beside.value = [movie, magnified], True
            _wait(lambda: not widget._timer.isActive() and not widget.working)
        else:
            corners = np.array([(22, 40), (22, 80), (34, 80), (34, 40)])
            marks = {"edge_color": "#ffb400", "edge_width": 0.7, "face_color": "transparent"}
            shapes = viewer.add_shapes(
                [corners], shape_type="rectangle", name="a string", units=("um", "um"), **marks
            )
            widget.marks.value = shapes
            widget()
        viewer.reset_view()
        _wait_until_quiet(2)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def slow_motion():
    """Draw what lies half-way between two frames, and how far blends of them are from it."""
    import numpy as np
    from matplotlib.figure import Figure

    from napari_motionmag import interpolate, samples

    movie, _ = samples.load(
        "cilia", n_frames=3, size=(96, 128), noise=False, dtype="float32", fps=200, amplitude=2.4
    )
    low, high = movie.min(), movie.max()
    before, truth, after = (movie - low) / (high - low)
    pair = np.stack([before, after])
    drawn = interpolate(pair, 2, intensity_range=(0, 1), axes="TYX")[1].compute()
    frames = {
        "frame before": before,
        "half-way, exactly": truth,
        "mean of the neighbors": pair.mean(0),
        "interpolate": drawn,
    }
    figure = Figure((10, 4.2), dpi=110, layout="constrained")
    plots = figure.subplots(2, 4)
    for (name, frame), (above, below) in zip(frames.items(), plots.T, strict=True):
        psnr = -10 * np.log10(np.mean((frame - truth) ** 2) + 1e-30)
        above.imshow(frame, cmap="gray", vmin=0, vmax=1)
        above.set_title(name if psnr > 99 else f"{name}\n{psnr:.1f} dB", fontsize=9)
        below.imshow(frame - truth, cmap="RdBu", vmin=-0.25, vmax=0.25)
        for axes in (above, below):
            axes.set_axis_off()
    plots[1, 1].set_title("difference from it", fontsize=9)
    return _drawn(figure)


def two_bands():
    """Draw slices across the strings: as they are, with one band magnified, and with two."""
    import numpy as np
    from matplotlib.figure import Figure

    from napari_motionmag import magnify, samples

    movie, about = samples.load("strings", n_frames=100)
    times, column = range(30, 70), 120
    options = {"mode": "temporal", "fps": about["fps"], "axes": "TYX"}
    one = magnify(movie, 12, band=(70, 92), **options)
    two = magnify(movie, 12, band=(70, 92), more_bands=[(182, 210, 20)], **options)
    slices = {
        "the movie": movie[times.start : times.stop, :, column],
        "80 Hz x 12": np.stack([one[t].compute()[:, column] for t in times]),
        "80 Hz x 12, 196 Hz x 20": np.stack([two[t].compute()[:, column] for t in times]),
    }
    figure = Figure((10, 4.4), dpi=110, layout="constrained")
    for axes, (name, picture) in zip(
        figure.subplots(1, 3, sharey=True), slices.items(), strict=True
    ):
        axes.imshow(
            picture.T, cmap="gray", aspect="auto", extent=(0, 1e3 * 40 / about["fps"], 160, 0)
        )
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("time (ms)")
        for row, frequency in zip(about["rows"], about["frequencies"], strict=True):
            axes.text(1, row - 9, f"{frequency:g} Hz", color="#ffb400", fontsize=8)
    figure.axes[0].set_ylabel("y (px)")
    return _drawn(figure)


def cinemagraph():
    """Photograph the dock with a painted map of factors."""
    import napari
    import numpy as np
    from PIL import Image

    from napari_motionmag import samples
    from napari_motionmag.widgets.frames import async_slicing as slicing
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    slicing.SLOW = math.inf
    viewer = napari.Viewer()
    try:
        viewer.window.resize(*MEASURING)
        ((data, arguments, _),) = samples.make_sample_data("cilia")
        movie = viewer.add_image(data, **arguments)
        painted = np.zeros(data.shape[1:], int)
        height, width = painted.shape
        y, x = np.indices(painted.shape)
        inside = ((y - 0.4 * height) / (0.26 * height)) ** 2 + (
            (x - 0.5 * width) / (0.2 * width)
        ) ** 2
        painted[inside < 1] = 1
        labels = viewer.add_labels(painted, name="what moves", scale=movie.scale[1:], opacity=0.6)
        labels.units = movie.units[1:]
        labels.contour = 2
        viewer.layers.selection = {movie}
        widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Magnify motion")
        widget.mode.value, widget.factor.value = "static", 3
        section = widget._fields.painted_factors
        section.opened = True
        widget.painted.value, widget.rest.value, widget.map_feather.value = labels, 0, 12
        viewer.dims.set_current_step(0, 9)
        widget()
        _wait(lambda: viewer.layers[-1].loaded)
        viewer.layers.move(viewer.layers.index(labels), len(viewer.layers))
        viewer.reset_view()
        _wait_until_quiet(2)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def _show_coherence(widget) -> None:
    import numpy as np

    movie = widget.layers.value[0]
    size = np.asarray(movie.data.shape[1:]) * movie.scale[1:]
    square = np.array([(0.4, 0.0), (0.4, 0.12), (0.55, 0.12), (0.55, 0.0)])
    marks = {"edge_color": "#ffb400", "edge_width": 0.2, "face_color": "transparent"}
    shapes = widget._viewer.add_shapes(
        [(square + (0, left)) * size for left in (0.4, 0.55)],
        shape_type="rectangle",
        name="two regions",
        units=movie.units[1:],
        **marks,
    )
    widget.marks.value, widget.shown.value, widget.segments.value = shapes, "coherence", 4
    widget()


def _map_frequency(widget) -> None:
    widget.what.value, widget.mode.value, widget.window.value = "dominant frequency", "dynamic", 16
    widget.measure()


def _drawn(figure):
    """Return a figure as a picture."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def export_dock():
    """Photograph the dock that exports movies, with a movie and its magnification."""
    import napari
    import numpy as np
    from PIL import Image

    from napari_motionmag import magnify_layer, samples
    from napari_motionmag.widgets.export.dock import ExportWidget

    viewer = napari.Viewer()
    try:
        viewer.window.resize(*DOCK)
        ((data, arguments, _),) = samples.make_sample_data("strings")
        movie = viewer.add_image(data, **arguments)
        viewer.add_layer(
            magnify_layer(movie, 12, method="linear", mode="temporal", band=(100, 120))
        )
        line = np.array([[6, 60], [72, 60]])  # um: across the strings
        viewer.add_shapes(
            [line], shape_type="line", name="line", units=("um", "um"), edge_color="#ffb400"
        )
        widget = ExportWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Export movie")
        widget.speed.value, widget.more.opened = "1/20", True
        widget.lines.value = viewer.layers["line"]
        _wait_until_quiet(1)
        viewer.reset_view()
        _wait_until_quiet(2)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def batch_dock():
    """Photograph the dock that magnifies a folder of movies, one of them broken."""
    import tempfile

    import napari
    from PIL import Image

    from napari_motionmag import magnify_layer, samples
    from napari_motionmag.io import save_movie
    from napari_motionmag.movie.movie import Movie
    from napari_motionmag.widgets.export.batch import BatchWidget

    viewer = napari.Viewer()
    with tempfile.TemporaryDirectory() as folder:
        try:
            viewer.window.resize(*DOCK)
            movies = Path(folder) / "strings"
            movies.mkdir()
            for seed in range(3):
                frames, info = samples.load("strings", n_frames=80, size=(80, 112), seed=seed)
                traits = {name: info[name] for name in ("fps", "scale", "units")}
                save_movie(movies / f"string {seed + 1}.ome.tif", Movie(frames, **traits))
            (movies / "string 4.tif").write_bytes(b"II*\0")
            ((data, arguments, _),) = samples.make_sample_data("strings")
            movie = viewer.add_image(data, **arguments)
            viewer.add_layer(
                magnify_layer(movie, 12, method="linear", mode="temporal", band=(100, 120))
            )
            widget = BatchWidget(viewer)
            viewer.window.add_dock_widget(widget, name="Many movies")
            widget.source.value, widget.output.value = movies, Path(folder) / "magnified"
            _wait_until_quiet(1)
            widget()
            _wait(lambda: not widget.working)
            widget.status.value = "3 done, 1 failed; the table is magnified/batch.csv"
            viewer.reset_view()
            _wait_until_quiet(2)
            picture = viewer.screenshot(canvas_only=False, flash=False)
            return Image.fromarray(picture).convert("RGB")
        finally:
            viewer.close()


def exported(layout: str):
    """Draw a frame of an exported movie of the strings."""
    from PIL import Image

    from napari_motionmag import export, magnify, samples
    from napari_motionmag.movie.movie import Movie

    frames, info = samples.load("strings")
    traits = {name: info[name] for name in ("fps", "scale", "units")}
    movie = Movie(frames, **traits)
    magnified = magnify(movie, 12, method="phase", mode="temporal", band=(100, 120))
    composition = export.compose(
        {"original": movie, "motion ×12": magnified},
        layout=layout,
        line=[(12, 120), (144, 120)],
        speed=1 / 20,
        frames=slice(0, 100),
    )
    drawn = export.Film(composition).frames()
    return Image.fromarray([next(drawn) for _ in range(36)][-1])


def report_page():
    """Photograph a report of the strings in Chromium, which must be installed."""
    import shutil
    import subprocess
    import tempfile

    from PIL import Image

    from napari_motionmag import export, magnify, samples
    from napari_motionmag.movie.movie import Movie

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError("Chromium is needed to photograph a page")
    frames, info = samples.load("strings")
    movie = Movie(frames, name="strings", **{k: info[k] for k in ("fps", "scale", "units")})
    magnified = magnify(movie, 12, method="phase", mode="temporal", band=(100, 120))
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "report.html", Path(folder) / "report.png"
        export.write_report(page, movie, magnified, speed=1 / 20, frames=slice(0, 60))
        how = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        how += ["--window-size=1000,1900", "--virtual-time-budget=8000"]
        subprocess.run([browser, *how, f"--screenshot={picture}", page.as_uri()], check=True)
        return Image.open(picture).convert("RGB")


PICTURES: dict[str, Callable] = {
    "window": lambda: window("beating_cell"),
    "window_band": lambda: window("strings"),
    "window_preset": lambda: window("cilia", preset="cilia"),
    "window_colour": lambda: window("drifting_membrane"),
    "compare": lambda: comparison(
        "beating_cell", 9, ["original", "learned", "phase", "riesz", "linear", "lagrangian"]
    ),
    "noise_floor": lambda: dock(
        "measure.noise_floor:NoiseFloorWidget",
        "beating_cell",
        14,
        lambda it: it.measure(),
        magnified=True,
    ),
    "motion_map": lambda: dock(
        "measure.motion_map:MotionMapWidget", "pulsing_epithelium", 0, _map_motion
    ),
    "kernels": lambda: dock("networks.kernels:KernelsWidget", "beating_cell", 14, _show_kernels),
    "activations": lambda: dock(
        "networks.activations:ActivationsWidget", "vesicles", 10, _show_activations
    ),
    "suggest": lambda: dock(
        "magnify.dock:MagnifyWidget", "strings", 20, lambda it: it.suggest.native.click()
    ),
    "slice_view": lambda: measuring("slice"),
    "motion_spectrum": lambda: measuring("spectrum"),
    "displacement": lambda: measuring("trace"),
    "slow_motion": slow_motion,
    "two_bands": two_bands,
    "cinemagraph": cinemagraph,
    "coherence": lambda: dock(
        "measure.displacement:DisplacementWidget", "vesicles", 0, _show_coherence
    ),
    "frequency_map": lambda: dock(
        "measure.motion_map:MotionMapWidget", "strings", 0, _map_frequency
    ),
    "export_dock": export_dock,
    "batch_dock": batch_dock,
    "report": report_page,
    "export_grid": lambda: exported("grid"),
    "export_split": lambda: exported("split"),
    "slices_strings": lambda: slices("strings"),
    "slices_cell": lambda: slices("beating_cell"),
}


def _wait(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing to photograph after {seconds:g} s")
        QApplication.processEvents()
        time.sleep(0.01)


def _wait_until_quiet(seconds: float) -> None:
    end = time.monotonic() + seconds
    _wait(lambda: time.monotonic() > end, seconds + 1)


def _save(picture, path: Path) -> None:
    """Write a PNG, of fewer colours and then smaller until it is small enough."""
    from PIL import Image

    for colours in (None, 256, 128, 64):
        smaller = (
            picture if colours is None else picture.quantize(colours, Image.Quantize.MEDIANCUT)
        )
        smaller.save(path, optimize=True)
        if path.stat().st_size <= LARGEST_FILE:
            return
    size = (picture.width * 3 // 4, picture.height * 3 // 4)
    _save(picture.resize(size, Image.Resampling.LANCZOS), path)


if __name__ == "__main__":
    main()
