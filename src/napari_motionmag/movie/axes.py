"""Letters, names and checks of axes, scale, units and frame rate.

Axes are guessed only where the shape is unambiguous.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from napari_motionmag.compute.validate import above_zero
from napari_motionmag.movie.units import seconds, short_name

LETTERS = "TZCYXS"
EXAMPLES = "'TYX' (gray), 'TYXS' (RGB), 'TCYX' (channels), 'TZYX' (volumes)"
MEANING = "T (time), Z, C (channel), Y, X, S (RGB samples, last)"
# names that files, layers and labelled arrays give their axes, in lower case
AXIS_NAMES = {
    **dict.fromkeys(("t", "time", "frame", "frames"), "T"),
    **dict.fromkeys(("z", "depth", "plane"), "Z"),
    **dict.fromkeys(("c", "ch", "channel", "channels"), "C"),
    **dict.fromkeys(("y", "row", "rows", "height"), "Y"),
    **dict.fromkeys(("x", "column", "columns", "width"), "X"),
    **dict.fromkeys(("s", "rgb", "rgba", "sample", "samples"), "S"),
}


def letter_of(name: str) -> str:
    """Return the letter of an axis by its name; ``"Q"`` or its initial when it is unknown."""
    name = str(name).strip()
    letter = AXIS_NAMES.get(name.lower(), name.upper())
    return letter if len(letter) == 1 else "Q"


def checked_layout(data, axes: str | None) -> tuple[str, tuple[int, ...], np.dtype]:
    """Return axes, shape and dtype of an array that can be a movie of two frames or more."""
    shape, dtype = checked_array(data)
    axes = guess_axes(shape, dtype) if axes is None else checked_axes(axes, shape)
    n_frames = shape[axes.index("T")]
    if n_frames < 2:
        raise ValueError(
            f"data must have at least 2 frames along T to show motion; with axes={axes!r} "
            f"its shape {shape} has {n_frames}"
        )
    return axes, shape, dtype


def checked_array(data) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of an array that can be a movie."""
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data is a masked array, whose mask would be lost; fill it first")
    if not all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__")):
        hint = ""
        if isinstance(data, str) or hasattr(data, "__fspath__"):
            hint = "; open files with napari_motionmag.io.open_movie"
        elif hasattr(data, "axes") or hasattr(data, "translate"):
            hint = "; use Movie.from_any(...)"
        raise TypeError(
            "data must be a numpy, dask, zarr, xarray or tensorstore array, a napari Image layer "
            "or a Movie; "
            f"got {type(data).__name__}{hint}"
        )
    try:
        dtype = np.dtype(data.dtype)
    except TypeError:
        raise TypeError(f"data has no numpy dtype: {data.dtype!r}") from None
    if dtype.kind not in "iuf":
        raise TypeError(f"data must hold integers or real floats; got dtype {dtype}")
    if any(isinstance(size, float) and math.isnan(size) for size in data.shape):
        raise ValueError(
            f"data has an unknown shape {tuple(data.shape)}; call its compute_chunk_sizes() first"
        )
    return tuple(int(size) for size in data.shape), dtype


def checked_axes(axes: str, shape: tuple[int, ...]) -> str:
    """Return the axes in capitals, checked against the shape."""
    if not isinstance(axes, str):
        raise TypeError(f"axes must be a string such as {EXAMPLES}; got {axes!r}")
    letters = axes.upper()
    unknown = sorted(set(letters) - set(LETTERS))
    if unknown:
        raise ValueError(f"axes={axes!r} has {', '.join(map(repr, unknown))}; allowed: {MEANING}")
    twice = sorted({letter for letter in letters if letters.count(letter) > 1})
    if twice:
        raise ValueError(f"axes={axes!r} names {', '.join(twice)} more than once")
    if len(letters) != len(shape):
        raise ValueError(
            f"axes={axes!r} has {len(letters)} letters, but the data have {len(shape)} axes, "
            f"shape {shape}"
        )
    missing = [letter for letter in "TYX" if letter not in letters]
    if missing:
        raise ValueError(f"axes={axes!r} lacks {', '.join(missing)}; T, Y and X must be there")
    if "S" in letters and (letters[-1] != "S" or shape[-1] not in (3, 4)):
        raise ValueError(
            f"axes={axes!r}: S must be the last axis, of 3 (RGB) or 4 (RGBA) samples; the shape "
            f"is {shape}. Name other channels C"
        )
    _refuse_empty(shape)
    return letters


def _refuse_empty(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise ValueError(f"data are empty: shape {shape}")


def guess_axes(shape: tuple[int, ...], dtype: np.dtype) -> str:
    """Return the axes where the shape is unambiguous."""
    _refuse_empty(shape)
    # rows and columns of a picture are many; the samples of a color are three or four
    color = len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) >= 8
    if len(shape) == 3 and not color:
        return "TYX"
    whole = dtype.kind == "u" and dtype.itemsize <= 2
    if len(shape) == 4 and color and (dtype.kind == "f" or whole):
        return "TYXS"
    if len(shape) < 3:
        raise ValueError(
            f"data must be a movie, with axes T, Y and X at least; got an array of shape {shape}"
        )
    raise ValueError(
        f"axes cannot be guessed for data of shape {shape} and dtype {dtype}; pass axes with one "
        f"letter per axis, of {MEANING}, for example {EXAMPLES}"
    )


def checked_calibration(axes: str, fps, scale, units) -> tuple:
    """Return frames per second, and scale and units for each letter of `axes`; each or None."""
    if scale is not None:
        try:
            steps = tuple(float(value) for value in scale)
        except (TypeError, ValueError):
            steps = ()
        if len(steps) != len(axes) or not all(math.isfinite(x) and x != 0 for x in steps):
            raise ValueError(
                f"scale must be one finite number other than 0 for each of the axes {axes!r}; "
                f"got {scale!r}"
            )
        scale = steps
    if units is not None:
        given, units = units, (units,) * len(axes) if isinstance(units, str) else units
        units = tuple(units) if isinstance(units, Iterable) else ()
        if len(units) != len(axes):
            raise ValueError(f"units must be one for each of the axes {axes!r}; got {given!r}")
        units = tuple(short_name(unit) for unit in units)
    if fps is not None:
        fps = above_zero("fps", fps)
    elif scale is not None and units is not None:
        unit = seconds(units[axes.index("T")])
        fps = None if unit is None else 1.0 / abs(scale[axes.index("T")] * unit)
    return fps, scale, units
