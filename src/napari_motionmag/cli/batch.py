"""``napari-motionmag batch``: many movies magnified alike, with a table of what was done."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.cli.film_options import speed
from napari_motionmag.cli.magnify import add_settings
from napari_motionmag.compute.versions import PACKAGE as PROGRAM

_FAILURE = 1
_INTERVAL = 0.2  # seconds between two updates of the line


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
    add = parser.add_argument_group("output").add_argument
    add("--format", default=".ome.tif", metavar="EXT", help="as .zarr (default: .ome.tif)")
    add("--film", default="", metavar="EXT", help="show each beside its original: .mp4 or .gif")
    add("--speed", type=speed, metavar="1/N", help="of the films against real time, as 1/20")
    add("--no-measure", action="store_true", help="do not measure motion and noise")
    add(
        "--measure-region",
        type=int,
        nargs=4,
        metavar=("Y0", "Y1", "X0", "X1"),
        help="the part to measure, px (default: where the motion stands out most)",
    )
    add("--resume", action="store_true", help="go on with a run that was stopped")
    add("--overwrite", action="store_true", help="begin anew and replace what is there")
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from napari_motionmag.export.batch import DONE, FAILED, TABLE, Outputs, find_items, run_batch

    settings, _ = options.settings(arguments)
    items = find_items(arguments.inputs)
    line = None if arguments.quiet else _Line(len(items))
    region = arguments.measure_region
    outputs = Outputs(
        extension=arguments.format,
        film=arguments.film,
        speed=arguments.speed,
        measure=not arguments.no_measure,
        region=None if region is None else tuple(region),
    )
    try:
        rows = run_batch(
            items,
            arguments.output,
            settings,
            outputs,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            progress=line and line.step,
            on_change=line and line.changed,
        )
    except KeyboardInterrupt:
        if line:
            line.say(f"stopped; the same command with --resume goes on in {arguments.output}")
        raise
    finally:
        if line:
            line.clear()
    failed = [row for row in rows if row["status"] == FAILED]
    if line:
        done = sum(row["status"] == DONE for row in rows)
        line.say(f"{done} done, {len(failed)} failed: {arguments.output / TABLE}")
    return _FAILURE if failed else 0


class _Line:
    """What the terminal shows of a batch."""

    def __init__(self, count: int):
        self.count, self.now, self.shown = count, "", 0.0
        self.live = sys.stderr.isatty()
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        self.clear()
        print(f"{PROGRAM}: {text}", file=sys.stderr)

    def changed(self, row: dict) -> None:
        name = Path(row["movie"]).name
        self.now = name
        if row["status"] in ("done", "failed"):
            why = f": {row['error']}" if row.get("error") else ""
            self.say(f"{name}: {row['status']}{why}")

    def step(self, done: int, total: int) -> None:
        from napari_motionmag.cli.progress import duration

        if not self.live or time.monotonic() - self.shown < _INTERVAL:
            return
        self.shown = time.monotonic()
        left = (time.monotonic() - self.begun) * (total - done) / max(done, 1)
        text = f"{done * self.count // total + 1}/{self.count} {self.now}: {done / total:.0%}"
        sys.stderr.write(f"\r\x1b[K{text}, about {duration(left)} left")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
