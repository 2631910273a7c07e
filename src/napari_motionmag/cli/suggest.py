"""``napari-motionmag suggest``: what moves in a movie file, and how to magnify it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.cli.progress import ProgressLine
from napari_motionmag.compute.validate import whole_number
from napari_motionmag.compute.versions import PACKAGE as PROGRAM


def add_command(commands, common) -> None:
    """Add the command ``suggest``."""
    parser = commands.add_parser(
        "suggest",
        parents=[common],
        help="look at a movie file: what moves, at which frequencies, and how to magnify it",
        description="Look at a movie: where it moves, at which frequencies and how much, and how "
        "noisy it is. Prints magnifications that show the motion, as commands to run.",
    )
    add = parser.add_argument
    add("movie", metavar="MOVIE", type=Path, help="movie to look at")
    options.add_rate_and_axes(add)
    options.add_place(add, "which channel or plane to look at, for example C=0; may be repeated")
    add("--most", type=int, default=4, metavar="N", help="suggestions at most (default: 4)")
    add(
        "--frames",
        type=int,
        default=1000,
        metavar="N",
        help="frames to look at, from the first on (default: 1000 at most)",
    )
    add("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)


def run(arguments) -> None:
    """Run the command."""
    from napari_motionmag.io import open_movie
    from napari_motionmag.views import suggest

    whole_number("--frames", arguments.frames, 1)
    with ProgressLine("Looking") as line:
        found = suggest(
            open_movie(arguments.movie, axes=arguments.axes, fps=arguments.fps),
            at=dict(arguments.at) or None,
            most=arguments.most,
            most_frames=arguments.frames,
            progress=line,
        )
    if arguments.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        print(as_text(found, arguments.movie, arguments.axes))


def as_text(found, movie: Path, axes: str | None = None) -> str:
    """Return suggestions as text, each with the command that follows it and axes given by hand."""
    given = {} if axes is None else {"axes": axes}
    parts = []
    for number, one in enumerate(found, 1):
        line = command(one.settings | given, movie)
        parts.append(f"{number}. {one.title}\n   {one.text}\n   {line}")
    return "\n\n".join([*parts, *found.notes])


def command(settings: dict, movie: Path) -> str:
    """Return the command that magnifies a movie with settings of `magnify`."""
    words = [PROGRAM, "magnify", str(movie), f"{movie.stem}_x{settings['factor']:g}.tif"]
    for name, value in settings.items():
        if isinstance(value, slice):
            texts = [f"{value.start}:{value.stop}"]
        else:
            values = value if isinstance(value, tuple) else (value,)
            texts = [one if isinstance(one, str) else f"{one:.10g}" for one in values]
        words += [f"--{name}", *texts]
    return shlex.join(words)
