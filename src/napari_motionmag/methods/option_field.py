"""An option as the field of a dataclass: what is allowed, and how values and texts are checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

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
