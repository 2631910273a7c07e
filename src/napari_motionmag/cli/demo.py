"""``napari-motionmag demo``: a sample movie beside the same movie with its motion magnified.

In a napari window, or in files where there is no display.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.compute.atomic import check_folder

DRAG = "Drag the slider “Factor”"
SIZE = 1400, 850  # px, of the window
MOST_FPS = 30  # at which the original is played at first
_PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"


def add_command(commands, common) -> None:
    """Add the command ``demo``."""
    parser = commands.add_parser(
        "demo",
        parents=[common],
        help="show a sample movie and its motion magnified, in napari or in files",
    )
    parser.add_argument(
        "sample",
        nargs="?",
        default="beating_cell",
        metavar="SAMPLE",
        help="name of a sample movie (default: beating_cell)",
    )
    parser.add_argument("--list", action="store_true", help="list the samples and exit")
    parser.add_argument(
        "--out-dir",
        type=Path,
        metavar="DIR",
        help="folder for files, and no window (default: the current one)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--gui", action="store_true", default=None, help="in a window, or fail")
    where.add_argument("--no-gui", dest="gui", action="store_false", help="in files")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.gui:
        options.refuse(arguments, ("out_dir",), "is not for --gui")
    if arguments.list:
        from napari_motionmag import samples

        print("\n".join(samples.NAMES))
    else:
        gui = False if arguments.out_dir else arguments.gui
        run(arguments.sample, out_dir=arguments.out_dir, gui=gui)


def run(
    sample: str = "beating_cell", out_dir: str | Path | None = None, gui: bool | None = None
) -> None:
    """Show a sample and its magnification: in a window where one can be opened, or in files."""
    from napari_motionmag.samples import find_sample

    about = find_sample(sample)  # before anything is printed or opened
    if gui is not False:
        factor = about.suggestion["factor"]
        print(f"Opening napari with a computed movie, “{about.title}”, and beside it")
        print(f"the same movie with its motion magnified {factor:g} times.", flush=True)
    obstacle = None if gui is False else no_window_because()
    if gui and obstacle:
        raise RuntimeError(f"no window can be opened: {obstacle}")
    if gui is False or obstacle:
        if obstacle:
            print(f"No window can be opened ({obstacle}): writing files instead.")
        for path in write_files(sample, out_dir):
            print(path)
        return
    import napari

    opened = open_window(sample)  # lives as long as the window
    print(f"{DRAG} in the dock; “Pause” stops. Close the window to end.", flush=True)
    napari.run()
    del opened


def no_window_because() -> str | None:
    """Return why no window can be opened here, or None."""
    try:
        import qtpy.QtWidgets  # noqa: F401
    except (ImportError, RuntimeError) as error:  # no binding, or none that can be loaded
        return f"Qt cannot be loaded: {str(error).splitlines()[0]}"
    if not sys.platform.startswith("linux"):
        return None
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    # Qt ends the process when a display does not answer or a library is missing: try in another
    probe = subprocess.Popen([sys.executable, "-c", _PROBE], stderr=subprocess.PIPE, text=True)
    import napari.viewer  # noqa: F401  takes as long as the probe, which runs meanwhile

    _, errors = probe.communicate()
    if probe.returncode:
        lines = [line for line in errors.splitlines() if line.strip()]
        return lines[0] if lines else "Qt cannot reach the display"
    return None


def open_window(sample: str):
    """Open napari, which then fills with a sample, the dock and the magnified movie, and plays.

    Returns viewer and dock. The window is there at once; the sample comes and plays when it is
    computed, the dock when it is loaded.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_motionmag.samples import find_sample

    title = find_sample(sample).title
    viewer = napari.Viewer(title=f"napari-motionmag: {title}", show=True)
    _make_room(viewer)
    viewer.window._qt_viewer.show_welcome_screen = False  # it would cover what is written
    _write_over(viewer, f"Computing the sample “{title}”…")
    QApplication.processEvents()  # show the window before anything else is loaded
    return viewer, _Demo(viewer, sample)


def _make_room(viewer) -> None:
    """Enlarge the window for two pictures beside the dock, as far as the screen allows."""
    from qtpy.QtCore import QSize

    window = viewer.window._qt_window
    screen = window.screen().availableGeometry()
    window.resize(QSize(*SIZE).boundedTo(screen.size()).expandedTo(window.size()))
    window.move(screen.center() - window.rect().center())


