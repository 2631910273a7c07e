"""The command line: ``napari-motionmag demo | magnify | presets | evaluate | train | info``.

Only what a command needs is imported, when it runs: ``--help`` is there at once.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_motionmag import __version__
from napari_motionmag.cli import options as cli_options
from napari_motionmag.cli import presets as cli_presets

PROGRAM = "napari-motionmag"
BAD_INPUT, FAILURE, INTERRUPTED, TERMINATED = 2, 1, 130, 143
# what the user can put right
_INPUT_ERRORS = (
    ValueError,
    TypeError,
    ImportError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str):
        self.exit(BAD_INPUT, f"{self.prog}: error: {message} (--help tells more)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the name of the program; those of the process when None.

    Returns
    -------
    int
        Exit code: 0, 1 when something failed, 2 for wrong usage or input, 130 for Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    run, debug = _command(argv)
    with _one_line_warnings(debug), _termination_as_exit():
        try:
            return int(run() or 0)
        except KeyboardInterrupt:
            return _report("interrupted", INTERRUPTED, debug)
        except _INPUT_ERRORS as error:
            return _report(f"error: {error}", BAD_INPUT, debug)
        except BrokenPipeError:
            # the reader of our output went away, as head does: nothing is wrong
            sys.stderr.close()
            return 0
        except Exception as error:  # reported, and its traceback shown on demand
            kind = type(error).__name__
            hint = "" if debug else " (--debug shows where)"
            return _report(f"error: {kind}: {error}{hint}", FAILURE, debug)


def _report(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return code


def _command(argv: list[str]) -> tuple[Callable[[], int | None], bool]:
    """Return what to run, and whether tracebacks are wanted."""
    passed_on = {"train": _train, "evaluate": _evaluate}
    if argv and argv[0] in passed_on:  # these have parsers of their own
        rest = [argument for argument in argv[1:] if argument != "--debug"]
        return lambda: passed_on[argv[0]](rest), "--debug" in argv
    arguments = _parser().parse_args(argv)
    return lambda: arguments.run(arguments), arguments.debug


@contextmanager
def _one_line_warnings(debug: bool) -> Iterator[None]:
    def show(message, category, filename, lineno, file=None, line=None):
        text = " ".join(str(message).split())
        print(f"{PROGRAM}: warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("default", UserWarning)
        if not debug:
            warnings.showwarning = show
        yield


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Let a batch system's SIGTERM unwind the program, so that unfinished files are removed."""

    def leave(signum, frame):
        raise SystemExit(TERMINATED)

    replaced = None
    if threading.current_thread() is threading.main_thread():
        replaced = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        if replaced is not None:
            signal.signal(signal.SIGTERM, replaced)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog=PROGRAM,
        description="Magnify motions in movies that are too small to see.",
        epilog=f"'{PROGRAM} COMMAND --help' tells about a command.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _add_demo(commands, common)
    _add_magnify(commands, common)
    cli_presets.add_command(commands, common)
    commands.add_parser("evaluate", help="measure the methods by the protocols of the paper")
    commands.add_parser("train", help="train a network on synthetic scenes")
    info = commands.add_parser(
        "info", parents=[common], help="versions, device and weights of this installation"
    )
    info.add_argument("--json", action="store_true", help="for programs to read")
    info.set_defaults(run=_info)
    return parser


def _add_demo(commands, common) -> None:
    demo = commands.add_parser(
        "demo",
        parents=[common],
        help="show a sample movie and its motion magnified, in napari or in files",
    )
    demo.add_argument(
        "sample",
        nargs="?",
        default="beating_cell",
        metavar="SAMPLE",
        help="name of a sample movie (default: beating_cell)",
    )
    demo.add_argument("--list", action="store_true", help="list the samples and leave")
    demo.add_argument("--out-dir", type=Path, metavar="DIR", help="where files go (default: here)")
    where = demo.add_mutually_exclusive_group()
    where.add_argument("--gui", action="store_true", default=None, help="in a window, or fail")
    where.add_argument("--no-gui", dest="gui", action="store_false", help="in files")
    demo.set_defaults(run=_demo)


