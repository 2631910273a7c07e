"""Presets on the command line: ``--preset NAME`` and ``napari-motionmag presets``."""

from __future__ import annotations

import argparse

from napari_motionmag.magnification import presets

_DEFAULTS = {"mode": "static", "reference": 0, "band": None, "filter": "fir"}
_TEMPORAL = ("band", "filter")


def add_preset(parser) -> None:
    """Add ``--preset`` to a parser whose motion arguments are None by default."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of a kind of movie; what else is given wins ('presets' lists them)",
    )


def add_command(commands, common) -> None:
    """Add the command ``presets``."""
    parser = commands.add_parser(
        "presets", parents=[common], help="list the presets of magnify, or explain one"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="preset to explain")
    parser.set_defaults(run=lambda arguments: print(listing(arguments.name)))


def listing(name: str | None = None) -> str:
    """Return all presets in a table, or what one sets and why."""
    if name is not None:
        preset = presets.get(name)
        return f"{preset.title} ({preset.group})\n{preset.explanation}"
    all_ = [presets.get(name) for name in presets.NAMES]
    widths = [max(len(getattr(p, key)) for p in all_) for key in ("name", "summary")]
    lines = []
    for group in dict.fromkeys(p.group for p in all_):
        lines += ["", group] if lines else [group]
        lines += [
            f"  {p.name:{widths[0]}}  {p.summary:{widths[1]}}  {p.title}"
            for p in all_
            if p.group == group
        ]
    return "\n".join(lines)


def apply(arguments: argparse.Namespace) -> presets.Preset | None:
    """Fill in what was not given: from the preset, and else by default.

    Returns
    -------
    Preset or None
        The preset when its band is used, to be checked with `check`.

    Raises
    ------
    ValueError
        When there is no such preset, or neither a preset nor a factor.
    """
    if arguments.preset is None and arguments.factor is None:
        raise ValueError("--factor or --preset is needed")
    chosen = None if arguments.preset is None else presets.get(arguments.preset)
    said = {} if chosen is None else chosen.arguments
    if arguments.mode not in (None, "temporal"):  # then there is no band
        said = {key: value for key, value in said.items() if key not in _TEMPORAL}
    uses_band = arguments.band is None and "band" in said
    for key, value in {**_DEFAULTS, **said}.items():
        if getattr(arguments, key) is None:
            setattr(arguments, key, value)
    return chosen if uses_band else None


def check(preset: presets.Preset | None, movie) -> None:
    """Raise ValueError when a movie's frame rate makes the band of a preset impossible."""
    problem = None if preset is None else preset.problem(movie.fps)
    if problem:
        raise ValueError(f"{problem}: --fps")
