"""``napari-motionmag demo``: a sample movie beside the same movie with its motion magnified.

In a napari window, or in files where there is no display.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

DRAG = "Drag the slider “Factor”"
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
        "--out-dir", type=Path, metavar="DIR", help="folder for files (default: the current one)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--gui", action="store_true", default=None, help="in a window, or fail")
    where.add_argument("--no-gui", dest="gui", action="store_false", help="in files")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.list:
        from napari_motionmag import samples

        print("\n".join(samples.NAMES))
    else:
        run(arguments.sample, out_dir=arguments.out_dir, gui=arguments.gui)


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
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
    if probe.returncode:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        return lines[0] if lines else "Qt cannot reach the display"
    return None


def open_window(sample: str, show: bool = True):
    """Open napari, which then fills with a sample, the dock and the magnified movie, and plays.

    Returns viewer and dock. The window is there at once; movie and dock come when the sample is
    computed.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_motionmag.samples import find_sample

    title = find_sample(sample).title
    viewer = napari.Viewer(title=f"napari-motionmag: {title}", show=show)
    viewer.window._qt_viewer.show_welcome_screen = False  # it would cover what is written
    _write_over(viewer, f"Computing the sample “{title}”…")
    QApplication.processEvents()  # show the window before anything else is loaded
    return viewer, _Demo(viewer, sample)


class _Demo:
    """Fills a window step by step; ``widget`` is the dock, None until the sample is there.

    ``at``: the time axis, and the frame that shows most of the motion.
    """

    def __init__(self, viewer, sample: str):
        from napari_motionmag.widgets.common.jobs import Job

        self.viewer, self.sample, self.widget = viewer, sample, None
        self.at = 0, 0
        self._made: list = []
        self._open, self.over = True, False  # the window is there; the sample is loaded
        viewer.window._qt_window.destroyed.connect(self._on_closed)
        Job(self._load, f"Computing the sample {sample}", self._show)

    def _on_closed(self, _=None) -> None:
        self._open = False

    def _load(self, progress) -> None:
        """Compute the sample and import what the dock needs, in a thread."""
        from napari_motionmag import samples
        from napari_motionmag.cli.demo_sheet import where_it_moves

        ((data, arguments, _),) = samples.make_sample_data(self.sample)
        progress(1, 3)
        import napari_motionmag.widgets.magnify.dock  # noqa: F401

        progress(2, 3)
        info = arguments["metadata"]
        planned = _planned(self.sample, data, info)
        _, t = where_it_moves(planned.movie, planned.operator, info["displacement"])
        self._made = [data, arguments, t]

    def _show(self, error: Exception | None, cancelled: bool) -> None:
        self.over = True
        if cancelled or not self._open:
            return
        if error is not None:
            raise error
        from napari_motionmag.widgets.magnify.dock import MagnifyWidget

        data, arguments, t = self._made
        viewer = self.viewer
        layer = viewer.add_image(data, **arguments)
        self.at = arguments["metadata"]["axes"].index("T"), t
        viewer.dims.set_current_step(*self.at)
        self.widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(self.widget, name="Magnify motion", area="right")
        canvas = getattr(viewer, "canvas", viewer)  # napari before 0.9 has the grid in the viewer
        canvas.grid.enabled = True  # side by side
        _name(layer)
        _write_over(viewer, "Magnifying…")
        viewer.layers.events.inserted.connect(self._on_magnified)
        self.widget.draw()

    def _on_magnified(self, event) -> None:
        from qtpy.QtCore import QTimer

        self.viewer.layers.events.inserted.disconnect(self._on_magnified)
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
    overlay = getattr(layer, "name_overlay", None)  # napari before 0.7 has none
    if overlay is not None:
        overlay.visible, overlay.font_size = True, 10


def text_over(viewer):
    """Return what holds the text over the canvas of a viewer."""
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", None)
    return viewer.text_overlay if overlays is None else overlays.text  # napari before 0.9


def _write_over(viewer, text: str) -> None:
    """Write a text over the canvas."""
    overlay = text_over(viewer)
    overlay.text, overlay.font_size, overlay.position = text, 12, "bottom_left"
    overlay.visible = True


def write_files(sample: str, out_dir: str | Path | None = None) -> list[Path]:
    """Write the magnified sample as OME-TIFF, and a picture of both as PNG; return the paths."""
    from napari_motionmag.cli.demo_sheet import compose
    from napari_motionmag.io import save_movie

    magnification, magnified, info = _magnified(sample)
    folder = Path.cwd() if out_dir is None else Path(out_dir)
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
    progress = ProgressLine(f"Magnifying {sample}")
    for t in range(movie.n_frames):
        result[t] = lazy[t].compute()
        progress(t + 1, movie.n_frames)
    progress.clear()
    name = f"{sample}_x{magnification.factor:g}"
    return magnification, movie.replace(data=result, name=name), info
