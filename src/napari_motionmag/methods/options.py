"""The options of each method's own: what they are called, allow and mean.

One table that the methods check their arguments by, the command line reads options from text by,
and a form can be built from. It needs neither torch nor napari.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

__all__ = [
    "OPTIONS",
    "STABILISE",
    "Option",
    "checked",
    "method_options",
    "parse_options",
    "parse_texts",
]

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NONE = ("none", "auto", "")


@dataclass(frozen=True)
class Option:
    """One argument of a method.

    Attributes
    ----------
    name : str
        As in ``magnify(..., name=value)``.
    kind : {"choice", "number", "integer", "flag"}
        A text out of `choices`, a float, an int, or a bool.
    default : str, float, int, bool or None
        What it is when not given.
    help : str
        What it does, in one line.
    choices : tuple of str
        All values of a choice, the usual one first.
    low, high : float, optional
        Smallest and largest value allowed; without when None.
    unit : str
        Of numbers, ``""`` when there is none.
    none : str
        What None stands for; ``""`` when None is not allowed.
    expert : bool
        Whether a form may leave it out.
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    none: str = ""
    expert: bool = False

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
        """The value as the type of its kind.

        Raises
        ------
        TypeError, ValueError
            If it is not allowed.
        """
        if value is None and self.none:
            return None
        wrong = f"{self.name} must be {self.allowed}, got {value!r}"
        if self.kind == "choice":
            if not (isinstance(value, str) and value in self.choices):
                raise ValueError(wrong)
            return str(value)
        if self.kind == "flag":
            # numpy's booleans are no bool
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
        """The value that a text of the command line stands for.

        Raises
        ------
        ValueError, TypeError
            If it is not allowed.
        """
        word = text.strip()
        if self.none and word.lower() in _NONE:
            return None
        value: Any = word
        if self.kind == "flag":
            value = _WORDS.get(word.lower(), word)
        elif self.kind in ("number", "integer"):
            with suppress(ValueError):  # check says it
                value = int(word) if self.kind == "integer" else float(word)
        return self.check(value)


def _choice(name: str, choices: tuple[str, ...], help: str, **more) -> Option:
    return Option(name, "choice", choices[0], help, choices, **more)


_LOCAL_PHASE = (
    Option(
        "sigma",
        "number",
        2.0,
        "Smoothing of the phase variation, weighted by amplitude. 0: sharper between things that "
        "move differently; more: steadier in noise.",
        low=0,
        unit="px of each subband",
    ),
    _choice(
        "chroma",
        ("pass", "magnify"),
        "Colour movies: leave the chroma where it is, or magnify its motion too.",
    ),
)
_MAX_BYTES = Option(
    "max_bytes",
    "integer",
    2**31,
    "Memory for transformed frames, and again for subbands; with less, work goes in chunks.",
    low=1,
    unit="bytes",
    expert=True,
)

