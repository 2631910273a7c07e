"""Methods by name. Importing this imports no method."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from napari_motionmag.compute.load_torch import load_torch
from napari_motionmag.methods.base import Method
from napari_motionmag.methods.options import METHOD_CLASSES, MethodOptions, option_names


def _make(declaration: type[MethodOptions], model, device, precision, tile, options) -> Method:
    """Make the method that is declared so."""
    name, shared = declaration.name, declaration.shared
    known = option_names(name)
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(
            f"magnify() got unknown arguments {unknown}; method {name!r} takes also {known}"
        )
    given = {"model": model, "device": device, "precision": precision, "tile": tile}
    for argument, default in (("model", "default"), ("tile", None)):
        if argument not in shared and given[argument] not in (default, None):
            only = {argument: given[argument]}
            raise ValueError(f"only the learned method takes {only}; leave it out")
    if "tile" not in shared:  # a classical method
        if precision not in (None, "float32", "float64"):
            raise ValueError(
                f"precision must be 'float32' or 'float64' for this method, got {precision!r}"
            )
        given["precision"] = precision or "float32"
        if "device" in shared:
            load_torch()
    module, cls = declaration.implementation.split(":")
    kind = getattr(import_module(f"napari_motionmag.methods.{module}"), cls)
    return kind(**{shared[argument]: given[argument] for argument in shared}, **options)


#: Name -> what makes the method of (model, device, precision, tile, options of its own)
METHODS: dict[str, Callable[..., Method]] = {
    name: partial(_make, declaration) for name, declaration in METHOD_CLASSES.items()
}


def make_method(name: str, model, device, precision, tile, options: dict) -> Method:
    """Make a method of arguments of `magnify`.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, or it does not take an argument.
    """
    if name not in list(METHODS):
        raise ValueError(f"method must be one of {list(METHODS)}, got {name!r}")
    return METHODS[name](model, device, precision, tile, options)


def label_of(name: str) -> str:
    """Return what a method is called in forms."""
    return METHOD_CLASSES[name].label if name in METHOD_CLASSES else name
