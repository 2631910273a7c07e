"""``napari-motionmag export``: movies side by side, as videos and animated pictures to show."""

from __future__ import annotations

import argparse
import sys

from napari_motionmag.cli import film_options, options
from napari_motionmag.compute.versions import PACKAGE as PROGRAM


def add_command(commands, common) -> None:
    """Add the command ``export``."""
    parser = commands.add_parser(
        "export",
        parents=[common],
        help="export movies side by side, to show: MP4, GIF, WebP or PNG frames",
        description="Draw movies side by side, with slices over time, labels, scale bar and time, "
        "into a file to show. The extension of OUT decides on the format: .mp4 and .mov (play in "
        "PowerPoint and browsers), .gif, .webp; a name without an extension is a folder of PNG "
        "frames. With --factor, --preset or --recipe each movie is magnified and shown beside the "
        "original.",
        epilog=f"{options.listing()}\n\n"
        f"example: {PROGRAM} export strings.tif strings.mp4 --factor 25 --mode temporal "
        "--band 72 92 --fps 600 --speed 1/20 --layout split",
        formatter_class=options.Formatter,
    )
    film_options.add_arguments(parser)
    parser.add_argument(
        "--loops",
        type=int,
        metavar="N",
        help="show it N times (default: videos once, animated pictures forever, which is 0)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    from napari_motionmag.cli.progress import ProgressLine, duration
    from napari_motionmag.export import check_export, export_movie

    target = arguments.output
    check_export(target, overwrite=arguments.overwrite)
    composed = film_options.composition(arguments)
    with ProgressLine("exported", quiet=arguments.quiet) as line:
        export_movie(
            target,
            composed,
            loops=arguments.loops,
            overwrite=arguments.overwrite,
            progress=line,
        )
    if not arguments.quiet:
        print(f"{PROGRAM}: wrote {target} in {duration(line.elapsed)}", file=sys.stderr)
