"""Options of the methods and of stabilisation on the command line."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from napari_motionmag.methods.options import (
    OPTIONS,
    STABILISE,
    Option,
    parse_options,
    parse_texts,
)

_WIDTH = 79


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves the list of options as it is, and wraps the description."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
        return super()._fill_text(text, width, indent)


def add_option(group) -> None:
    """Add ``--option`` to a group of arguments."""
    group.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the method's own, from the list below; may be repeated",
    )


def add_stabilise(parser: argparse.ArgumentParser) -> None:
    """Add a group for stabilisation."""
    group = parser.add_argument_group("large motion")
    group.add_argument(
        "--stabilise",
        choices=STABILISE[0].choices,
        help="align the frames first, magnify what motion is left, and put the large motion back",
    )
    group.add_argument(
        "--stabilise-mask",
        type=Path,
        metavar="FILE",
        help=".tif or .npy, (Y, X) or (T, Y, X): the part that is followed and magnified",
    )
    group.add_argument(
        "--stabilise-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the alignment, from the list below; may be repeated",
    )


def asked_for(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `magnify` that these options say, none when there are none.

    Raises
    ------
    ValueError, TypeError
        If an option is not known, or has a value that is not allowed.
    """
    found = parse_options(arguments.method, arguments.option) if arguments.option else {}
    told = parse_texts(STABILISE[1:], arguments.stabilise_option, "--stabilise-option", "alignment")
    mask = arguments.stabilise_mask
    if arguments.stabilise is None:
        if told or mask is not None:
            which = "--stabilise-option" if told else "--stabilise-mask"
            raise ValueError(f"{which} needs --stabilise {'|'.join(STABILISE[0].choices)}")
        return found
    found["stabilise"] = {"model": arguments.stabilise, **told}
    if mask is not None:
        from napari_motionmag.methods.stabilisation.mask_files import read_mask

        found["mask"] = read_mask(mask)
    return found


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
