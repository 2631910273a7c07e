"""``napari-motionmag magnify``: from a movie file to a magnified one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.compute.validate import rounded
from napari_motionmag.compute.versions import PACKAGE as PROGRAM
from napari_motionmag.compute.versions import version_of
from napari_motionmag.methods.options import METHOD_CLASSES, STABILISE


def add_command(commands, common) -> None:
    """Add the command ``magnify``."""
    parser = commands.add_parser(
        "magnify",
        parents=[common],
        help="magnify the motion in a movie file",
        description="Magnify the motion in a movie and write it, frame by frame, to another "
        "file. The extension decides on the format: .tif .ome.tif .npy .zarr .mp4 .mov .avi, and "
        "to read .mkv .webm .m4v too.",
        epilog=f"{options.listing()}\n\n"
        f"example: {PROGRAM} magnify string.tif string_x25.tif --factor 25 "
        "--mode temporal --band 72 92 --fps 600",
        formatter_class=options.Formatter,
    )
    add = parser.add_argument
    add("input", metavar="IN", type=Path, help="movie to read")
    add("output", metavar="OUT", type=Path, help="movie to write")
    add_settings(parser)
    add_output_arguments(parser)
    parser.set_defaults(run=run)


_MANY = {"action": "append", "default": [], "metavar": "NAME=VALUE"}


def add_settings(parser) -> None:
    """Add the arguments from which `options.settings` makes settings."""
    add = parser.add_argument
    add(
        "--factor",
        type=float,
        metavar="M",
        help="total gain of the motion: 1 leaves it, 0 removes it, negative mirrors it; required "
        "without a preset or a recipe",
    )
    add(
        "--factor-map",
        type=Path,
        metavar="FILE",
        help=".tif or .npy, (Y, X): whole numbers are labels that say where the factor counts; "
        "real numbers are a factor for each pixel",
    )
    add(
        "--map-factor",
        action="append",
        default=[],
        metavar="LABEL=M",
        help="the factor of one label of the map; may be repeated",
    )
    add("--map-rest", type=float, metavar="M", help="the factor where no label is (default 1)")
    add(
        "--map-feather",
        type=float,
        metavar="PX",
        help="width of the soft edges inside of the labels (default 8)",
    )
    add(
        "--preset",
        metavar="NAME",
        help="settings for a kind of movie; other options win ('presets' lists them)",
    )
    add(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="settings of a magnified .tif or .zarr file or a JSON recipe; other options win",
    )
    add = parser.add_argument_group("which motion").add_argument
    add("--mode", help="static (default), dynamic or temporal")
    add(
        "--reference",
        type=reference_argument,
        metavar="N|A:B",
        help="static: the frame at rest, or frames to average; the first is 0",
    )
    add("--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="temporal: band in Hz")
    add(
        "--more-bands",
        type=float,
        nargs=3,
        action="append",
        metavar=("LOW", "HIGH", "M"),
        help="temporal: another band in Hz, with a factor of its own; may be repeated",
    )
    add("--filter", help=f"temporal: {options.one_of(options.filter_names())}")
    add = add_movie_arguments(parser)
    add(
        "--region",
        type=int,
        nargs=4,
        metavar=("Y0", "Y1", "X0", "X1"),
        help="only this part of the frames: first row, last row + 1, first column, last column + 1",
    )
    add(
        "--preview",
        type=int,
        metavar="N",
        help="magnify at a coarser resolution: average N x N pixels to one",
    )
    add_method_arguments(parser)
    add = parser.add_argument_group("large motion").add_argument
    add(
        "--stabilise",
        choices=STABILISE[0].choices,
        help="align the frames first, magnify the motion left, and put the large motion back",
    )
    add(
        "--stabilise-mask",
        type=Path,
        metavar="FILE",
        help=".tif or .npy, (Y, X) or (T, Y, X): the part to follow and magnify",
    )
    add(
        "--stabilise-option",
        **_MANY,
        help="an option of the alignment, from the list below; may be repeated",
    )


def add_movie_arguments(parser):
    """Add what a file may not say about its movie; return what adds more of it."""
    add = parser.add_argument_group("the movie, where the file does not say").add_argument
    options.add_rate_and_axes(add)
    add(
        "--intensity-range",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="intensities of black and white (default: estimated from a few frames)",
    )
    return add


def add_method_arguments(parser) -> None:
    """Add the method and its options."""
    add = parser.add_argument_group("how").add_argument
    add("--method", help=options.one_of(METHOD_CLASSES))
    add("--model", help="learned: difference, oh2018, or a file of weights, published ones too")
    add("--device", help="cpu, cuda, cuda:N or mps (default: the best available)")
    add("--precision", help="float32, float16 or bfloat16; float64 with classical methods")
    add("--tile", type=int, metavar="N", help="side of the tiles in pixels")
    add(
        "--option",
        **_MANY,
        help="an option of the method, from the list below; may be repeated",
    )


def add_output_arguments(parser) -> None:
    """Add how the result is computed and written."""
    add = parser.add_argument_group("output").add_argument
    add("--overwrite", action="store_true", help="replace OUT if it exists")
    add("--resume", action="store_true", help=".zarr: continue an interrupted run")
    add(
        "--playback-fps",
        type=float,
        metavar="FPS",
        help="video: frames per second at which it is played",
    )
    add("--quiet", action="store_true", help="show no progress")
    many = parser.add_argument_group("many workers (extra [distributed])")
    where = many.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="processes on this machine that share its cores"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a running dask cluster, as tcp://host:8786, whose workers see IN and OUT",
    )


def reference_argument(text: str) -> int | slice:
    """Read ``N`` or ``A:B`` (either end may be left out)."""
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) == 1:
            return int(text)
        if len(parts) == 2:
            return slice(*parts)
    except ValueError:
        pass  # refused below
    raise argparse.ArgumentTypeError(f"must be a frame N or frames A:B, got {text!r}")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_motionmag.io import check_output
    from napari_motionmag.magnification.magnification import plan

    settings, preset = options.settings(arguments)
    movie = open_input(arguments, settings)
    problem = preset.problem(movie.fps) if preset and settings.band == preset.band else None
    if problem:
        raise ValueError(f"{problem}: --fps")
    check_output(arguments.output, movie, **_writing(arguments))
    magnification = plan(movie, settings)
    result = magnification.movie.replace(
        data=magnification.dask(),
        # of the source: estimating it from the result would compute frames for nothing
        intensity_range=movie.intensity_range if is_video(arguments) else None,
    )
    write(arguments, movie, result, with_origin(arguments, magnification.recipe), "magnified")


def open_input(arguments: argparse.Namespace, settings):
    """Open the movie, once it is clear that the output can be written."""
    from napari_motionmag.io import check_output, open_movie
    from napari_motionmag.magnification.settings import OF_THE_MOVIE

    source, target = arguments.input, arguments.output
    if source.exists() and target.exists() and source.samefile(target):
        raise ValueError(f"OUT is the same as IN: {target}")
    check_output(target, source=source, **_writing(arguments))
    return open_movie(source, **{name: getattr(settings, name) for name in OF_THE_MOVIE})


def is_video(arguments: argparse.Namespace) -> bool:
    """Whether the output is a video, in which black and white must be known."""
    from napari_motionmag.io.writer import checked_format

    return checked_format(arguments.output).name == "video"


def _writing(arguments: argparse.Namespace) -> dict:
    return {name: getattr(arguments, name) for name in ("overwrite", "resume", "playback_fps")}


def write(arguments: argparse.Namespace, movie, result, recipe: dict, done: str) -> None:
    """Write what was made of a movie, and report; `done` says what happens to the frames."""
    from napari_motionmag.cli.progress import ProgressLine, duration
    from napari_motionmag.compute.cluster import connected
    from napari_motionmag.io import save_movie
    from napari_motionmag.io.journal import fingerprint

    def report(text: str) -> None:
        if not arguments.quiet:
            print(f"{PROGRAM}: {text}", file=sys.stderr)

    source, target = arguments.input, arguments.output
    report(f"{source}: {movie.summary()} -> {target}")
    note = getattr(movie.data, "rate_note", "")
    if note and arguments.fps is None:
        report(f"{source}: {note} (--fps)")
    with (
        ProgressLine(done, quiet=arguments.quiet) as line,
        connected(arguments.scheduler, arguments.workers) as client,
    ):
        save_movie(
            target,
            result.replace(name=target.name.removesuffix(target.suffix)),
            recipe=recipe,
            source=fingerprint(source) if arguments.resume else None,
            client=client,
            **_writing(arguments),
            progress=line,
        )
    if line.done:
        speed = f"{line.done} frames in {duration(line.elapsed)}, {rounded(line.rate, 3)} frames/s"
        report(f"wrote {target}: {speed}")
    else:
        report(f"{target} was whole already")


def with_origin(arguments: argparse.Namespace, recipe: dict) -> dict:
    """Return a recipe with where it was used."""
    from napari_motionmag.magnification.layer import weights_hash

    preset, weights = getattr(arguments, "preset", None), weights_hash(recipe)
    return {
        "program": f"{PROGRAM} {version_of()}",
        "source": arguments.input.name,
        **({"preset": preset} if preset else {}),
        **recipe,
        **({"weights_sha256": weights} if weights else {}),
    }