def _add_magnify(commands, common) -> None:
    parser = commands.add_parser(
        "magnify",
        parents=[common],
        help="magnify the motion in a movie file",
        description="Magnify the motion in a movie and write it, frame by frame, to another "
        "file. Formats go by the extension: .tif .ome.tif .npy .zarr .mp4 .mov .avi, and to "
        "read .mkv .webm .m4v too.",
        epilog=f"{cli_options.listing()}\n\n"
        f"example: {PROGRAM} magnify string.tif string_x25.tif --factor 25 "
        "--mode temporal --band 72 92 --fps 600",
        formatter_class=cli_options.Formatter,
    )
    add = parser.add_argument
    add("input", metavar="IN", type=Path, help="movie to read")
    add("output", metavar="OUT", type=Path, help="movie to write")
    add(
        "--factor",
        type=float,
        metavar="M",
        help="total gain of the motion: 1 leaves it, 0 removes it, negative mirrors it; needed "
        "without a preset",
    )
    cli_presets.add_preset(parser)
    motion = parser.add_argument_group("which motion")
    add = motion.add_argument
    add("--mode", help="static (default), dynamic or temporal")
    add(
        "--reference",
        type=_reference,
        metavar="N|A:B",
        help="static: the frame at rest, or frames to average; first is 0",
    )
    add("--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="temporal: band in Hz")
    add(
        "--filter",
        help="temporal: fir (default), butterworth, iir or acceleration",
    )
    movie = parser.add_argument_group("the movie, where the file does not tell")
    add = movie.add_argument
    add("--fps", type=float, help="frames per second at which it was taken")
    add("--axes", help="a letter for each axis: T, Z, C, Y, X, S (RGB), for example TYX")
    add(
        "--intensity-range",
        type=float,
        nargs=2,
        metavar=("BLACK", "WHITE"),
        help="intensities of black and white; estimated from a few frames without",
    )
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
        default=1,
        metavar="N",
        help="at a coarser resolution: N x N pixels are averaged to one",
    )
    method = parser.add_argument_group("how")
    add = method.add_argument
    add(
        "--method",
        default="learned",
        help="learned (default), phase, riesz, linear or lagrangian",
    )
    add("--model", default="default", help="learned: difference, oh2018 or a .safetensors file")
    add("--device", help="cpu, cuda, cuda:N or mps; the best there is without")
    add("--precision", help="float32, float16 or bfloat16; float64 with classical methods")
    add("--tile", type=int, metavar="N", help="side of the tiles in pixels")
    cli_options.add_option(method)
    cli_options.add_stabilise(parser)
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--overwrite", action="store_true", help="replace OUT when it exists")
    add("--resume", action="store_true", help=".zarr: go on where an interrupted run stopped")
    add("--playback-fps", type=float, metavar="FPS", help="video: how fast it is to be shown")
    add("--quiet", action="store_true", help="show no progress")
    many = parser.add_argument_group("many workers (extra [distributed])")
    where = many.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="processes on this machine that share its cores"
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a running dask cluster, as tcp://host:8786; its workers must see IN and OUT",
    )
    parser.set_defaults(run=_magnify)


def _reference(text: str) -> int | slice:
    """Read ``N`` or ``A:B`` (either end may be left out)."""
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if len(parts) == 1:
            return int(text)
        if len(parts) == 2:
            return slice(*parts)
    except ValueError:
        pass  # said below
    raise argparse.ArgumentTypeError(f"must be a frame N or frames A:B, got {text!r}")


