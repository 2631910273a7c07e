"""All arguments of `magnify` but the movie, in one object: from wherever they come."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_motionmag.compute.validate import finite_number
from napari_motionmag.methods.options import option_names
from napari_motionmag.temporal import Bands, TemporalOperator, arguments_of, make_operator

if TYPE_CHECKING:
    from napari_motionmag.magnification.presets import Preset

MOST_FACTOR = 1e6  # beyond, a single gray level overflows
MOTION = ("mode", "reference", "band", "filter")  # what selects the motion, for measurements, too
OF_THE_MOVIE = ("axes", "fps", "intensity_range")  # known by the movie, unless given


@dataclass(frozen=True)
class MagnifySettings:
    """Settings of a magnification: see :func:`napari_motionmag.magnify` for each.

    Raises
    ------
    TypeError, ValueError
        If `factor` is not a finite number. Other arguments are checked with the movie, by `plan`.

    Examples
    --------
    >>> settings = MagnifySettings(10, mode="temporal", band=(1, 2))
    >>> settings.arguments()
    {'factor': 10.0, 'mode': 'temporal', 'band': (1, 2)}
    """

    factor: float
    method: str = "learned"
    mode: str | TemporalOperator = "static"
    reference: int | slice | Sequence[int] = 0
    band: tuple[float, float] | None = None
    fps: float | None = None
    filter: str = "fir"
    axes: str | None = None
    model: str = "default"
    device: str | None = None
    precision: str | None = None
    tile: int | None = None
    intensity_range: tuple[float, float] | None = None
    stabilise: str | Mapping | None = None
    mask: Any = None
    region: Sequence[int] | None = None
    preview: int = 1
    more_bands: Sequence[tuple[float, float, float]] = ()
    factor_map: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the method."""

    def __post_init__(self):
        object.__setattr__(self, "factor", finite_number("factor", self.factor, MOST_FACTOR))
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))
        more = checked_bands(self.more_bands)
        object.__setattr__(self, "more_bands", more)
        if more and self.band is not None:
            # the strongest band leads: weights of the others are then 1 at most
            strongest = max(more, key=lambda band: abs(band[2] - 1))
            if abs(strongest[2] - 1) > abs(self.factor - 1):
                rest = [band for band in more if band is not strongest]
                object.__setattr__(self, "more_bands", ((*self.band, self.factor), *rest))
                object.__setattr__(self, "band", strongest[:2])
                object.__setattr__(self, "factor", strongest[2])

    @classmethod
    def from_arguments(cls, factor: float, **arguments) -> MagnifySettings:
        """Take keywords of `magnify`; unknown ones are options of the method."""
        own = {name: arguments.pop(name) for name in list(arguments) if name not in NAMES}
        return cls(factor, **arguments, options=own)

    @classmethod
    def from_recipe(cls, recipe: Mapping) -> MagnifySettings:
        """Take a recipe, as `to_recipe` writes it, perhaps read back from JSON.

        Raises
        ------
        ValueError
            If it has options that the method does not have, or is damaged: recipes come from files.
        """
        _check_recipe(recipe)
        arguments = {name: recipe[name] for name in NAMES if name in recipe}
        for name in _PAIRS:  # JSON has lists only
            if arguments.get(name) is not None:
                arguments[name] = tuple(arguments[name])
        if "operator" in recipe:
            arguments |= arguments_of(TemporalOperator.from_dict(dict(recipe["operator"])))
        elif isinstance(arguments.get("reference"), list):  # of the command line, version 0.1
            arguments["reference"] = slice(*arguments["reference"])
        options, method = dict(recipe.get("options", {})), recipe.get("method", "learned")
        known = option_names(method) if options else []
        if unknown := [name for name in options if name not in known]:
            raise ValueError(
                f"the recipe has unknown options {unknown}; method {method!r} has {known}"
            )
        return cls(**arguments, options=options)

    @classmethod
    def from_preset(cls, preset: Preset, **changes) -> MagnifySettings:
        """Take a preset; `changes` are keywords of `magnify` that win.

        With another mode than temporal, the band and the filter of the preset are left out.
        """
        arguments = {**preset.arguments, **changes}
        if arguments["mode"] != "temporal":
            for name in {"band", "filter"} - set(changes):
                arguments.pop(name, None)
        return cls.from_arguments(**arguments)

    def arguments(self) -> dict[str, Any]:
        """Return keywords of `magnify`: factor, mode, and what differs from its default."""
        kept = [name for name in NAMES if name == "mode" or self.differs(name)]
        return {**{name: getattr(self, name) for name in kept}, **self.options}

    def differs(self, *names: str) -> bool:
        """Whether any of these arguments differs from its default."""
        return not all(_same(getattr(self, name), _DEFAULTS[name]) for name in names)

    def operator(self, fps: float | None) -> TemporalOperator:
        """Return the temporal operator for a movie of `fps` frames per second."""
        motion = {name: getattr(self, name) for name in MOTION}
        operator = make_operator(**motion, fps=fps)
        if self.more_bands and self.mode != "temporal":
            raise ValueError(f"more_bands needs mode='temporal', got {self.mode!r}")
        if not self.more_bands or self.factor == 1:  # then all factors are 1
            return operator
        more = [(low, high, (m - 1) / (self.factor - 1)) for low, high, m in self.more_bands]
        return Bands([(*self.band, 1.0), *more], self.filter, operator.fps)

    def to_recipe(self, operator: TemporalOperator, **resolved) -> dict[str, Any]:
        """Return plain values from which `from_recipe` makes the settings again.

        `operator` is bound to the movie; `resolved` are values of arguments as the movie has them.
        """
        return {
            **{name: getattr(self, name) for name in NAMES if name not in (*MOTION, "more_bands")},
            "operator": operator.to_dict(),
            "model": _model_name(self.model),
            "device": None if self.device is None else str(self.device),
            "given": [name for name in OF_THE_MOVIE if getattr(self, name) is not None],
            "options": dict(self.options),
            **resolved,
        }