class _Demo:
    """Fills a window step by step: the sample, which plays; the dock; the magnified sample."""

    def __init__(self, viewer, sample: str):
        from qtpy.QtCore import QTimer

        self.viewer, self.sample = viewer, sample
        self.widget = None  # the dock, when it is there
        self.at = 0, 0  # time axis, and the frame that shows most of the motion
        self._made: list = []
        self._open, self.over = True, False  # the window is there; the sample is loaded
        viewer.window._qt_window.destroyed.connect(self._on_closed)
        self._timer = QTimer(viewer.window._qt_window)  # plays the sample until both can be played
        self._timer.timeout.connect(self._step)
        self._do(self._compute, f"Computing the sample {sample}", self._show_sample)

    def _do(self, work, title: str, show) -> None:
        """Work in a thread, then call ``show()`` unless the window was closed."""
        from napari_motionmag.widgets.common.jobs import Job

        def done(error: Exception | None, cancelled: bool) -> None:
            if error is not None or cancelled or not self._open:
                self.over = True
                if error is not None and self._open:
                    raise error
                return
            show()

        # no progress bar: its indicator, which turns, costs as much as the work without a GPU
        Job(work, title, done, quiet=True)

    def _on_closed(self, _=None) -> None:
        self._open = False

    def _compute(self, progress) -> None:
        from napari_motionmag import samples

        ((data, arguments, _),) = samples.make_sample_data(self.sample)
        self._made = [data, arguments]

    def _show_sample(self) -> None:
        data, arguments = self._made
        info = arguments["metadata"]
        _name(self.viewer.add_image(data, **arguments))
        self.at = info["axes"].index("T"), 0
        self._timer.start(round(1000 / min(info["fps"], MOST_FPS)))
        _write_over(self.viewer, "The original. Loading the dock…")
        self._do(self._load, "Loading the dock “Magnify motion”", self._show_dock)

    def _step(self) -> None:
        axis, _ = self.at
        t = self.viewer.dims.current_step[axis] + 1
        self.viewer.dims.set_current_step(axis, t % self._made[0].shape[axis])

    def _load(self, progress) -> None:
        """Import what the dock needs, and find the frame that shows most of the motion."""
        from napari_motionmag.cli.demo_sheet import where_it_moves

        progress(0, 2)
        import napari_motionmag.widgets.magnify.dock  # noqa: F401

        progress(1, 2)
        data, arguments = self._made
        info = arguments["metadata"]
        planned = _planned(self.sample, data, info)
        _, t = where_it_moves(planned.movie, planned.operator, info["displacement"])
        self.at = self.at[0], t

    def _show_dock(self) -> None:
        from qtpy.QtCore import QTimer

        from napari_motionmag.widgets.magnify.dock import MagnifyWidget

        self.over = True
        viewer = self.viewer
        self.widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(self.widget, name="Magnify motion", area="right")
        QTimer.singleShot(0, viewer.reset_view)  # the canvas is narrower now
        _write_over(viewer, "The original. Magnifying its motion…")
        viewer.layers.events.inserted.connect(self._on_magnified)
        self.widget.draw()

    def _on_magnified(self, event) -> None:
        from qtpy.QtCore import QTimer

        self.viewer.layers.events.inserted.disconnect(self._on_magnified)
        self._timer.stop()
        canvas = getattr(self.viewer, "canvas", self.viewer)  # the viewer has it before napari 0.9
        canvas.grid.enabled = True  # side by side
        self.viewer.reset_view()
        _name(event.value)
        QTimer.singleShot(0, self._play)

    def _play(self) -> None:
        self.viewer.reset_view()
        _write_over(self.viewer, f"{DRAG} →")
        self.widget.factor.changed.connect(self._on_dragged)
        self.widget.play()

    def _on_dragged(self, _) -> None:
        self.widget.factor.changed.disconnect(self._on_dragged)
        text_over(self.viewer).visible = False


def _name(layer) -> None:
    """Write the name of a layer over its picture."""
    layer.name_overlay.visible = True
    layer.name_overlay.font_size = 7  # long names fit, too


def text_over(viewer):
    """Return what holds the text over the canvas of a viewer."""
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", None)
    return viewer.text_overlay if overlays is None else overlays.text  # napari before 0.9


def _write_over(viewer, text: str) -> None:
    """Write a text over the canvas."""
    overlay = text_over(viewer)
    # not so large that notifications, on the right, cover it
    overlay.text, overlay.font_size, overlay.position = text, 10, "bottom_left"
    overlay.visible = True


def write_files(sample: str, out_dir: str | Path | None = None) -> list[Path]:
    """Write the magnified sample as OME-TIFF, and a picture of both as PNG; return the paths."""
    from napari_motionmag.cli.demo_sheet import compose
    from napari_motionmag.io import save_movie

    folder = Path.cwd() if out_dir is None else Path(out_dir)
    check_folder(folder)
    magnification, magnified, info = _magnified(sample)
    folder.mkdir(parents=True, exist_ok=True)
    tiff, png = (folder / f"{magnified.name}{ending}" for ending in (".ome.tif", ".png"))
    save_movie(tiff, magnified, recipe=magnification.recipe, overwrite=True)
    compose(magnification, magnified, info).save(png)
    return [tiff, png]


def picture(sample: str):
    """Magnify a sample and draw it as `compose` does."""
    from napari_motionmag.cli.demo_sheet import compose

    return compose(*_magnified(sample))


def _planned(name: str, data, info: dict):
    """Plan what a sample suggests."""
    from napari_motionmag.magnification.magnification import plan
    from napari_motionmag.movie.movie import Movie

    suggested = dict(info["suggestion"])
    del suggested["fps"], suggested["axes"]
    calibration = {"scale": info["scale"], "units": info["units"]}
    movie = Movie(data, info["axes"], info["fps"], name=name, **calibration)
    return plan(movie, **suggested)


def _magnified(sample: str):
    """Magnify a sample as it suggests; return how, the result, and the sample's metadata."""
    import numpy as np

    from napari_motionmag import samples
    from napari_motionmag.cli.progress import ProgressLine

    data, info = samples.load(sample)
    magnification = _planned(sample, data, info)
    movie, lazy = magnification.movie, magnification.dask()
    result = np.empty_like(data)
    with ProgressLine(f"Magnifying {sample}") as progress:
        for t in range(movie.n_frames):
            result[t] = lazy[t].compute()
            progress(t + 1, movie.n_frames)
    name = f"{sample}_x{magnification.factor:g}"
    return magnification, movie.replace(data=result, name=name), info
