"""From the arguments of ``napari-motionmag magnify`` to settings, and what its help lists."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_motionmag.methods.option_field import Option, parse_texts
from napari_motionmag.methods.options import (
    METHOD_CLASSES,
    OPTIONS,
    STABILISE,
    method_options,
    parse_options,
)

if TYPE_CHECKING:
    from napari_motionmag.magnification.presets import Preset
    from napari_motionmag.magnification.settings import MagnifySettings

_WIDTH = 79
_STARTS = "--factor, --preset or --recipe"


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the list of options as it is, and wraps the description."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
        return super()._fill_text(text, width, indent)


def add_rate_and_axes(add) -> None:
    """Add the frame rate and the axes of a movie file."""
    add("--fps", type=float, help="frames per second at which the movie was taken")
    add("--axes", help="one letter per axis: T, Z, C, Y, X, S (RGB), for example TYX")


def add_place(add, help: str) -> None:
    """Add the index along axes such as Z and C."""
    add("--at", action="append", default=[], type=_place, metavar="AXIS=N", help=help)


def _place(text: str) -> tuple[str, int]:
    axis, _, number = text.partition("=")
    try:
        return axis.strip().upper(), int(number)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be AXIS=N, that is, must be like C=0; got {text!r}"
        ) from None


def add_measured_region(parser) -> None:
    """Add the part of the frame that is measured."""
    parser.add_argument(
        "--measure-region",
        type=int,
        nargs=4,
        metavar=("Y0", "Y1", "X0", "X1"),
        help="the part to measure, px (default: where the motion stands out most)",
    )


def settings(arguments: argparse.Namespace) -> tuple[MagnifySettings, Preset | None]:
    """Return the settings that the command line describes, and the preset that it names."""
    from napari_motionmag.magnification import presets
    from napari_motionmag.magnification.settings import NAMES, MagnifySettings

    if not has_settings(arguments):
        raise ValueError(f"{_STARTS} is needed")
    if arguments.preset is not None and arguments.recipe is not None:
        raise ValueError("--preset and --recipe are two kinds of settings: give one")
    given = {name: getattr(arguments, name, None) for name in NAMES}
    given = {name: value for name, value in given.items() if value is not None}
    for name in ("band", "intensity_range"):
        if name in given:
            given[name] = tuple(given[name])
    base = {} if arguments.recipe is None else _recipe(arguments.recipe)
    method = arguments.method or base.get("method", "learned")
    if method != base.get("method", method):  # the options are those of the recipe's method
        base = {name: value for name, value in base.items() if name in NAMES}
    given = base | given | parse_options(method, arguments.option) | _alignment(arguments)
    given |= _factor_map(arguments)
    preset = None if arguments.preset is None else presets.get(arguments.preset)
    if preset is None:
        found = MagnifySettings.from_arguments(**given)
    else:
        found = MagnifySettings.from_preset(preset, **given)
    check_motion(arguments, found.mode)
    check_method(arguments, found.method, found.options)
    return found, preset


def refuse(arguments: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Refuse those of some options that are given, since they would have no effect."""
    for name in names:
        value = getattr(arguments, name, None)
        if value is not None and value is not False and value != []:
            raise ValueError(f"--{name.replace('_', '-')} {why}")


def check_motion(arguments: argparse.Namespace, mode) -> None:
    """Refuse options of other modes."""
    for options, of in ((("band", "filter"), "temporal"), (("reference",), "static")):
        if mode != of:
            refuse(arguments, options, f"is for --mode {of}")


def check_method(arguments: argparse.Namespace, method: str, values: Mapping[str, Any]) -> None:
    """Refuse options that a method does not use, beside the values of its others."""
    if "device" not in METHOD_CLASSES[method].shared:
        if arguments.device not in (None, "cpu"):
            raise ValueError(f"--device is not for --method {method}, which works on the CPU")
        refuse(arguments, ("precision",), f"is not for --method {method}")
    known = {option.name: option for option in method_options(method)}
    for name in parse_options(method, arguments.option):
        other, wanted = known[name].only or (name, values[name])
        if values.get(other, known[other].default) != wanted:
            raise ValueError(f"--option {name} is for --option {other}={wanted}")


def refuse_settings(arguments: argparse.Namespace) -> None:
    """Refuse options of a magnification where none is described."""
    from napari_motionmag.magnification.settings import NAMES, OF_THE_MOVIE

    shared = [name for name in NAMES if name not in OF_THE_MOVIE]
    own = ("option", "map_factor", "map_rest", "map_feather", "stabilise_mask", "stabilise_option")
    refuse(arguments, ("results_only", *shared, *own), f"needs {_STARTS}")


def _factor_map(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the argument `factor_map` of `magnify`; nothing without it."""
    options: dict[str, Any] = {"rest": arguments.map_rest, "feather": arguments.map_feather}
    options = {name: value for name, value in options.items() if value is not None}
    for text in arguments.map_factor:
        try:
            label, factor = text.split("=")
            options.setdefault("factors", {})[int(label)] = float(factor)
        except ValueError:
            raise ValueError(f"--map-factor must be LABEL=M, got {text!r}") from None
    if arguments.factor_map is None and options:
        raise ValueError(f"--map-{next(iter(options)).removesuffix('s')} needs --factor-map")
    if arguments.factor_map is None or not options:
        return {}
    return {"factor_map": {"labels": arguments.factor_map, **options}}


def has_settings(arguments: argparse.Namespace) -> bool:
    """Whether the command line says how to magnify."""
    return any(getattr(arguments, name) is not None for name in ("factor", "preset", "recipe"))


def _recipe(path: Path) -> dict[str, Any]:
    """Return the arguments of `magnify` that a file with a recipe stands for."""
    from napari_motionmag.io.recipe_file import read_recipe
    from napari_motionmag.magnification.recipe import arguments_for_another

    recipe = read_recipe(path)
    try:
        return arguments_for_another(recipe)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


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


def listing(alignment: bool = True) -> str:
    """Return all options with what is allowed and their defaults, for ``--help``."""
    lines = ["options of the methods, as --option NAME=VALUE:"]
    for method, options in OPTIONS.items():
        if options:
            lines += ["", f"  {method}"]
            lines += [line for option in options for line in _lines(option)]
    if alignment:
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
