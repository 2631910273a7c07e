"""Which frame of a movie a viewer shows."""

from __future__ import annotations

import numpy as np

TIME_ACROSS = (
    "Time runs across the picture, which needs all magnified frames: press “Compute all” first, "
    "or put time back on a slider"
)


def frame_shown(viewer, layer, axes: str) -> tuple[int, tuple[int, ...]]:
    """Return the frame of a layer at the sliders of a viewer.

    Its number, within the movie, and its index along each axis that is not T, Y, X or S. The
    sliders may run in other units than the layer, whose data have `axes`.
    """
    point = np.asarray(viewer.dims.point, float)[-layer.ndim :]
    if len(point) < layer.ndim:  # not in the viewer yet
        point = np.concatenate([np.zeros(layer.ndim - len(point)), point])
    point = layer.world_to_data(point * _unit_ratios(viewer, layer))
    sizes = (layer.data[0] if layer.multiscale else layer.data).shape
    at = {
        letter: int(np.clip(np.round(value), 0, size - 1))
        for letter, value, size in zip(axes, point, sizes, strict=False)
        if np.isfinite(value)
    }
    return at.get("T", 0), tuple(at.get(x, 0) for x in axes if x not in "TYXS")


def time_is_drawn(viewer, layer, axes: str) -> bool:
    """Whether time runs across the picture, so that one picture needs all the frames."""
    first = viewer.dims.ndim - layer.ndim
    return axes.index("T") + first in viewer.dims.displayed


def frame_to_draw(viewer, layer, axes: str) -> tuple[int, tuple[int, ...]]:
    """Return `frame_shown`; ValueError if time runs across the picture."""
    if time_is_drawn(viewer, layer, axes):
        raise ValueError(TIME_ACROSS)
    return frame_shown(viewer, layer, axes)


def _unit_ratios(viewer, layer) -> np.ndarray:
    """Return what a step of each slider is in the units of the layer."""
    units = getattr(viewer.dims, "units", None)
    ratios = np.ones(layer.ndim)
    if not units:
        return ratios
    pairs = zip(tuple(units)[-layer.ndim :], layer.units, strict=False)
    for axis, (slider, own) in enumerate(pairs):
        if str(slider) != str(own) and slider.is_compatible_with(own):
            ratios[axis] = (1 * slider).to(own).magnitude
    return ratios
