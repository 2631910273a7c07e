"""From the arguments of ``napari-motionmag magnify`` to settings, and what its help lists."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_motionmag.methods.options import (
    OPTIONS,
    STABILISE,
    Option,
    parse_options,
    parse_texts,
)

if TYPE_CHECKING:
    from napari_motionmag.magnification.presets import Preset
    from napari_motionmag.magnification.settings import MagnifySettings

_WIDTH = 79


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the list of options as it is, and wraps the description."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
        return super()._fill_text(text, width, indent)


def settings(arguments: argparse.Namespace) -> tuple[MagnifySettings, Preset | None]:
    """Return the settings that the command line describes, and the preset that it names.

    Raises
    ------
    ValueError, TypeError
        If there is neither a preset nor a factor, or an option is unknown or has a value that is
        not allowed.
    """
    from napari_motionmag.magnification import presets
    from napari_motionmag.magnification.settings import NAMES, MagnifySettings

    if arguments.preset is None and arguments.factor is None:
        raise ValueError("--factor or --preset is needed")
    given = {name: getattr(arguments, name, None) for name in NAMES}
    given = {name: value for name, value in given.items() if value is not None}
    for name in ("band", "intensity_range"):
        if name in given:
            given[name] = tuple(given[name])
    given |= parse_options(arguments.method or "learned", arguments.option) | _alignment(arguments)
    if arguments.preset is None:
        return MagnifySettings.from_arguments(**given), None
    preset = presets.get(arguments.preset)
    return MagnifySettings.from_preset(preset, **given), preset


def _alignment(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `magnify` for stabilisation; nothing without it."""
    texts, mask = arguments.stabilise_option, arguments.stabilise_mask
    options = parse_texts(STABILISE[1:], texts, "--stabilise-option", "alignment")
    if arguments.stabilise is not None:
        return {"stabilise": {"model": arguments.stabilise, **options}, "mask": mask}
    if options or mask is not None:
        which = "--stabilise-option" if options else "--stabilise-mask"
        raise ValueError(f"{which} needs --stabilise {'|'.join(STABILISE[0].choices)}")
    return {}


def filter_names() -> list[str]:
    """Return the names of the filters, the default first: those of their files.

    Importing the filters would load NumPy.
    """
    files = (Path(__file__).parents[1] / "temporal" / "band_filters").glob("[!_]*.py")
    return sorted((file.stem for file in files), key=lambda name: (name != "fir", name))


def one_of(names: Iterable[str]) -> str:
    """Write names for a help text, the default first: ``"fir (default), butterworth or iir"``."""
    first, *others = names
    return f"{first} (default), {', '.join(others[:-1])} or {others[-1]}"


def listing() -> str:
    """Return all options with what is allowed and their defaults, for ``--help``."""
    lines = ["options of the methods, as --option NAME=VALUE:"]
    for method, options in OPTIONS.items():
        if options:
            lines += ["", f"  {method}"]
            lines += [line for option in options for line in _lines(option)]
    lines += ["", "options of the alignment, as --stabilise-option NAME=VALUE:", ""]
    lines += [line for option in STABILISE[1:] for line in _lines(option)]
    return "\n".join(lines)


def _lines(option: Option) -> list[str]:
    if option.kind == "choice":
        values = ", ".join(option.choices)
    elif option.kind == "flag":
        values = "yes, no"
    else:
        values = option.allowed.removeprefix("None or ")
    default = {True: "yes", False: "no"}.get(option.default, option.default)
    if option.default is None:
        default = f"none: {option.none}"
    elif option.kind in ("number", "integer"):
        default = f"{option.default:g}" if option.default < 1e6 else option.default
    text = f"{values} (default {default}). {option.help}"
    return textwrap.wrap(
        text, _WIDTH, initial_indent=f"    {option.name:<12}", subsequent_indent=" " * 16
    )
