"""The methods as users see them: their names, labels and options; and making one by its name.

Each method is declared here, light enough for ``--help``: its options are fields of a dataclass,
with default, bounds, unit, label and help. The command line, the form and the documentation read
them from here; the class that implements a method inherits from its declaration, and is imported
when it is used.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from napari_motionmag.compute.device import load_torch

if TYPE_CHECKING:
    from napari_motionmag.methods.base import Method

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KINDS = {"bool": "flag", "int": "integer", "float": "number"}


@dataclass(frozen=True)
class Option:
    """One option of a method."""

    name: str  # as in ``magnify(..., name=value)``
    kind: str  # "choice", one of `choices`; "number", a float; "integer"; or "flag", a bool
    default: Any
    help: str  # what it does, in one line
    label: str = ""  # name in a form; the name itself by default
    choices: tuple[str, ...] = ()  # all values of a choice, the usual one first
    low: float | None = None  # smallest number allowed
    high: float | None = None
    unit: str = ""
    none: str = ""  # what None stands for; "" when None is not allowed
    only: tuple[str, str] | None = None  # another option, and its value with which this one matters
    expert: bool = False  # whether forms leave it out

    @property
    def allowed(self) -> str:
        """What is allowed, in words, as ``"a number >= 0 (px)"``."""
        if self.kind == "choice":
            words = " or ".join(map(repr, self.choices))
            words = words if len(self.choices) < 3 else f"one of {self.choices}"
        elif self.kind == "flag":
            words = "True or False"
        else:
            words = "a number" if self.kind == "number" else "a whole number"
            if self.high is not None:
                words += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None:
                words += f" >= {self.low:g}"
        return ("None or " if self.none else "") + words + (f" ({self.unit})" if self.unit else "")

    def check(self, value) -> Any:
        """Return the value as the type of its kind; TypeError or ValueError if not allowed."""
        if value is None and self.none:
            return None
        wrong = f"{self.name} must be {self.allowed}, got {value!r}"
        if self.kind == "choice":
            if not (isinstance(value, str) and value in self.choices):
                raise ValueError(wrong)
            return str(value)
        if self.kind == "flag":
            # NumPy's booleans are no bool
            if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
                raise TypeError(wrong)
            return bool(value)
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(wrong)
        if not math.isfinite(value):
            raise ValueError(wrong)
        if self.kind == "integer" and not isinstance(value, Integral) and value != int(value):
            raise ValueError(wrong)
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            raise ValueError(wrong)
        return int(value) if self.kind == "integer" else float(value)

    def parse(self, text: str) -> Any:
        """Return the value of a command-line text; TypeError or ValueError if not allowed."""
        word = text.strip()
        if self.none and word.lower() in ("none", "auto", ""):
            return None
        value: Any = word
        if self.kind == "flag":
            value = _WORDS.get(word.lower(), word)
        elif self.kind in ("number", "integer"):
            with suppress(ValueError):  # `check` refuses it
                value = int(word) if self.kind == "integer" else float(word)
        return self.check(value)


def option(default, help: str, **details):
    """Return a dataclass field that is an option; see `Option` for `details`."""
    return dataclasses.field(default=default, metadata={"help": help, **details})


def options_of(declaration: type) -> tuple[Option, ...]:
    """Return the options that a dataclass declares. Its annotations decide on their kind."""
    return tuple(
        Option(
            field.name,
            "choice" if "choices" in field.metadata else _KINDS[field.type.split(" ")[0]],
            field.default,
            **field.metadata,
        )
        for field in dataclasses.fields(declaration)
        if "help" in field.metadata
    )


def check_options(declared) -> None:
    """Check the options of a dataclass's instance, and convert them to the types of their kinds."""
    for one in options_of(type(declared)):
        object.__setattr__(declared, one.name, one.check(getattr(declared, one.name)))


# ---- the methods ----


@dataclass(frozen=True)
class MethodOptions:
    """Base of the declarations."""

    name: ClassVar[str]
    label: ClassVar[str]  # in forms
    implementation: ClassVar[str]  # "module:Class" in `methods`; the class inherits the declaration
    # arguments of `magnify` that the class takes besides its options -> their names in the class
    shared: ClassVar[dict[str, str]] = {"device": "device", "precision": "dtype"}
    unlisted: ClassVar[tuple[str, ...]] = ()  # options for scripts alone

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "implementation" in cls.__dict__:
            METHOD_CLASSES[cls.name] = cls


#: Declarations by the name of the method.
METHOD_CLASSES: dict[str, type[MethodOptions]] = {}


def _sigma():
    return option(
        2.0,
        "Smoothing of the phase variation, weighted by amplitude. 0: sharper between things that "
        "move differently; more: steadier in noise.",
        label="Smoothing",
        low=0,
        unit="px of each subband",
    )


def _chroma():
    return option(
        "pass",
        "Color movies: leave the chroma where it is, or magnify its motion too.",
        label="Color",
        choices=("pass", "magnify"),
    )