def _magnify(arguments: argparse.Namespace) -> None:
    from napari_motionmag import magnify
    from napari_motionmag.cli.progress import ProgressLine, duration
    from napari_motionmag.compute.cluster import connected
    from napari_motionmag.io import check_output, open_movie, save_movie
    from napari_motionmag.io.formats import format_of
    from napari_motionmag.io.journal import fingerprint
    from napari_motionmag.movie.region import Part

    preset = cli_presets.apply(arguments)
    source, target = arguments.input, arguments.output
    if source.exists() and target.exists() and source.samefile(target):
        raise ValueError(f"OUT is the same as IN: {target}")
    writing = {
        "overwrite": arguments.overwrite,
        "resume": arguments.resume,
        "playback_fps": arguments.playback_fps,
    }
    check_output(target, source=source, **writing)
    movie = open_movie(
        source,
        axes=arguments.axes,
        fps=arguments.fps,
        intensity_range=arguments.intensity_range,
    )
    cli_presets.check(preset, movie)
    check_output(target, movie, **writing)
    options = {
        "method": arguments.method,
        "mode": arguments.mode,
        "reference": arguments.reference,
        "band": None if arguments.band is None else tuple(arguments.band),
        "filter": arguments.filter,
        "model": arguments.model,
        "device": arguments.device,
        "precision": arguments.precision,
        "tile": arguments.tile,
    }
    part = Part.of(movie, arguments.region, arguments.preview)
    if part is not None:
        options |= {"region": part.region, "preview": part.preview}
    own = cli_options.asked_for(arguments)
    magnified = magnify(movie, arguments.factor, **options, **own)
    shown = format_of(target).name == "video"
    result = (movie if part is None else part.as_movie()).replace(
        data=magnified,
        # of the source: finding it in the result would compute frames for nothing
        intensity_range=movie.intensity_range if shown else None,
        name=target.name.removesuffix(target.suffix),
    )
    line = ProgressLine("magnified")
    if not arguments.quiet:
        print(f"{PROGRAM}: {source}: {movie.summary()} -> {target}", file=sys.stderr)
    try:
        with connected(arguments.scheduler, arguments.workers) as client:
            save_movie(
                target,
                result,
                recipe=_recipe(arguments, movie, options, own),
                source=fingerprint(source) if arguments.resume else None,
                client=client,
                **writing,
                progress=None if arguments.quiet else line,
            )
    finally:
        if not arguments.quiet:
            line.clear()
    if not arguments.quiet:
        told = (
            f"wrote {target}: {line.done} frames in {duration(line.elapsed)}, "
            f"{line.rate:.3g} frames/s"
            if line.done
            else f"{target} was whole already"
        )
        print(f"{PROGRAM}: {told}", file=sys.stderr)


def _recipe(arguments: argparse.Namespace, movie, options: dict, own: dict) -> dict:
    """Return how the output is made, enough to make it again."""
    reference = options["reference"]
    if isinstance(reference, slice):
        reference = [reference.start, reference.stop]
    recipe = {
        "program": f"{PROGRAM} {__version__}",
        "source": arguments.input.name,
        "factor": arguments.factor,
        **({"preset": arguments.preset} if arguments.preset else {}),
        **options,
        "reference": reference,
        "axes": movie.axes,
        "fps": movie.fps,
        "intensity_range": arguments.intensity_range,
    }
    own = dict(own)
    if "stabilise" in own:
        recipe["stabilise"] = own.pop("stabilise")
    if "mask" in own:
        from napari_motionmag.methods.stabilisation.mask_files import pack

        recipe["mask"] = pack(own.pop("mask"), arguments.stabilise_mask.name)
    if own:
        recipe["options"] = own
    if options["method"] == "learned":
        from napari_motionmag.methods.learned import weights

        recipe["weights_sha256"] = weights.sha256(weights.resolve(options["model"]))
    return recipe


def _info(arguments: argparse.Namespace) -> None:
    from napari_motionmag.cli.info import as_text, gather

    facts = gather()
    print(json.dumps(facts, indent=2) if arguments.json else as_text(facts))


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.list:
        from napari_motionmag import samples

        print("\n".join(samples.NAMES))
        return
    from napari_motionmag.cli import demo

    demo.run(arguments.sample, out_dir=arguments.out_dir, gui=arguments.gui)


def _train(argv: list[str]) -> int | None:
    from napari_motionmag.training import train

    return train.main(argv)


def _evaluate(argv: list[str]) -> int | None:
    from napari_motionmag import evaluation

    return evaluation.main(argv)


if __name__ == "__main__":
    sys.exit(main())
