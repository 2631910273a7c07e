"""The arguments of ``export`` and ``report``: which movies are shown, and how."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_motionmag.cli import options
from napari_motionmag.cli.magnify import add_settings

if TYPE_CHECKING:
    from napari_motionmag.export import Composition

_LAYOUTS = ("grid", "row", "column", "split")  # as napari_motionmag.export has them
_INTERPOLATIONS = ("nearest", "linear", "cubic")


def add_arguments(parser) -> None:
    """Add inputs, settings of the magnification, and what `composition` reads."""
    add = parser.add_argument
    add("inputs", metavar="IN", nargs="+", type=Path, help="movies of as many frames")
    add("output", metavar="OUT", type=Path)
    add_settings(parser)
    shown = parser.add_argument_group("what is shown")
    add = shown.add_argument
    add(
        "--results-only",
        action="store_true",
        help="with --factor, --preset or --recipe: leave out the original",
    )
    one = shown.add_mutually_exclusive_group().add_argument
    one("--label", action="append", metavar="TEXT", help="above a movie; once for each")
    one("--no-labels", action="store_true", help="no text above the movies")
    add("--layout", choices=_LAYOUTS, default="grid", help="default: grid")
    add(
        "--divider",
        type=float,
        metavar="X",
        help="split: place of the divider from 0, left, to 1 (default: it moves)",
    )
    add(
        "--line",
        type=float,
        nargs=4,
        metavar=("Y0", "X0", "Y1", "X1"),
        help="show a slice along this line (px) over time beside each movie",
    )
    options.add_place(add, "as C=1 or Z=12")
    add("--contrast", type=float, nargs=2, metavar=("BLACK", "WHITE"), help="intensities shown so")
    add("--colormap", metavar="NAME", help="of napari, as viridis (default: gray)")
    add("--gamma", type=float, default=1.0, help="exponent of the intensities (default: 1)")
    add("--pixel-size", type=float, metavar="UM", help="side of a pixel, where the file has none")
    one = shown.add_mutually_exclusive_group().add_argument
    one("--scale-bar", type=float, metavar="UM", help="its length (default: one that fits)")
    one("--no-scale-bar", action="store_true", help="no scale bar")
    add("--no-time", action="store_true", help="no time of each frame")
    add("--background", choices=("black", "white"), default="black", help="default: black")
    add("--zoom", type=float, help="output pixels for a pixel (default: what fits a screen)")
    add("--interpolation", choices=_INTERPOLATIONS, default="nearest", help="default: nearest")
    add = parser.add_argument_group("timing").add_argument
    add(
        "--speed",
        type=speed,
        metavar="1/N",
        help="of the playback against real time, as 1/20 (default: real time, and 30 frames per "
        "second for movies faster than 60)",
    )
    add("--playback-fps", type=float, metavar="FPS", help="instead of --speed")
    add("--frames", type=_frames, metavar="A:B", help="from frame A to before B; the first is 0")
    add("--trim", type=float, nargs=2, metavar=("S0", "S1"), help="seconds, instead of --frames")
    add = parser.add_argument_group("output").add_argument
    add("--overwrite", action="store_true", help="replace OUT if it exists")
    add("--quiet", action="store_true", help="show no progress")


def speed(text: str) -> float:
    """Read a speed such as ``1/20`` or ``0.05``."""
    from fractions import Fraction

    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"must be a number above 0, as 1/20, got {text!r}")
    return value


def _frames(text: str) -> slice:
    try:
        first, last = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be frames A:B, got {text!r}") from None
    return slice(first, last)


def composition(arguments: argparse.Namespace) -> Composition:
    """Open the movies, plan their magnification if one is described, and compose them."""
    from napari_motionmag.export import Look, compose, panel
    from napari_motionmag.export.panels import calibrated, default_label
    from napari_motionmag.io import open_movie
    from napari_motionmag.magnification.magnification import plan
    from napari_motionmag.movie.intensity import checked_range

    given = {"axes": arguments.axes, "fps": arguments.fps}
    range_ = None if arguments.intensity_range is None else tuple(arguments.intensity_range)
    settings = None
    if not options.has_settings(arguments):
        options.refuse_settings(arguments)
    if options.has_settings(arguments):
        settings, _ = options.settings(arguments)
        given = {name: getattr(settings, name) for name in given}
        range_ = settings.intensity_range
    opened, movies, labels = [], [], []
    for path in arguments.inputs:
        movie = open_movie(path, intensity_range=range_, **given)
        if arguments.pixel_size is not None:
            movie = calibrated(movie, arguments.pixel_size)
        opened.append(movie)
        if settings is None or not arguments.results_only:
            movies.append(movie)
            labels.append("original" if settings is not None else movie.name)
        if settings is not None:
            result = plan(movie, settings).dask()
            movies.append(result)
            labels.append(default_label(result))
    if all(movie.is_rgb for movie in opened):
        options.refuse(arguments, ("colormap",), "is for gray movies")
    if arguments.label is not None:
        labels = arguments.label
    if arguments.contrast is not None:
        checked_range(arguments.contrast, "--contrast")
    look = {"colormap": arguments.colormap, "gamma": arguments.gamma}
    shown = [panel(movie, "", at=dict(arguments.at) or None) for movie in movies]
    limits = [arguments.contrast or one.look.limits for one in shown]
    return compose(
        movies,
        labels=labels,
        looks=[Look(tuple(pair), **look) for pair in limits],
        fps=arguments.fps,
        at=dict(arguments.at) or None,
        line=None if arguments.line is None else [arguments.line[:2], arguments.line[2:]],
        trim=arguments.trim,
        layout=arguments.layout,
        divider=arguments.divider,
        scale_bar=False if arguments.no_scale_bar else arguments.scale_bar,
        time_stamp=False if arguments.no_time else None,
        speed=arguments.speed,
        playback_fps=arguments.playback_fps,
        frames=arguments.frames,
        zoom=arguments.zoom,
        interpolation=arguments.interpolation,
        background=arguments.background,
    ).with_labels(not arguments.no_labels)
