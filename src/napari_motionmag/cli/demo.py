"""``napari-motionmag demo``: a sample movie beside the same movie with its motion magnified.

In a napari window, or in files where there is no display.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

MARGIN, TEXT = 12, 16  # px in the picture: around its parts, and height of the letters
LARGEST_SIDE = 512  # px: smaller frames are enlarged towards this
NEAREST = 0  # as PIL.Image.Resampling.NEAREST
LINE_COLOUR = (255, 190, 0)
_PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"


def run(
    sample: str = "beating_cell", out_dir: str | Path | None = None, gui: bool | None = None
) -> None:
    """Show a sample and its magnification, in a napari window or in files.

    Parameters
    ----------
    sample : str
        One of `napari_motionmag.samples.NAMES`.
    out_dir : path, optional
        Where files go; the current folder when None.
    gui : bool, optional
        True: a window, False: files, None: a window where one can be opened.

    Raises
    ------
    ValueError
        When there is no such sample.
    RuntimeError
        When `gui` is True and no window can be opened.
    """
    from napari_motionmag.samples import find_sample

    find_sample(sample)  # before anything is said or opened
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
    # Qt ends the process when a display does not answer or a library lacks: let it end another
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True)
    if probe.returncode:
        lines = [line for line in probe.stderr.splitlines() if line.strip()]
        return lines[0] if lines else "Qt cannot reach the display"
    return None


def open_window(sample: str, show: bool = True):
    """Open napari with a sample, the widget beside it, and the magnified layer as it is drawn.

    Parameters
    ----------
    sample : str
        Name of a sample.
    show : bool
        Whether the window is shown.

    Returns
    -------
    viewer : napari.Viewer
    widget : napari_motionmag.widgets.magnify.dock.MagnifyWidget
    """
    from napari_motionmag import samples

    ((data, arguments, _),) = samples.make_sample_data(sample)
    about = arguments["metadata"]
    planned = _planned(sample, data, about)
    _, t = where_it_moves(planned.movie, planned.operator, about["displacement"])

    import napari
    from qtpy.QtCore import QTimer

    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    viewer = napari.Viewer(title=f"napari-motionmag: {arguments['name']}", show=show)
    viewer.add_image(data, **arguments)
    viewer.dims.set_current_step(about["axes"].index("T"), t)
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
    """Magnify a sample and write the movie and a picture of it.

    Parameters
    ----------
    sample : str
        Name of a sample.
    out_dir : path, optional
        Where to write, made when it is not there; the current folder when None. Files of an
        earlier demonstration are replaced.

    Returns
    -------
    list of Path
        OME-TIFF of the magnified movie; PNG of input and result with a slice over time of each.
    """
    from napari_motionmag.io import save_movie

    magnification, magnified, about = _magnified(sample)
    folder = Path.cwd() if out_dir is None else Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    tiff, png = (folder / f"{magnified.name}{ending}" for ending in (".ome.tif", ".png"))
    save_movie(tiff, magnified, recipe=magnification.recipe, overwrite=True)
    compose(magnification, magnified, about).save(png)
    return [tiff, png]


def picture(sample: str):
    """Magnify a sample and draw it as `compose` does."""
    return compose(*_magnified(sample))


def _planned(name: str, data: np.ndarray, about: dict):
    """Plan what a sample suggests."""
    from napari_motionmag.magnification.magnification import plan
    from napari_motionmag.movie.movie import Movie

    suggested = dict(about["suggestion"])
    del suggested["fps"], suggested["axes"]
    calibration = {"scale": about["scale"], "units": about["units"]}
    movie = Movie(data, about["axes"], about["fps"], name=name, **calibration)
    return plan(movie, **suggested)


def _magnified(sample: str):
    """Magnify a sample as it suggests; return how, the result, and the sample's metadata."""
    from napari_motionmag import samples
    from napari_motionmag.cli.progress import ProgressLine

    data, about = samples.load(sample)
    magnification = _planned(sample, data, about)
    movie, lazy = magnification.movie, magnification.dask()
    result = np.empty_like(data)
    progress = ProgressLine(f"Magnifying {sample}")
    for t in range(movie.n_frames):
        result[t] = lazy[t].compute()
        progress(t + 1, movie.n_frames)
    progress.clear()
    name = f"{sample}_x{magnification.factor:g}"
    return magnification, movie.replace(data=result, name=name), about


