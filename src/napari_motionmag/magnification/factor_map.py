"""A factor for each pixel: painted labels with a factor each, and soft edges between them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_motionmag.compute.validate import finite_number, same_kind
from napari_motionmag.magnification.settings import MOST_FACTOR
from napari_motionmag.methods.stabilisation.layer_masks import mask_of
from napari_motionmag.methods.stabilisation.mask_files import (
    compressed,
    decompressed,
    read_pixels,
)
from napari_motionmag.methods.stabilisation.masks import feathered, smooth_step
from napari_motionmag.movie.layer_traits import is_layer
from napari_motionmag.movie.movie import Movie

OPTIONS = ("labels", "factors", "rest", "feather")
FEATHER = 8.0  # px
_STEPS = 64  # of a soft edge
_MOST_TEXT = 2**16  # characters of a map that is kept as text
_SEAM = 0.15  # of the strongest factor: below, what stands still is blended in


def factor_map_of(given, factor: float, movie: Movie, source=None) -> np.ndarray:
    """Return factors (Y, X), float32, for the argument `factor_map` of `magnify`.

    `source` is what the movie was made of, whose place counts when it is a layer. Labels without a
    factor of their own get `factor`. Raises TypeError or ValueError as `magnify` does.
    """
    shape = movie.frame_shape[:2]
    if isinstance(given, Mapping) and "labels" not in given:
        return unpack(given, shape)
    options = dict(given) if isinstance(given, Mapping) else {"labels": given}
    if unknown := [name for name in options if name not in OPTIONS]:
        raise TypeError(f"factor_map has no {unknown[0]!r}; there are {', '.join(OPTIONS)}")
    labels = options.pop("labels")
    if isinstance(labels, str | Path):
        labels = read_pixels(labels, "factor_map")
    if not is_layer(labels):
        try:
            labels = np.asarray(labels)
        except ValueError:  # rows of different lengths
            raise ValueError("factor_map must have two axes, Y and X, got uneven rows") from None
        if labels.dtype.kind == "f":
            if options:
                raise TypeError(
                    f"factor_map: {next(iter(options))!r} is for labels, which are whole numbers; "
                    f"got a factor for each pixel, of {labels.dtype}"
                )
            return _checked(labels, shape)
    return _painted(labels, factor, movie, source, **options)


def _painted(
    labels, factor: float, movie: Movie, source, factors=None, rest: float = 1.0, feather=FEATHER
) -> np.ndarray:
    """Return the factors of labels, an array or a Labels or Shapes layer."""
    if not isinstance(factors, Mapping | None):
        raise TypeError(f"factor_map: factors must be factors by label, got {factors!r}")
    factors = dict(factors or {})
    rest = finite_number("factor_map: rest", rest, MOST_FACTOR)
    feather = finite_number("factor_map: feather", feather)
    if feather < 0:
        raise ValueError(f"factor_map: feather must be 0 px or more, got {feather:g}")
    numbers = sorted(int(n) for n in np.unique(_labels_of(labels)) if n)
    if not numbers:
        raise ValueError("factor_map must have at least one label that is not 0")
    if missing := [label for label in factors if label not in numbers]:
        raise ValueError(f"factor_map: label {missing[0]!r} is not painted; there are {numbers}")
    out = np.full(movie.frame_shape[:2], rest, np.float32)
    layer = source if is_layer(source) else None
    for number in numbers:
        gain = finite_number(f"factor of label {number}", factors.get(number, factor), MOST_FACTOR)
        try:
            mask, _ = mask_of(_only(labels, number), movie.axes, movie.shape, layer)
        except (TypeError, ValueError) as error:
            raise same_kind(error, f"factor_map: {error}") from error
        if len(mask.shape) != 2:
            raise ValueError("factor_map must be painted in one frame, got labels in every frame")
        mask = np.asarray(mask)
        weight = np.round(feathered(mask, feather) * _STEPS) / _STEPS
        # one label ends where another begins: between them is no rest
        out = np.where(mask, out + weight * (np.float32(gain) - out), out)
    return out


def _labels_of(labels) -> np.ndarray:
    """Return the labels in an array or a layer; shapes are all label 1."""
    if hasattr(labels, "to_masks"):
        return np.ones(1, int)
    data = labels.data if is_layer(labels) else labels
    if np.dtype(getattr(data, "dtype", object)).kind not in "biu":
        raise TypeError(
            "factor_map must be an array of numbers, a Labels or Shapes layer, or a path; "
            f"got {type(labels).__name__}"
        )
    return np.asarray(data)


class _OneLabel:
    """A Labels layer of which one label is seen."""

    def __init__(self, layer, number: int):
        self._layer, self.data = layer, np.asarray(layer.data) == number

    def __getattr__(self, name: str):
        return getattr(self._layer, name)


def _only(labels, number: int):
    """Return what has one of the labels."""
    if hasattr(labels, "to_masks"):
        return labels
    return _OneLabel(labels, number) if is_layer(labels) else labels == number


def _checked(factors: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    if factors.shape != shape:
        raise ValueError(f"factor_map must have the shape {shape} of a frame, got {factors.shape}")
    if not np.isfinite(factors).all() or np.abs(factors).max() > MOST_FACTOR:
        raise ValueError(f"factor_map must be finite, from {-MOST_FACTOR:g} to {MOST_FACTOR:g}")
    return factors.astype(np.float32)


# ---- in recipes ----


def pack(factors: np.ndarray) -> dict[str, Any]:
    """Return a map as plain values for `unpack`; of one too large to be kept, its SHA-256."""
    about: dict[str, Any] = {"shape": list(factors.shape)}
    values, indices = np.unique(factors, return_inverse=True)
    if len(values) <= 2**16:
        text = compressed(indices.astype("<u2").tobytes())
        if len(text) + 8 * len(values) <= _MOST_TEXT:
            return {**about, "values": values.tolist(), "indices": text}
    return {**about, "sha256": hashlib.sha256(factors.tobytes()).hexdigest()}


def is_kept(about: Mapping[str, Any]) -> bool:
    """Whether the factors are in the result of `pack`."""
    return "indices" in about


def unpack(about: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Return the factors in the result of `pack`; ValueError if they are missing or damaged."""
    if about.get("shape") != list(shape):
        raise ValueError(
            f"factor_map must have the shape {shape} of a frame, got {about.get('shape')!r}"
        )
    if not is_kept(about):
        raise ValueError(
            "factor_map was too large to be kept in the recipe: give the array, layer or file"
        )
    try:
        values = np.asarray(about["values"], np.float32)
        raw = decompressed(about["indices"], 2 * shape[0] * shape[1])
        indices = np.frombuffer(raw, "<u2").reshape(shape)
        return _checked(values[indices], shape)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"factor_map: the recipe is damaged ({error})") from error


# ---- what stands still, to the last bit ----


def stillness(factors: np.ndarray) -> np.ndarray:
    """Return how much of the frame at rest is seen at each pixel: 1 where the factor is 0."""
    size = np.abs(factors)
    return 1 - smooth_step(size / (_SEAM * max(float(size.max()), 1e-6)))