def _direction(which: str = ""):
    return option(
        None,
        f"{which}magnify motion along this direction only, 0 along x, 90 along y.".capitalize(),
        label="Direction",
        low=0,
        high=180,
        unit="degrees",
        none="all directions",
    )


def _max_bytes():
    return option(
        2**31,
        "Memory for transformed frames, and again for subbands; with less, work goes in chunks.",
        low=1,
        unit="bytes",
        expert=True,
    )


@dataclass(frozen=True, kw_only=True)
class LearnedOptions(MethodOptions):
    name = "learned"
    label = "Learned (neural network)"
    implementation = "learned.method:LearnedMagnifier"
    shared = {name: name for name in ("model", "device", "precision", "tile")}  # noqa: RUF012

    unlisted = ("compile",)

    draw: bool = option(
        True,
        "Network difference: draw what comes to light behind what moves. Without it, pixels are "
        "only moved.",
    )
    denoise: float | None = option(
        None,
        "Network difference: how much of the noise to take away. 0 keeps it, and the finest "
        "texture.",
        low=0,
        high=1,
        none="more in noisier movies; 0 without draw",
    )
    direction: float | None = _direction("Network difference: ")


@dataclass(frozen=True)
class PhaseOptions(MethodOptions):
    name = "phase"
    label = "Phase (steerable pyramid)"
    implementation = "classical.phase:PhaseMagnifier"

    pyramid: str = option(
        "half-octave",
        "Bandwidth of the subbands: narrower ones carry larger motion, ring wider and take longer.",
        choices=("half-octave", "octave", "quarter-octave"),
    )
    sigma: float = _sigma()
    chroma: str = _chroma()
    envelope: bool = option(
        False,
        "Magnify the variation of amplitudes too: exact for small motion of fine irregular "
        "texture, but multiplies noise.",
        label="Amplitudes",
    )
    padding: int = option(
        16, "Mirrored border on each side of the frame.", low=0, unit="px", expert=True
    )
    max_bytes: int = _max_bytes()


@dataclass(frozen=True)
class RieszOptions(MethodOptions):
    name = "riesz"
    label = "Phase (Riesz pyramid)"
    implementation = "classical.riesz:RieszMagnifier"

    transform: str = option(
        "exact",
        "The Riesz transform itself, or the three-tap filters of the paper, which fall short.",
        choices=("exact", "taps"),
        expert=True,
    )
    sigma: float = _sigma()
    chroma: str = _chroma()
    max_bytes: int = _max_bytes()


@dataclass(frozen=True)
class LinearOptions(MethodOptions):
    name = "linear"
    label = "Linear (Eulerian)"
    implementation = "classical.linear:LinearMagnifier"

    what: str = option(
        "motion",
        "Motion, or slow changes of intensity and color over wide areas, as a pulse.",
        label="Magnify",
        choices=("motion", "color"),
    )
    lambda_c: float | None = option(
        None,
        "Motion: wavelengths below it are magnified less.",
        label="Cut-off",
        low=0,
        unit="px",
        none="from the measured displacement",
        only=("what", "motion"),
    )
    attenuation: str = option(
        "scaled",
        "Motion: wavelengths below lambda_c get as much as the bound allows, or nothing.",
        label="Below it",
        choices=("scaled", "cut"),
        only=("what", "motion"),
    )
    levels: int | None = option(
        None,
        "Motion: number of bands of the pyramid.",
        low=1,
        none="as many as the frame has",
        only=("what", "motion"),
        expert=True,
    )
    residual: bool = option(
        False,
        "Motion: magnify the low-pass residual too, and with it the flicker of the lamp.",
        only=("what", "motion"),
        expert=True,
    )
    level: int = option(
        4,
        "Color: how often to halve the resolution.",
        label="Halvings",
        low=1,
        only=("what", "color"),
    )
    chroma: float | None = option(
        None,
        "Color movies: how much the chroma is magnified, relative to the luma.",
        label="Color",
        low=0,
        high=1,
        none="0 for motion, 1 for color",
    )


@dataclass(frozen=True)
class LagrangianOptions(MethodOptions):
    name = "lagrangian"
    label = "Lagrangian (flow and warp)"
    implementation = "classical.lagrangian:LagrangianMagnifier"
    shared = {}  # noqa: RUF012

    flow: str = option(
        "ilk",
        "Optical flow: iterative Lucas-Kanade, smooth and fast, or total variation, sharper at "
        "edges and three times slower.",
        choices=("ilk", "tvl1"),
    )
    radius: int | None = option(
        None,
        "Neighborhood that is taken to move together: larger for noise, smaller for small things.",
        label="Window",
        low=1,
        unit="px",
        none="5 for ilk, 3 for tvl1",
    )
    blur: float = option(1.0, "Smoothing before the flow is measured.", low=0, unit="px")
    sigma: float = option(
        2.0, "Smoothing of the displacement.", label="Smoothing", low=0, unit="px"
    )
    direction: float | None = _direction()
    order: int = option(5, "Of the spline that interpolates the frame.", low=1, high=5, expert=True)


