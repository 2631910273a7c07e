"""``napari-motionmag demo``: a sample movie beside the same movie with its motion magnified.

In a napari window, or in files where there is no display.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

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

    find_sample(sample)  # before anything is printed or opened
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

    open_window(sample)
    napari.run()


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
    """Open napari with a sample, the dock and the magnified layer; return viewer and dock."""
    from napari_motionmag import samples
    from napari_motionmag.cli.demo_sheet import where_it_moves

    ((data, arguments, _),) = samples.make_sample_data(sample)
    info = arguments["metadata"]
    planned = _planned(sample, data, info)
    _, t = where_it_moves(planned.movie, planned.operator, info["displacement"])

    import napari
    from qtpy.QtCore import QTimer

    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    viewer = napari.Viewer(title=f"napari-motionmag: {arguments['name']}", show=show)
    viewer.add_image(data, **arguments)
    viewer.dims.set_current_step(info["axes"].index("T"), t)
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Magnify motion", area="right")
    canvas = getattr(viewer, "canvas", viewer)  # napari before 0.9 has the grid in the viewer
    canvas.grid.enabled = True  # side by side

    def show_both(event):
        viewer.layers.events.inserted.disconnect(show_both)
        QTimer.singleShot(0, viewer.reset_view)

    viewer.layers.events.inserted.connect(show_both)
    widget.draw()
    return viewer, widget


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
