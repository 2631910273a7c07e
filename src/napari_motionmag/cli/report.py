"""``napari-motionmag report``: one HTML page with film, figures, numbers and the script."""

from __future__ import annotations

import argparse
import sys

from napari_motionmag.cli import film_options, options
from napari_motionmag.compute.versions import PACKAGE as PROGRAM


def add_command(commands, common) -> None:
    """Add the command ``report``."""
    parser = commands.add_parser(
        "report",
        parents=[common],
        help="magnify, measure, and write one HTML page of it",
        description="Magnify the motion in a movie, measure it before and after, and write one "
        "HTML page that needs no other file: the film, settings, figures, numbers with their "
        "errors, versions, and the script.",
        epilog=f"{options.listing()}\n\n"
        f"example: {PROGRAM} report strings.tif strings.html --factor 25 --mode temporal "
        "--band 72 92 --fps 600 --speed 1/20",
        formatter_class=options.Formatter,
    )
    film_options.add_arguments(parser)
    parser.add_argument("--title", default="", metavar="TEXT", help="of the page")
    options.add_measured_region(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_motionmag.cli.progress import ProgressLine, duration
    from napari_motionmag.export.report import check_report, write_report
    from napari_motionmag.io import open_movie
    from napari_motionmag.magnification.script import FromFile

    target = check_report(arguments.output, overwrite=arguments.overwrite)
    if len(arguments.inputs) != 1 or arguments.results_only:
        raise ValueError("a report shows one movie beside its magnification")
    if not options.has_settings(arguments):
        raise ValueError("--factor, --preset or --recipe is needed")
    composition = film_options.composition(arguments)
    movie, result = (one.movie for one in composition.panels)
    source = arguments.inputs[0]
    with ProgressLine("reported", quiet=arguments.quiet) as line:
        write_report(
            target,
            movie,
            result,
            title=arguments.title,
            region=None if arguments.measure_region is None else tuple(arguments.measure_region),
            at=dict(arguments.at) or None,
            composition=composition,
            origin=FromFile(source, movie, open_movie(source, axes=arguments.axes)),
            overwrite=arguments.overwrite,
            progress=line,
        )
    if not arguments.quiet:
        print(f"{PROGRAM}: wrote {target} in {duration(line.elapsed)}", file=sys.stderr)
