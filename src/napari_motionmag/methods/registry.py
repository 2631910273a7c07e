"""Methods by name: what makes each of the arguments of `magnify`. Importing it imports none."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import signature

from napari_motionmag.compute.load_torch import load_torch
from napari_motionmag.methods.base import Method


def _learned(model, device, precision, tile, options):
    from napari_motionmag.methods.learned.method import LearnedMagnifier

    return _make(
        LearnedMagnifier, options, model=model, device=device, precision=precision, tile=tile
    )


def _classical(module: str, name: str, on_device: bool = True):
    """What makes a classical method; its own options are keywords of its class."""

    def make(model, device, precision, tile, options):
        if str(model) != "default" or tile is not None:
            given = {"model": model} if str(model) != "default" else {"tile": tile}
            raise ValueError(f"only the learned method takes {given}; leave it out")
        if precision not in (None, "float32", "float64"):
            raise ValueError(
                f"precision must be 'float32' or 'float64' for this method, got {precision!r}"
            )
        if on_device:
            load_torch()
        common = {"device": device, "dtype": precision or "float32"} if on_device else {}
        kind = getattr(import_module(f"napari_motionmag.methods.classical.{module}"), name)
        return _make(kind, options, **common)

    return make


def _make(kind, options: dict, **common):
    known = set(signature(kind).parameters) - set(common)
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(
            f"magnify() got unknown arguments {unknown}; method {kind.name!r} takes also "
            f"{sorted(known)}"
        )
    return kind(**common, **options)


# name -> what makes the method of (model, device, precision, tile, its own options)
METHODS: dict[str, Callable[..., Method]] = {
    "learned": _learned,
    "phase": _classical("phase", "PhaseMagnifier"),
    "riesz": _classical("riesz", "RieszMagnifier"),
    "linear": _classical("linear", "LinearMagnifier"),
    "lagrangian": _classical("lagrangian", "LagrangianMagnifier", on_device=False),
}


def make_method(name: str, model, device, precision, tile, options: dict) -> Method:
    """Make a method of arguments of `magnify`.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, or it does not take an argument.
    """
    if name not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {name!r}")
    return METHODS[name](model, device, precision, tile, options)