def compose(magnification, magnified, about: dict):
    """Draw a frame and a slice over time of a movie and of its magnification.

    Parameters
    ----------
    magnification : Magnification
        What was done to the movie.
    magnified : Movie
        The result. Of axes like C, the first plane is drawn.
    about : dict
        Metadata of the sample.

    Returns
    -------
    PIL.Image.Image
    """
    from napari_motionmag.views import slice_view

    movie, factor = magnification.movie, magnification.factor
    line, t = where_it_moves(movie, magnification.operator, about["displacement"])
    along_y = line[0][1] == line[1][1]
    enlarge = max(1, LARGEST_SIDE // max(movie.frame_shape[:2]))
    seconds = movie.n_frames / movie.fps
    over = f"y over {seconds:.3g} s, left to right"
    if not along_y:
        over = f"x over {seconds:.3g} s, downwards"
    parts = []
    plane = (0,) * len(movie.other_axes)
    for label, source in (("input", movie), (f"motion x{factor:g}", magnified)):
        frame = _picture(source.read(t, plane), about, enlarge)
        _mark(frame, line, enlarge)
        drawn = slice_view(source, line, at=plane or None)
        if along_y:
            drawn = drawn.swapaxes(0, 1)
        parts.append(
            [
                (f"{about['title']}: {label}, frame {t}", frame),
                (f"{label}: {over}", _picture(drawn, about).resize(frame.size, NEAREST)),
            ]
        )
    return _side_by_side(parts)


def where_it_moves(movie, operator, displacement) -> tuple[list[tuple[int, int]], int]:
    """Return a line across the motion that is seen best, and the frame in which it is strongest.

    Parameters
    ----------
    movie : Movie
    operator : TemporalOperator
        Selects the motion.
    displacement : callable
        Frame number -> (2, Y, X), px.

    Returns
    -------
    line : list of (int, int)
        Ends (y, x), px: a row or a column of the frame, whichever the motion is nearer to.
    t : int
        Frame number.
    """
    from scipy.ndimage import gaussian_filter

    frame = movie.read(0, (0,) * len(movie.other_axes)).astype(np.float32)
    frame = gaussian_filter(frame.mean(axis=2) if frame.ndim == 3 else frame, 1)
    edges = np.abs(np.gradient(frame))
    true = np.stack([displacement(t) for t in range(movie.n_frames)]).astype(np.float32)
    selected = operator.apply(true)
    seen = edges * selected.std(axis=0)
    if not seen.any():
        seen = edges  # nothing moves: show that it stays so
    seen = gaussian_filter(seen, (0, 2, 2))
    axis, y, x = map(int, np.unravel_index(np.argmax(seen), seen.shape))
    t = int(np.argmax(np.abs(selected[:, axis, y, x])))
    height, width = movie.frame_shape[:2]
    return ([(0, x), (height - 1, x)] if axis == 0 else [(y, 0), (y, width - 1)]), t


def _picture(values: np.ndarray, about: dict, enlarge: int = 1):
    from PIL import Image

    black, white = about["contrast_limits"]
    levels = np.clip((values.astype(np.float64) - black) / (white - black), 0, 1) * 255
    picture = Image.fromarray(np.rint(levels).astype(np.uint8)).convert("RGB")
    size = (picture.width * enlarge, picture.height * enlarge)
    return picture.resize(size, NEAREST)


def _mark(picture, line, enlarge: int) -> None:
    """Draw the line in colour, dashed so that what it crosses stays visible."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    (y0, x0), (y1, x1) = ([(v + 0.5) * enlarge for v in point] for point in line)
    length = int(max(y1 - y0, x1 - x0))
    for start in range(0, length, 12):
        stop = min(start + 4, length)
        if x0 == x1:
            draw.line([(x0, start), (x0, stop)], LINE_COLOUR)
        else:
            draw.line([(start, y0), (stop, y0)], LINE_COLOUR)


def _side_by_side(columns):
    """Put labelled pictures into columns."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(TEXT - 3)
    above = TEXT + 4
    widths = [max(picture.width for _, picture in column) for column in columns]
    heights = [max(picture.height for _, picture in row) for row in zip(*columns, strict=True)]
    size = (
        sum(widths) + MARGIN * (len(widths) + 1),
        sum(heights) + (MARGIN + above) * len(heights) + MARGIN,
    )
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    x = MARGIN
    for column, width in zip(columns, widths, strict=True):
        y = MARGIN
        for (label, picture), height in zip(column, heights, strict=True):
            draw.text((x, y), label, "black", font=font)
            sheet.paste(picture, (x, y + above))
            y += above + height + MARGIN
        x += width + MARGIN
    return sheet
