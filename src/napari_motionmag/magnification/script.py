"""Python source that repeats what was done with the mouse.

A widget describes what it did as calls of public functions, and `source` writes them, together
with how their movies are opened::

    trace = Call("napari_motionmag.views", "displacement_trace", layer, reference="mean")
    fit = Call("napari_motionmag.views", "fit_oscillation", trace, band=(1, 3))
    print(source(fit))

Arguments may be plain values, NumPy arrays and numbers, temporal operators, napari Image layers
(which become movies, see `FromLayer`), other calls, and parts of their results.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from keyword import iskeyword
from typing import Any

import numpy as np

from napari_motionmag.compute.versions import PACKAGE, version_of
from napari_motionmag.magnification import factor_map
from napari_motionmag.magnification.layer import source_of
from napari_motionmag.magnification.provenance import (
    Provenance,
    provenance_of,
    provenance_of_record,
)
from napari_motionmag.magnification.recipe import is_magnified, recipe_of
from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings
from napari_motionmag.methods.stabilisation.mask_files import is_kept, unpack
from napari_motionmag.movie.layer_traits import is_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator

LONGEST_LINE = 88
LARGEST_ARRAY = 5000  # numbers
_PACKAGE = "napari_motionmag"
LAZY = "Lazy: magnified[t].compute() draws frame t, magnified.compute() all of them."
_RESERVED = ("np", "viewer")  # not for variables


class Call:
    """A call of a public function of a module, or of a method of a movie or another call's result.

    Its arguments are as the module says.
    """

    def __init__(self, of: str | Call | FromLayer, function: str, /, *args, **kwargs):
        self.of, self.function = of, function
        self.args, self.kwargs = args, kwargs
        self.result, self.comment = "result", ""

    def named(self, result: str, comment: str = "") -> Call:
        """Set the variable for the result and the comment above the call; return the call.

        A number is added where the name is in use.
        """
        self.result, self.comment = result, comment
        return self

    def part(self, suffix: str) -> Part:
        """Return a part of the result, as ``call.part(".frequencies")`` or ``call.part("[0]")``."""
        return Part(self, suffix)


class Part:
    """A part of what a call returns, as an argument of another call; see `Call.part`."""

    def __init__(self, call: Call, suffix: str):
        self.call, self.suffix = call, suffix


class FromLayer:
    """The movie of a napari Image layer, as an argument of a call.

    `movie` is given where its axes, frame rate or intensity range differ from the layer's.
    """

    def __init__(self, layer, movie: Movie | None = None):
        self.layer = layer
        self.movie = Movie.from_any(layer) if movie is None else movie

    def provenance(self) -> Provenance:
        """Find the file or sample that it came from."""
        return provenance_of(self.layer, self.movie)


class FromFile(FromLayer):
    """A movie that was opened from a file, as an argument of a call."""

    def __init__(self, path: str | os.PathLike, movie: Movie, original: Movie | None = None):
        super().__init__(os.path.abspath(path), movie)
        self._original = movie if original is None else original

    def provenance(self) -> Provenance:
        """Return the file and the movie that it gives by itself."""
        return Provenance(path=self.layer, movie=self._original)


class _Gone(FromLayer):
    """The movie of a removed layer, by the metadata of a layer that was made of it."""

    def provenance(self) -> Provenance:
        record = self.layer.metadata[_PACKAGE]["origin"]
        return provenance_of_record(record, self.movie, frames=False)


def magnification(movie: FromLayer, recipe: Mapping) -> Call:
    """Return the call of `magnify` for a recipe; the movie has the recipe's axes, rate and range.

    Raises ValueError when the mask was too large to be kept in the recipe.
    """
    arguments = MagnifySettings.from_recipe(recipe).arguments()
    factor = arguments.pop("factor")
    arguments = {name: arguments[name] for name in arguments if name not in OF_THE_MOVIE}
    if "mask" in arguments and not is_kept(arguments["mask"]):
        unpack(arguments["mask"])  # raises: it was too large for the recipe
    if "factor_map" in arguments and not factor_map.is_kept(arguments["factor_map"]):
        factor_map.unpack(arguments["factor_map"], tuple(arguments["factor_map"]["shape"]))
    call = Call(_PACKAGE, "magnify", movie, factor, **arguments)
    return call.named("magnified", LAZY)


def magnification_of(layer) -> Call:
    """Return the call of `magnify` that made a layer; ValueError when it was not magnified."""
    recipe = recipe_of(layer)
    traits = {name: recipe.get(name) for name in OF_THE_MOVIE}
    source = source_of(layer)
    if source is None:
        return magnification(_Gone(layer, Movie.from_any(layer, **traits)), recipe)
    return magnification(FromLayer(source, Movie.from_any(source, **traits)), recipe)


def source(*calls: Call, title: str = "") -> str:
    """Write a script of calls, each once and after the calls among its arguments.

    It needs neither Qt nor napari, unless a movie is neither a file nor a sample: then it takes the
    layer from ``viewer`` in napari's console, and says so. TypeError or ValueError for arguments
    that cannot be written as Python, layers that are no movie and arrays that are too large.
    """
    writer = _Writer(calls)
    for call in calls:
        writer.variable_of(call)
    return writer.text(title)


class _Writer:
    def __init__(self, calls: Sequence[Call]):
        self._imports: dict[str, set[str]] = {}
        self._numpy = False
        self._lines: list[str] = []
        self._done: list[tuple[Any, str]] = []  # (call or layer, variable)
        functions = {call.function for call in _reachable(calls)}
        self._taken = functions | set(_RESERVED)

    def text(self, title: str) -> str:
        credit = f"Made with {PACKAGE} {version_of()}."
        title = title.replace("\\", "\\\\").replace('"', "'")  # it stands between quotes
        head = [f'"""{title or credit}' + (f"\n\n{credit}\n" if title else "") + '"""', ""]
        if self._numpy:
            head += ["import numpy as np", ""]
        for module in sorted(self._imports):
            head.append(f"from {module} import {', '.join(sorted(self._imports[module]))}")
        return "\n".join([*head, "", *self._lines]) + "\n"

    def variable_of(self, call: Call) -> str:
        for known, name in self._done:
            if known is call:
                return name
        if isinstance(call.of, str):
            self._import(call.of, call.function)
            function = call.function
        else:
            function = f"{self.value(call.of)}.{call.function}"
        arguments = self._arguments(call.args, call.kwargs)
        name = self._free(call.result)
        self._lines += [f"# {line}" for line in call.comment.splitlines()]
        self._write(f"{name} = {function}", arguments)
        self._done.append((call, name))
        return name

    def value(self, value) -> str:
        if isinstance(value, Call):
            return self.variable_of(value)
        if isinstance(value, Part):
            return self.variable_of(value.call) + value.suffix
        if isinstance(value, FromLayer):
            return self._movie(value)
        if is_layer(value):
            return self._movie(FromLayer(value))
        if isinstance(value, np.ndarray):
            return self._array(value)
        if is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)
        return self._plain(value)

    def _plain(self, value) -> str:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int):
            return repr(value)
        if isinstance(value, float):
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        if isinstance(value, str | os.PathLike):
            text = repr(os.fspath(value))
            return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
        if isinstance(value, slice):
            ends = [value.start, value.stop, value.step]
            return f"slice({self._list(ends if value.step is not None else ends[:2])})"
        if isinstance(value, Mapping):
            items = (f"{self.value(key)}: {self.value(item)}" for key, item in value.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(value, list):
            return f"[{self._list(value)}]"
        if isinstance(value, tuple):
            return f"({self._list(value)}{',' if len(value) == 1 else ''})"
        raise TypeError(f"a {type(value).__name__} cannot be written into a script: {value!r}")

    def _list(self, values: Sequence) -> str:
        return ", ".join(map(self.value, values))

    def _array(self, value: np.ndarray) -> str:
        if value.size > LARGEST_ARRAY:
            raise ValueError(
                f"an array of {value.size} numbers is too large to be written into a script; "
                f"{LARGEST_ARRAY} are allowed"
            )
        self._numpy = True
        if not value.size:
            return f'np.empty({self.value(value.shape)}, "{value.dtype}")'
        of_lists = value.dtype in (np.float64, np.int64, np.bool_)  # what NumPy makes of lists
        written = self.value(value.tolist())
        return f"np.array({written})" if of_lists else f'np.array({written}, "{value.dtype}")'

    def _dataclass(self, value) -> str:
        """Write one of this package's, its defaults left out."""
        kind = type(value)
        if kind.__module__.split(".")[0] != _PACKAGE:
            raise TypeError(f"a {kind.__name__} cannot be written into a script: {value!r}")
        arguments, leading = [], True
        for field in fields(value):
            given = getattr(value, field.name)
            leading &= field.default is MISSING and not field.kw_only
            if field.init and (leading or not _same(given, field.default)):
                written = self.value(given)
                arguments.append(written if leading else f"{field.name}={written}")
        if isinstance(value, TemporalOperator):
            self._import(_PACKAGE, "temporal")
            name = f"temporal.{kind.__name__}"
        else:
            self._import(kind.__module__, kind.__name__)
            name = kind.__name__
        return f"{name}({', '.join(arguments)})"

    def _movie(self, wanted: FromLayer) -> str:
        for known, name in self._done:
            if isinstance(known, FromLayer) and _same_movie(known, wanted):
                return name
        if is_magnified(wanted.layer) and not isinstance(wanted, _Gone):
            name = self._magnified(wanted)
        else:
            provenance = wanted.provenance()
            write = self._open_file if provenance.path else self._wrap
            name = write(wanted.movie, provenance)
        self._done.append((wanted, name))
        return name

    def _magnified(self, wanted: FromLayer) -> str:
        """Write the call that made a layer, and the movie of it."""
        call = magnification_of(wanted.layer)
        changes = {"data": call}
        source, movie = call.args[0].movie, wanted.movie
        for key in ("axes", "fps", "scale", "units", "given_range"):
            if getattr(movie, key) not in (None, getattr(source, key)):
                changes[key.replace("given", "intensity")] = getattr(movie, key)
        self.variable_of(call)
        again = Call(call.args[0], "replace", **changes).named("magnified_movie")
        return self.variable_of(again)

    def _open_file(self, movie: Movie, provenance: Provenance) -> str:
        """Write how a file is opened, and what differs from what the file says."""
        original = provenance.movie
        given = {key: getattr(movie, key) for key in ("axes", "fps")}
        given = {key: v for key, v in given.items() if v not in (None, getattr(original, key))}
        if movie.given_range is not None:
            given["intensity_range"] = movie.given_range
        name = self._free("movie")
        self._import("napari_motionmag.io", "open_movie")
        self._assign(name, "open_movie", provenance.path, **given)
        if not _same_calibration(movie, original):
            calibration = {"scale": movie.scale, "units": movie.units, "fps": movie.fps}
            self._assign(name, f"{name}.replace", **calibration)
        return name

    def _wrap(self, movie: Movie, provenance: Provenance) -> str:
        """Write how an array becomes a movie."""
        if provenance.sample:
            data = self._free("array")
            self._import(_PACKAGE, "samples")
            self._assign(f"{data}, _", "samples.load", provenance.sample, **provenance.overrides)
        else:
            self._lines += [f"# {line}" for line in provenance.reason.splitlines()]
            data = provenance.expression
        name = self._free("movie")
        self._import(_PACKAGE, "Movie")
        traits = {"axes": movie.axes, "fps": movie.fps, "intensity_range": movie.given_range}
        traits |= {"scale": movie.scale, "units": movie.units}
        given = [f"{key}={self.value(v)}" for key, v in traits.items() if v is not None]
        self._write(f"{name} = Movie", [data, *given])
        return name

    def _assign(self, target: str, function: str, *args, **kwargs) -> None:
        self._write(f"{target} = {function}", self._arguments(args, kwargs))

    def _write(self, start: str, arguments: Sequence[str]) -> None:
        """Add a call in one line or, where that is too long, with a line for each argument."""
        line = f"{start}({', '.join(arguments)})"
        if len(line) > LONGEST_LINE and len(arguments) > 1:
            line = "\n".join([f"{start}(", *(f"    {argument}," for argument in arguments), ")"])
        self._lines.append(line)

    def _arguments(self, args: Sequence, kwargs: Mapping) -> list[str]:
        for name in kwargs:  # recipes come from files: a name must not be code
            if not (name.isidentifier() and not iskeyword(name)):
                raise ValueError(f"{name!r} cannot be the name of an argument")
        written = [self.value(value) for value in args]
        return written + [f"{name}={self.value(value)}" for name, value in kwargs.items()]

    def _import(self, module: str, name: str) -> None:
        self._imports.setdefault(module, set()).add(name)
        self._taken.add(name)

    def _free(self, name: str) -> str:
        """Return a name that is not taken yet, and take it."""
        wanted, number = name, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def _reachable(calls: Sequence) -> Iterator[Call]:
    """Iterate over calls and those they are made of."""
    for item in calls:
        if isinstance(item, Part):
            yield from _reachable([item.call])
        elif isinstance(item, Call):
            yield item
            yield from _reachable([item.of, *item.args, *item.kwargs.values()])
        elif isinstance(item, Mapping):
            yield from _reachable(list(item.values()))
        elif isinstance(item, list | tuple):
            yield from _reachable(item)


def _same(a, b) -> bool:
    return type(a) is type(b) and a == b


def _same_movie(a: FromLayer, b: FromLayer) -> bool:
    traits = ("axes", "fps", "scale", "units", "given_range")
    return a.layer is b.layer and all(
        getattr(a.movie, name) == getattr(b.movie, name) for name in traits
    )


def _same_calibration(movie: Movie, original: Movie) -> bool:
    """Whether lengths are the same; time is in the frame rate."""
    for key in ("scale", "units"):
        mine, theirs = (_spatial(m, getattr(m, key)) for m in (movie, original))
        if mine is not None and mine != theirs:
            return False
    return True


def _spatial(movie: Movie, values):
    if values is None:
        return None
    letters = movie.axes.replace("S", "")
    return [v for letter, v in zip(letters, values, strict=True) if letter != "T"]
