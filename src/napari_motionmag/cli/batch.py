"""``napari-motionmag batch``: many movies magnified alike, with a table of what was done."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.cli.film_options import speed
from napari_motionmag.cli.magnify import add_settings
from napari_motionmag.cli.progress import ProgressLine, duration
from napari_motionmag.compute.versions import PACKAGE as PROGRAM

_FAILURE = 1


def add_command(commands, common) -> None:
    """Add the command ``batch``."""
    parser = commands.add_parser(
        "batch",
        parents=[common],
        help="magnify and measure a folder or a list of movies alike",
        description="Magnify many movies with the same settings, measure motion and noise, and "
        "write batch.csv in OUT_DIR: what was done, what was measured with its errors, and why "
        "what failed did. A movie that fails does not stop the others; the exit code is then 1.",
        epilog=f"{options.listing()}\n\n"
        f"example: {PROGRAM} batch movies magnified --preset cardiomyocyte --film .mp4",
        formatter_class=options.Formatter,
    )
    add = parser.add_argument
    add(
        "inputs",
        metavar="IN",
        nargs="+",
        type=Path,
        help="movies, folders, or lists: .txt with a path in each line, .csv with a column movie "
        "and perhaps fps and axes",
    )
    add("output", metavar="OUT_DIR", type=Path, help="folder for the results")
    add_settings(parser)
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--format", default=".ome.tif", metavar="EXT", help="as .zarr (default: .ome.tif)")
    add("--film", default="", metavar="EXT", help="show each beside its original: .mp4 or .gif")
    add("--speed", type=speed, metavar="1/N", help="of the films against real time, as 1/20")
    add("--no-measure", action="store_true", help="do not measure motion and noise")
    options.add_measured_region(output)
    one = output.add_mutually_exclusive_group().add_argument
    one("--resume", action="store_true", help="go on with a run that was stopped")
    one("--overwrite", action="store_true", help="begin anew and replace what is there")
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from napari_motionmag.export import Outputs, find_items, run_batch
    from napari_motionmag.export.batch_table import DONE, FAILED, TABLE

    if not arguments.film:
        options.refuse(arguments, ("speed",), "needs --film")
    if arguments.no_measure:
        options.refuse(arguments, ("measure_region",), "is not for --no-measure")
    settings, _ = options.settings(arguments)
    items = find_items(arguments.inputs, arguments.output)
    region = arguments.measure_region
    outputs = Outputs(
        extension=arguments.format,
        film=arguments.film,
        speed=arguments.speed,
        measure=not arguments.no_measure,
        region=None if region is None else tuple(region),
    )
    with _Line(len(items), arguments.quiet) as line:
        try:
            rows = run_batch(
                items,
                arguments.output,
                settings,
                outputs,
                resume=arguments.resume,
                overwrite=arguments.overwrite,
                progress=line,
                on_change=line.changed,
            )
        except KeyboardInterrupt:
            line.say(f"stopped; the same command with --resume goes on in {arguments.output}")
            raise
        statuses = [row["status"] for row in rows]
        done, failed = statuses.count(DONE), statuses.count(FAILED)
        line.say(f"{done} done, {failed} failed: {arguments.output / TABLE}")
    return _FAILURE if failed else 0


class _Line(ProgressLine):
    """What the terminal shows of a batch, whose progress is that of all movies together."""

    def __init__(self, count: int, quiet: bool):
        super().__init__("", quiet=quiet)
        self.count, self.quiet = count, quiet

    def say(self, text: str, always: bool = False) -> None:
        if always or not self.quiet:
            self.clear()
            print(f"{PROGRAM}: {text}", file=sys.stderr)

    def changed(self, row: dict) -> None:
        self.what = Path(row["movie"]).name
        if row["status"] in ("done", "failed"):
            why = f": {row['error']}" if row.get("error") else ""
            self.say(f"{self.what}: {row['status']}{why}", always=bool(why))

    def line(self) -> str:
        number = min(self.done * self.count // self.total + 1, self.count)
        left = duration((self.total - self.done) / self.rate)
        share = self.done / self.total
        return f"{number}/{self.count} {self.what}: {share:.0%}, about {left} left"
