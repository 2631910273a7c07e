"""Options as fields of dataclasses: declared once with default, bounds, unit, label and help.

The class that declares them, the command line, the form and the documentation read them from
there. It needs neither NumPy nor torch nor napari.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NONE = ("none", "auto", "")


@dataclass(frozen=True)
class Option:
    """One option of a method.

    Attributes
    ----------
    name : str
        As in ``magnify(..., name=value)``.
    kind : {"choice", "number", "integer", "flag"}
        One of `choices`, a float, an int, or a bool.
    default : str, float, int, bool or None
        Value when not given.
    help : str
        What it does, in one line.
    label : str
        Name in a form; the name itself by default.
    choices : tuple of str
        All values of a choice, the usual one first.
    low, high : float, optional
        Smallest and largest value allowed.
    unit : str
        Of numbers.
    none : str
        What None stands for; ``""`` when None is not allowed.
    only : (str, str), optional
        Another option, and the value of it with which this one has a meaning.
    expert : bool
        Whether forms leave it out.
    """

    name: str
    kind: str
    default: Any
    help: str
    label: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    none: str = ""
    only: tuple[str, str] | None = None
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
        """Return the value as the type of its kind.

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
        """Return the value that a text of the command line stands for.

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
            with suppress(ValueError):  # `check` refuses it
                value = int(word) if self.kind == "integer" else float(word)
        return self.check(value)


def option(default, help: str, **details):
    """Return a dataclass field that is an option; see `Option` for `details`."""
    return dataclasses.field(default=default, metadata={"help": help, **details})


def options_of(declaration: type) -> tuple[Option, ...]:
    """Return the options that a dataclass declares. Its annotations decide on their kind."""
    return tuple(
        Option(field.name, _kind(field), field.default, **field.metadata)
        for field in dataclasses.fields(declaration)
        if "help" in field.metadata
    )


def _kind(field: dataclasses.Field) -> str:
    if "choices" in field.metadata:
        return "choice"
    kinds = {"bool": "flag", "int": "integer", "float": "number"}
    return kinds[str(field.type).split(" ")[0]]


def check_options(declared) -> None:
    """Check the options of a dataclass's instance, and make them the types of their kinds."""
    for one in options_of(type(declared)):
        object.__setattr__(declared, one.name, one.check(getattr(declared, one.name)))


def checked(options: Iterable[Option], values: dict[str, Any]) -> dict[str, Any]:
    """Return values as the types of their options.

    Raises
    ------
    TypeError, ValueError
        If one is not allowed or unknown.
    """
    known = {option.name: option for option in options}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TypeError(f"unknown options {unknown}; there are {sorted(known)}")
    return {name: known[name].check(value) for name, value in values.items()}


def parse_texts(
    options: Iterable[Option], texts: Iterable[str], argument: str, owner: str
) -> dict[str, Any]:
    """Read ``name=value`` texts; `argument` and `owner` are for errors.

    Raises
    ------
    ValueError, TypeError
        If a text has another form, or names an unknown option or a value that is not allowed.
    """
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
