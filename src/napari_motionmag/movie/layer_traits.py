"""Arguments of `Movie` from a napari layer, recognized by its attributes: no import of napari."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from napari_motionmag.movie.axes import (
    AXIS_NAMES,
    EXAMPLES,
    checked_array,
    checked_axes,
    guess_axes,
)
from napari_motionmag.movie.labelled import labelled_arguments

FPS_KEY = "napari_motionmag_fps"  # in a layer's metadata: the frame rate that a user typed


def is_layer(obj) -> bool:
    """Whether an object is a napari layer of any kind."""
    return all(hasattr(obj, name) for name in ("data", "scale", "translate", "blending"))


def is_image_layer(obj) -> bool:
    """Whether an object is a napari Image layer; TypeError for a layer of another kind."""
    if not is_layer(obj):
        return False
    if not (hasattr(obj, "rgb") and hasattr(obj, "multiscale")):
        raise TypeError(f"expected an Image layer; got a {type(obj).__name__} layer")
    return True


def typed_rate(layer) -> float | None:
    """Return the frame rate that a user typed for a layer, or None."""
    return _positive((getattr(layer, "metadata", None) or {}).get(FPS_KEY))


def rate_of(layer) -> float | None:
    """Return the frame rate in a layer's metadata, typed or of its magnification, or None.

    It takes precedence over the scale of the time axis, which users often leave as it is.
    """
    about = (getattr(layer, "metadata", None) or {}).get("napari_motionmag")
    recipe = about.get("recipe") if isinstance(about, Mapping) else None
    recorded = _positive(recipe.get("fps")) if isinstance(recipe, Mapping) else None
    return typed_rate(layer) or recorded


def _positive(value) -> float | None:
    return float(value) if isinstance(value, Real) and 0 < value < np.inf else None


def may_be_movie(layer) -> bool:
    """Whether an Image layer has a time axis, as far as the names of its axes tell."""
    labels = tuple(getattr(layer, "axis_labels", ()) or ())
    letters = [AXIS_NAMES.get(str(label).strip().lower()) for label in labels]
    return layer.ndim >= 3 and ("T" in letters or None in letters or not letters)


def layer_arguments(layer, changes: Mapping) -> dict:
    """Return arguments of `Movie` for a napari Image layer, `changes` among them."""
    data = layer.data[0] if layer.multiscale else layer.data
    labelled = labelled_arguments(data) or {}
    data = labelled.get("data", data)
    shape, dtype = checked_array(data)
    axes = changes.get("axes") or _layer_axes(layer, shape, dtype, labelled.get("axes"))
    arguments = {"data": data, "axes": axes, "name": layer.name}
    calibrated = checked_axes(axes, shape).replace("S", "")
    for key in ("scale", "units"):
        values = getattr(layer, key, None)
        if values is None:
            continue
        values = tuple(values)
        if len(values) == len(calibrated) + 1:  # not shown as RGB, but axes say so
            values = values[:-1]
        arguments[key] = values
    if (fps := rate_of(layer)) is not None:
        arguments["fps"] = fps
    return arguments | changes


def _layer_axes(layer, shape: tuple[int, ...], dtype: np.dtype, own: str | None = None) -> str:
    """Return the axes by the labels of the layer, those of the array, or its shape."""
    labels = tuple(getattr(layer, "axis_labels", ()) or ())
    letters = [AXIS_NAMES.get(str(label).strip().lower()) for label in labels]
    if layer.rgb and len(letters) == len(shape) - 1:
        letters.append("S")
    if len(letters) == len(shape) and None not in letters:
        return "".join(letters)
    if own is not None:
        return own
    if len(shape) == 3 + bool(layer.rgb):
        guess = "TYXS" if layer.rgb else "TYX"
    else:
        guess = guess_axes(shape, dtype)
    contradicted = "S" in guess and not layer.rgb
    for letter, meant in zip(letters, guess, strict=False):
        contradicted |= letter not in (None, meant)
    if contradicted:
        raise ValueError(
            f"axes cannot be derived from the labels {labels} of layer {layer.name!r}, shape "
            f"{shape}; pass axes, for example {EXAMPLES}"
        )
    return guess
