"""``napari-motionmag interpolate``: frames between the frames of a movie file."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.cli.magnify import (
    add_method_arguments,
    add_movie_arguments,
    add_output_arguments,
    is_video,
    open_input,
    with_origin,
    write,
)
from napari_motionmag.compute.validate import whole_number
from napari_motionmag.compute.versions import PACKAGE as PROGRAM
from napari_motionmag.methods.options import parse_options


def add_command(commands, common) -> None:
    """Add the command ``interpolate``."""
    parser = commands.add_parser(
        "interpolate",
        parents=[common],
        help="draw frames between the frames of a movie file: slow motion",
        description="Draw frames between the frames of a movie, or views between the views of a "
        "light field, and write all of them to another file, in the formats of 'magnify'.",
        epilog=f"{options.listing(alignment=False)}\n\n"
        f"example: {PROGRAM} interpolate cilia.tif cilia_slow.mp4 --times 5",
        formatter_class=options.Formatter,
    )
    add = parser.add_argument
    add("input", metavar="IN", type=Path, help="movie to read")
    add("output", metavar="OUT", type=Path, help="movie to write")
    add(
        "--times",
        type=int,
        required=True,
        metavar="N",
        help="frames for each frame of the movie: N - 1 are drawn between neighbors",
    )
    add_movie_arguments(parser)
    add_method_arguments(parser)
    add_output_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_motionmag.io import check_output
    from napari_motionmag.magnification.interpolation import HOW, MOST_TIMES, interpolated_movie
    from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings

    whole_number("--times", arguments.times, 2, MOST_TIMES)
    given = {name: getattr(arguments, name) for name in (*HOW, *OF_THE_MOVIE)}
    given = {name: value for name, value in given.items() if value is not None}
    method = arguments.method or "learned"
    own = parse_options(method, arguments.option)
    options.check_method(arguments, method, own)
    given |= own
    movie = open_input(arguments, MagnifySettings.from_arguments(1.0, **given))
    result = interpolated_movie(movie, arguments.times, **given)
    check_output(arguments.output, result, overwrite=arguments.overwrite, resume=arguments.resume)
    if is_video(arguments):
        result = result.replace(intensity_range=movie.intensity_range)
    write(arguments, movie, result, with_origin(arguments, result.data.recipe), "drawn")
