"""``napari-motionmag measure``: how regions of a movie file move, as tables or a map."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.cli.magnify import reference_argument
from napari_motionmag.compute.atomic import check_target, written_whole
from napari_motionmag.compute.versions import PACKAGE as PROGRAM

MAPS = ("amplitude", "phase", "direction", "frequency")
_OF_MAPS = ("window", "mode", "reference", "band", "filter")
_OF_TABLES = ("region", "derivatives", "segments")


def add_command(commands, common) -> None:
    """Add the command ``measure``."""
    parser = commands.add_parser(
        "measure",
        parents=[common],
        help="measure how regions of a movie file move",
        description="Measure the displacement of regions of a movie, and write a table for each; "
        "say at what frequency they move, along which ellipse, and how two of them move together. "
        "Or write a map of the motion in all of the frame.",
        epilog=f"example: {PROGRAM} measure cilia.tif left.csv right.csv "
        "--region 20 60 10 50 --region 20 60 80 120\n"
        f"         {PROGRAM} measure cilia.tif frequency.tif --map frequency",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("input", metavar="IN", type=Path, help="movie to read")
    add(
        "outputs",
        metavar="OUT",
        type=Path,
        nargs="+",
        help="a .csv for each region, or with --map one .tif or .npy",
    )
    add(
        "--region",
        type=int,
        nargs=4,
        action="append",
        default=[],
        metavar=("Y0", "Y1", "X0", "X1"),
        help="first row, last row + 1, first column, last column + 1; may be repeated; the whole "
        "frame without",
    )
    add(
        "--derivatives",
        type=int,
        nargs="?",
        const=5,
        metavar="FRAMES",
        help="write velocity and acceleration too, from this odd number of frames (default 5)",
    )
    add("--segments", type=int, metavar="N", help="of the coherence (default up to 8)")
    options.add_rate_and_axes(add)
    options.add_place(add, "which channel or plane to measure (default: the first, 0)")
    add("--overwrite", action="store_true", help="replace the outputs if they exist")
    add = parser.add_argument_group("a map").add_argument
    add(
        "--map",
        choices=MAPS,
        help="what to map: amplitude (px), phase and direction (degrees), or the dominant "
        "frequency (Hz); NaN where the motion is not above the noise",
    )
    add("--window", type=int, metavar="PX", help="side of its windows (default 32)")
    add("--mode", help="which motion: static (default), dynamic or temporal")
    add("--reference", type=reference_argument, metavar="N|A:B", help="static: at rest (default 0)")
    add("--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="temporal: band in Hz")
    add("--filter", help=f"temporal: {options.one_of(options.filter_names())}")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_motionmag.io import open_movie
    from napari_motionmag.io.writer import check_sources

    others, whose = (_OF_TABLES, "not for") if arguments.map else (_OF_MAPS, "only for")
    options.refuse(arguments, others, f"is {whose} --map")
    options.check_motion(arguments, arguments.mode or "static")
    if len(arguments.region) < 2:
        options.refuse(arguments, ("segments",), "is for two regions or more")
    outputs = arguments.outputs
    if twice := [path for path in outputs if outputs.count(path) > 1]:
        raise ValueError(f"OUT must be a file for each region, got {twice[0]} twice")
    for path in outputs:
        check_target(path, arguments.overwrite)
    movie = open_movie(arguments.input, axes=arguments.axes, fps=arguments.fps)
    for path in outputs:
        check_sources(path, movie)
    (_map if arguments.map else _regions)(arguments, movie, _place(arguments, movie))


def _place(arguments: argparse.Namespace, movie) -> dict[str, int] | None:
    """Return the channel and plane to measure; say which, unless it was chosen."""
    if arguments.at:
        return dict(arguments.at)
    sizes = dict(zip(movie.axes, movie.shape, strict=True))
    several = {letter: sizes[letter] for letter in movie.other_axes if sizes[letter] > 1}
    for letter, size in several.items():
        text = f"{letter}=0 of {size} is measured; --at {letter}=N chooses another"
        print(f"{PROGRAM}: {text}", file=sys.stderr)
    return dict.fromkeys(movie.other_axes, 0) or None


def _regions(arguments: argparse.Namespace, movie, at) -> None:
    """Write tables, and say what moves how."""
    from napari_motionmag import views
    from napari_motionmag.views.figures.text import (
        coherence_in_words,
        orbit_in_words,
        trace_in_words,
    )
    from napari_motionmag.views.oscillation import FEWEST_FITTED

    regions = [tuple(region) for region in arguments.region] or [None]
    if len(regions) != len(arguments.outputs):
        raise ValueError(
            f"OUT must be one .csv for each of {len(regions)} regions, got {len(arguments.outputs)}"
        )
    if wrong := [path for path in arguments.outputs if path.suffix.lower() != ".csv"]:
        raise ValueError(f"OUT must end in .csv, got {wrong[0]}")
    traces = [views.displacement_trace(movie, region, at=at) for region in regions]
    for trace, path in zip(traces, arguments.outputs, strict=True):
        trace.to_csv(path, arguments.derivatives)
        print(f"{path}: {trace_in_words(trace, trace.direction)}")
        if len(trace) >= FEWEST_FITTED:
            print(f"{path}: {orbit_in_words(views.orbit(trace), trace.frequency_unit)}")
    if len(traces) > 1:
        segments = {} if arguments.segments is None else {"segments": arguments.segments}
        found = views.coherence(*traces[:2], **segments)
        try:
            second = str(arguments.outputs[1])
            print(coherence_in_words(found, second, traces[0].frequency_unit))
        except ValueError as error:  # they move independently
            print(f"{PROGRAM}: {error}", file=sys.stderr)


def _map(arguments: argparse.Namespace, movie, at) -> None:
    """Write a map."""
    import numpy as np

    from napari_motionmag import views

    (path,) = arguments.outputs if len(arguments.outputs) == 1 else (None,)
    if path is None or path.suffix.lower() not in (".tif", ".tiff", ".npy"):
        raise ValueError("OUT must be one .tif or .npy with --map")
    given = {name: getattr(arguments, name) for name in _OF_MAPS}
    given = {name: value for name, value in given.items() if value is not None}
    if "band" in given:
        given["band"] = tuple(given["band"])
    found = views.motion_map(movie, **given, at=at)
    values = {
        "amplitude": found.amplitude,
        "phase": np.degrees(found.phase),
        "direction": np.degrees(found.direction),
        "frequency": found.dominant,
    }[arguments.map]
    values = np.where(found.stands_out, values, np.nan).astype(np.float32)
    with written_whole(path, arguments.overwrite) as partial, open(partial, "wb") as file:
        if path.suffix.lower() == ".npy":
            np.save(file, values)
        else:
            from tifffile import imwrite

            imwrite(file, values)
    print(
        f"{path}: {values.shape[0]} x {values.shape[1]} windows every {found.step} px, the first "
        f"at y {found.y[0]:g}, x {found.x[0]:g}; {found.stands_out.mean():.0%} move"
    )