def checked_bands(bands) -> tuple[tuple[float, float, float], ...]:
    """Return bands with a factor each, (low, high, factor), as tuples of numbers."""
    wanted = "more_bands must be triples (low, high, factor)"
    try:
        triples = [tuple(band) for band in bands]
    except TypeError:
        raise TypeError(f"{wanted}, got {bands!r}") from None
    if any(len(triple) != 3 for triple in triples):
        raise ValueError(f"{wanted}, got {bands!r}")
    limits = {"low": math.inf, "high": math.inf, "factor": MOST_FACTOR}
    return tuple(
        tuple(
            finite_number(f"more_bands: {name}", value, most)
            for (name, most), value in zip(limits.items(), triple, strict=True)
        )
        for triple in triples
    )


_MAPPINGS, _PAIRS = ("operator", "options"), ("intensity_range", "region", "band")


def _check_recipe(recipe: Mapping) -> None:
    """Refuse a recipe whose entries are of other kinds than `to_recipe` writes."""
    kinds = {
        **dict.fromkeys(_MAPPINGS, (Mapping, "entries by name")),
        **dict.fromkeys(_PAIRS, (list | tuple | None, "a list")),
        "given": (list | tuple, "a list"),
        **dict.fromkeys(("method", "model", "filter"), (str, "text")),
    }
    for name, (kind, wanted) in kinds.items():
        if name in recipe and not isinstance(recipe[name], kind):
            raise ValueError(
                f"the recipe is damaged: {name} must be {wanted}, got {recipe[name]!r}"
            )


_DEFAULTS = {field.name: field.default for field in fields(MagnifySettings)}
NAMES = tuple(name for name in _DEFAULTS if name != "options")
"""Arguments of `magnify` that all methods share."""


def _same(value, default) -> bool:
    """Whether an argument, perhaps an array, has its default value."""
    return default is not MISSING and type(value) is type(default) and bool(value == default)


def _model_name(model) -> str:
    """Return the model as text that means the same in another folder."""
    text = str(model)
    name = os.path.basename(text) == text and not os.path.splitext(text)[1]
    # a TensorFlow checkpoint may be named by a prefix that looks like a name
    return text if name and not os.path.exists(f"{text}.index") else os.path.abspath(text)