@dataclass(frozen=True)
class AlignmentOptions:
    """Options of stabilisation, with any method, besides its mask."""

    model: str = option(
        "translation",
        "Large motion that is kept as it is: shifts; and rotations; and stretch and shear; or "
        "the drift of every part, slower than the band.",
        choices=("translation", "rigid", "affine", "dense"),
    )
    reference: int = option(
        0,
        "Frame that the others are aligned to; negative ones count from the end. Not for 'dense'.",
    )
    align_to: str = option(
        "reference",
        "Align all frames once (for 'dense', once for a few neighboring output frames), or anew "
        "for each output frame, so that what the reference does not show is magnified too.",
        label="Align to",
        choices=("reference", "current"),
    )
    smooth: float = option(
        0.0,
        "Only what is slower than this is large motion; faster shaking of the whole is magnified. "
        "0: any motion; for 'dense', what is slower than the band.",
        label="Slower than",
        low=0,
        unit="frames",
    )
    feather: float = option(
        4.0,
        "Width over which what is aligned fades into the still surroundings.",
        low=0,
        unit="px",
    )


OPTIONS: dict[str, tuple[Option, ...]] = {
    name: options_of(cls) for name, cls in METHOD_CLASSES.items()
}
"""Options of each method, besides the arguments of `magnify`."""

STABILISE: tuple[Option, ...] = options_of(AlignmentOptions)


def method_options(method: str) -> tuple[Option, ...]:
    """Return the options that a method takes besides the arguments of `magnify`.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in list(OPTIONS):
        raise ValueError(f"method must be one of {list(OPTIONS)}, got {method!r}")
    return OPTIONS[method]


def option_names(method: str) -> list[str]:
    """Return the names of the options that a method takes, including those for scripts alone."""
    return [option.name for option in method_options(method)] + [*METHOD_CLASSES[method].unlisted]


def label_of(name: str) -> str:
    """Return what a method is called in forms."""
    return METHOD_CLASSES[name].label if name in METHOD_CLASSES else name


# ---- values for options ----


def checked(options: Iterable[Option], values: dict[str, Any]) -> dict[str, Any]:
    """Return values as the types of their options; TypeError or ValueError where not allowed."""
    known = {option.name: option for option in options}
    if unknown := sorted(set(values) - set(known)):
        raise TypeError(f"unknown options {unknown}; there are {sorted(known)}")
    return {name: known[name].check(value) for name, value in values.items()}


def parse_texts(
    options: Iterable[Option], texts: Iterable[str], argument: str, owner: str
) -> dict[str, Any]:
    """Read ``name=value`` texts; `argument` and `owner` are for errors."""
    known = {option.name: option for option in options}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"{argument} must be NAME=VALUE, got {text!r}")
        if name not in known:
            raise ValueError(f"{argument} {name}: {owner} has {', '.join(known)}")
        if name in values:
            raise ValueError(f"{argument} {name} is given twice")
        values[name] = known[name].parse(value)
    return values


def parse_options(method: str, texts: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` texts, as ``"pyramid=octave"``, as arguments for `magnify`."""
    return parse_texts(method_options(method), texts, "--option", f"method {method!r}")


# ---- making a method ----


def _make(declaration: type[MethodOptions], model, device, precision, tile, options) -> Method:
    name, shared = declaration.name, declaration.shared
    if options and (unknown := sorted(set(options) - set(option_names(name)))):
        raise TypeError(
            f"magnify() got unknown arguments {unknown}; "
            f"method {name!r} takes also {option_names(name)}"
        )
    arguments = {"model": model, "device": device, "precision": precision, "tile": tile}
    for argument, default in (("model", "default"), ("tile", None)):
        if argument not in shared and arguments[argument] not in (default, None):
            only = {argument: arguments[argument]}
            raise ValueError(f"only the learned method takes {only}; leave it out")
    if "tile" not in shared:  # a classical method
        if precision not in (None, "float32", "float64"):
            raise ValueError(
                f"precision must be 'float32' or 'float64' for this method, got {precision!r}"
            )
        arguments["precision"] = precision or "float32"
        if "device" in shared:
            load_torch()
    module, cls = declaration.implementation.split(":")
    kind = getattr(import_module(f"napari_motionmag.methods.{module}"), cls)
    return kind(**{shared[argument]: arguments[argument] for argument in shared}, **options)


METHODS: dict[str, Callable[..., Method]] = {
    name: partial(_make, declaration) for name, declaration in METHOD_CLASSES.items()
}
"""Name -> callable that makes the method of (model, device, precision, tile, its own options)."""


def make_method(name: str, model, device, precision, tile, options: dict) -> Method:
    """Make a method of arguments of `magnify`; TypeError or ValueError if it lacks one."""
    if name not in list(METHODS):
        raise ValueError(f"method must be one of {list(METHODS)}, got {name!r}")
    return METHODS[name](model, device, precision, tile, options)
