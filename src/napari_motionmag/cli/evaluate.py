"""``napari-motionmag evaluate``: measure the methods by the protocols of the paper."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from napari_motionmag.cli import options
from napari_motionmag.compute.atomic import check_folder, check_target, written_whole
from napari_motionmag.compute.validate import existing_file

METHODS = ("learned:difference", "learned:oh2018", "phase")


def add_command(commands, common) -> None:
    """Add the command ``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        parents=[common],
        help="measure the methods by the protocols of the paper",
        description="Score methods by the paper's protocols, on pictures never trained on; or draw "
        "the paper's figures again.",
    )
    add = parser.add_argument
    add(
        "--methods",
        nargs="+",
        default=METHODS,
        metavar="METHOD[:MODEL]",
        help="as 'learned:oh2018', 'learned:my.safetensors', 'phase'; default: "
        + " ".join(METHODS),
    )
    add("--full", action="store_true", help="all levels and more scenes")
    add("--only", nargs="+", metavar="NAME", help="protocols, or with --paper numbers of figures")
    add("--seeds", type=int, metavar="N", help="scenes a level: 2 when quick, 10 in full")
    add("--device", help="cpu, cuda, cuda:N or mps (default: the best available)")
    add(
        "--beside",
        type=Path,
        metavar="JSON",
        help="evaluation.json of other methods on the same scenes, shown with these",
    )
    add("--out", type=Path, metavar="DIR", help="folder for evaluation.json and evaluation.png")
    add("--overwrite", action="store_true", help="replace them if they exist")
    add(
        "--paper",
        type=Path,
        metavar="DIR",
        help="draw the figures of the paper into a folder; those that are there already are kept",
    )
    parser.set_defaults(run=run)


def run(arguments) -> None:
    """Run the command."""
    for folder in filter(None, (arguments.out, arguments.paper)):
        check_folder(folder)
    if arguments.out or arguments.paper:
        from napari_motionmag.compute.optional import optional

        optional("matplotlib", "plots", "figures")
    if arguments.paper:
        options.refuse(arguments, ("out", "overwrite", "beside", "seeds"), "is not for --paper")
        _paper(arguments)
    else:
        _scores(arguments)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _paper(arguments) -> None:
    from napari_motionmag.evaluation.paper.figure import Setting
    from napari_motionmag.evaluation.paper.run import run as draw

    setting = Setting(tuple(arguments.methods), arguments.full, arguments.device)
    print(draw(arguments.paper, setting, arguments.only, _tell))


def _scores_in(path: Path) -> dict:
    """Read the scores of other methods."""
    from napari_motionmag.evaluation.run import table

    content = existing_file("--beside", path).read_bytes()
    try:
        found = json.loads(content)
        if {"protocols", "seeds", "methods"} <= found.keys() and table(found):
            return found
    except (ValueError, TypeError, LookupError, AttributeError):
        pass
    raise ValueError(f"--beside: {path} holds no scores, as evaluation.json does")


def _scores(arguments) -> None:
    from napari_motionmag.evaluation import run

    before = None if arguments.beside is None else _scores_in(arguments.beside)
    seeds = arguments.seeds if arguments.seeds is not None else 10 if arguments.full else 2
    quick = not arguments.full
    if before is not None:
        run.check_scenes(before, seeds, run.levels(quick, arguments.only))
    if arguments.out and (arguments.out / "evaluation.json").exists():
        check_target(arguments.out / "evaluation.json", arguments.overwrite)
    started = time.monotonic()
    result = run.evaluate(
        arguments.methods,
        seeds=seeds,
        quick=quick,
        device=arguments.device,
        only=arguments.only,
        report=_tell,
    )
    if before is not None:
        result = run.merged(before, result)
    print(run.table(result))
    if result["protocols"]:
        print(f"\n{run.psnr_table(result)}")
    _tell(f"{time.monotonic() - started:.0f} s")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        with written_whole(arguments.out / "evaluation.json") as part:
            part.write_text(json.dumps(result, indent=1))
        if result["protocols"]:  # else there are no curves
            run.curves(result).savefig(arguments.out / "evaluation.png", dpi=110)