#: Options of each method's own, besides those of `magnify`.
OPTIONS: dict[str, tuple[Option, ...]] = {
    "learned": (
        Option(
            "draw",
            "flag",
            True,
            "Network difference: draw what comes to light and take noise away. Without it, pixels "
            "are only moved: noise and the finest texture stay.",
        ),
    ),
    "phase": (
        _choice(
            "pyramid",
            ("half-octave", "octave", "quarter-octave"),
            "Bandwidth of the subbands: narrower ones carry larger motion, ring wider and take "
            "longer.",
        ),
        *_LOCAL_PHASE,
        Option(
            "envelope",
            "flag",
            False,
            "Magnify the variation of amplitudes too: exact for small motion of fine irregular "
            "texture, but multiplies noise.",
        ),
        Option(
            "padding",
            "integer",
            16,
            "Mirrored border on each side of the frame.",
            low=0,
            unit="px",
            expert=True,
        ),
        _MAX_BYTES,
    ),
    "riesz": (
        _choice(
            "transform",
            ("exact", "taps"),
            "The Riesz transform itself, or the three-tap filters of the paper, which fall short.",
            expert=True,
        ),
        *_LOCAL_PHASE,
        _MAX_BYTES,
    ),
    "linear": (
        _choice(
            "what",
            ("motion", "color"),
            "Motion, or slow changes of intensity and colour over wide areas, as a pulse.",
        ),
        Option(
            "lambda_c",
            "number",
            None,
            "Motion: wavelengths below it are magnified less.",
            low=0,
            unit="px",
            none="from the measured displacement",
        ),
        _choice(
            "attenuation",
            ("scaled", "cut"),
            "Motion: wavelengths below lambda_c get as much as the bound allows, or nothing.",
        ),
        Option(
            "levels",
            "integer",
            None,
            "Motion: number of bands of the pyramid.",
            low=1,
            none="as many as the frame has",
            expert=True,
        ),
        Option(
            "residual",
            "flag",
            False,
            "Motion: magnify the low-pass residual too, and with it the flicker of the lamp.",
            expert=True,
        ),
        Option("level", "integer", 4, "Color: how often to halve the resolution.", low=1),
        Option(
            "chroma",
            "number",
            None,
            "Colour movies: how much the chroma is magnified, relative to the luma.",
            low=0,
            high=1,
            none="0 for motion, 1 for color",
        ),
    ),
    "lagrangian": (
        _choice(
            "flow",
            ("ilk", "tvl1"),
            "Optical flow: iterative Lucas-Kanade, smooth and fast, or total variation, sharper at "
            "edges and three times slower.",
        ),
        Option(
            "radius",
            "integer",
            None,
            "Neighbourhood that is taken to move together: larger for noise, smaller for small "
            "things.",
            low=1,
            unit="px",
            none="5 for ilk, 3 for tvl1",
        ),
        Option("blur", "number", 1.0, "Smoothing before the flow is measured.", low=0, unit="px"),
        Option("sigma", "number", 2.0, "Smoothing of the displacement.", low=0, unit="px"),
        Option(
            "order",
            "integer",
            5,
            "Of the spline that interpolates the frame.",
            low=1,
            high=5,
            expert=True,
        ),
    ),
}

#: What there is to choose of stabilisation, with any method, besides its mask.
STABILISE: tuple[Option, ...] = (
    _choice(
        "model",
        ("translation", "rigid", "affine"),
        "Large motion that is kept as it is: shifts; and rotations; and stretch and shear.",
    ),
    Option(
        "reference",
        "integer",
        0,
        "Frame that the others are aligned to; negative ones count from the end.",
    ),
    _choice(
        "align_to",
        ("reference", "current"),
        "Align all frames once, or anew for each output frame, so that what the reference does "
        "not show is magnified too.",
    ),
    Option(
        "smooth",
        "number",
        0.0,
        "Only what is slower than this is large motion; faster shaking of the whole is magnified.",
        low=0,
        unit="frames",
    ),
    Option(
        "feather",
        "number",
        4.0,
        "Width over which what is aligned fades into the still surroundings.",
        low=0,
        unit="px",
    ),
)


def method_options(method: str) -> tuple[Option, ...]:
    """The options that a method takes besides those of `magnify`.

    Parameters
    ----------
    method : str
        Name of a method.

    Returns
    -------
    tuple of Option
        Empty for the learned method.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in OPTIONS:
        raise ValueError(f"method must be one of {list(OPTIONS)}, got {method!r}")
    return OPTIONS[method]


def checked(options: Iterable[Option], values: dict[str, Any]) -> dict[str, Any]:
    """Values as the types of their options.

    Raises
    ------
    TypeError, ValueError
        If one is not allowed or not known.
    """
    known = {option.name: option for option in options}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TypeError(f"unknown options {unknown}; there are {sorted(known)}")
    return {name: known[name].check(value) for name, value in values.items()}


def parse_options(method: str, texts: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` texts as arguments for `magnify`.

    Parameters
    ----------
    method : str
        Name of a method.
    texts : iterable of str
        As ``"pyramid=octave"``.

    Returns
    -------
    dict
        Name to value of its type.

    Raises
    ------
    ValueError, TypeError
        If a text is of another form, or names an option or a value that the method does not have.
    """
    return parse_texts(method_options(method), texts, "--option", f"method {method!r}")


def parse_texts(
    options: Iterable[Option], texts: Iterable[str], argument: str, whose: str
) -> dict[str, Any]:
    """Read ``name=value`` texts; `argument` and `whose` say in errors what they are."""
    known = {option.name: option for option in options}
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"{argument} must be NAME=VALUE, got {text!r}")
        if name not in known:
            raise ValueError(f"{argument} {name}: {whose} has {', '.join(known)}")
        if name in found:
            raise ValueError(f"{argument} {name} is given twice")
        found[name] = known[name].parse(value)
    return found
