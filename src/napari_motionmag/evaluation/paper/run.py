"""Draw the figures one after the other, each once."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_motionmag.compute.atomic import written_whole
from napari_motionmag.compute.versions import version_of
from napari_motionmag.evaluation.paper import applications, comparisons, curves, inside, motion
from napari_motionmag.evaluation.paper.figure import Figure, MethodsMissing, Setting
from napari_motionmag.methods.learned import weights


def _order(figure: Figure) -> tuple[bool, list[int]]:
    """Return the place in the paper: figures of the appendix come last."""
    numbers = figure.number.removeprefix("A.").split(".")
    return figure.number.startswith("A."), [int(number) for number in numbers]


_ALL = [
    figure
    for module in (applications, comparisons, curves, inside, motion)
    for figure in module.FIGURES
]
FIGURES = {figure.number: figure for figure in sorted(_ALL, key=_order)}


def run(
    out: Path,
    setting: Setting,
    only: Sequence[str] | None = None,
    report: Callable[[str], object] = print,
) -> Path:
    """Draw all figures of the paper, or `only` some, into a folder; return the path of a table.

    The folder gets ``figure-8.json``, ``figure-8.png`` and so on, and ``paper.md``, the table of
    what was measured. Figures that are there already, of the same methods, weights and version, are
    left as they are; those about methods that are not compared are left out. `report` is called
    with a line about each.
    """
    unknown = sorted(set(only or ()) - set(FIGURES))
    if unknown:
        raise ValueError(f"only must be of {', '.join(FIGURES)}, got {', '.join(unknown)}")
    out.mkdir(parents=True, exist_ok=True)
    chosen = [FIGURES[number] for number in FIGURES if only is None or number in only]
    stamp = {"methods": _stamps(setting), "full": setting.full, "version": version_of()}
    for k, figure in enumerate(chosen, 1):
        head = f"[{k}/{len(chosen)}] Fig. {figure.number}: {figure.title}"
        path = out / f"figure-{figure.number}.json"
        if _stored(path).get("of") == stamp and path.with_suffix(".png").is_file():
            report(f"{head}: there already")
            continue
        started = time.monotonic()
        with warnings.catch_warnings():  # beyond a method's bounds is where figures go
            warnings.simplefilter("ignore", UserWarning)
            try:
                numbers, picture = figure.draw(setting)
            except MethodsMissing as error:
                if len(chosen) == 1:
                    raise
                report(f"{head}: left out; {error}")
                continue
        seconds = time.monotonic() - started
        picture.savefig(path.with_suffix(".png"), dpi=110)
        facts = {"figure": figure.number, "title": figure.title, "of": stamp}
        with written_whole(path) as part:
            part.write_text(json.dumps({**facts, "seconds": seconds, "numbers": numbers}, indent=1))
        report(f"{head}: {seconds:.0f} s")
    return _summary(out)


def _stamps(setting: Setting) -> dict[str, str]:
    """Return methods and the hashes of their weights."""
    models = {name: name.partition(":")[2] or "default" for name in setting.learned}
    hashes = {name: weights.sha256(weights.resolve(model)) for name, model in models.items()}
    return {name: hashes.get(name, "") for name in setting.names}


def _stored(path: Path) -> dict:
    """Return what is stored of a figure; nothing where it is incomplete."""
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return {}


def _summary(out: Path) -> Path:
    """Write a page with the numbers and pictures of all figures that are in the folder."""
    lines = ["# The figures of the paper, measured", "", "Errors are in gray levels of 255.", ""]
    for number in FIGURES:
        if stored := _stored(out / f"figure-{number}.json"):
            lines += [f"## Fig. {number}: {stored['title']}", ""]
            lines += [f"- {line}" for line in flat(stored["numbers"])]
            lines += ["", f"![Fig. {number}](figure-{number}.png)", ""]
    path = out / "paper.md"
    path.write_text("\n".join(lines))
    return path


def flat(numbers: dict, head: str = "") -> list[str]:
    """Return nested numbers as lines."""
    lines = []
    for name, value in numbers.items():
        label = f"{head}{name}"
        if isinstance(value, dict):
            lines += flat(value, f"{label}, ")
        elif isinstance(value, list | tuple):
            lines.append(f"{label}: {', '.join(_text(v) for v in value)}")
        else:
            lines.append(f"{label}: {_text(value)}")
    return lines


def _text(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
