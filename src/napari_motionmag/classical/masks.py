"""Masks of a layer of the scene: arrays, and what is drawn in napari."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["checked_mask", "feathered", "mask_from_layer", "smooth_step"]


def mask_from_layer(layer, shape: tuple[int, ...]):
    """The mask that a napari Labels or Shapes layer draws.

    Nothing here needs napari: a layer is known by its ``data`` and, for shapes, by its
    ``to_masks``.

    Parameters
    ----------
    layer : napari.layers.Labels or napari.layers.Shapes
        Labels other than 0, or the inside of the shapes, are marked. Shapes are drawn in the
        pixels of the image: the layer needs its scale.
    shape : tuple of int
        (Y, X) or (T, Y, X) of the movie.

    Returns
    -------
    array
        bool, (Y, X); or for labels that have a time axis (T, Y, X), an array or a lazy one.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If labels do not have the shape of the movie, or shapes mark nothing.
    """
    shape = tuple(int(n) for n in shape)
    if hasattr(layer, "to_masks"):
        drawn = np.asarray(layer.to_masks(mask_shape=shape[-2:]), dtype=bool)
        mask = drawn.any(axis=0) if len(drawn) else np.zeros(shape[-2:], bool)
        if not mask.any():
            raise ValueError("mask: the Shapes layer marks no pixel of the movie")
        return mask
    data = getattr(layer, "data", None)
    if not hasattr(data, "dtype") or np.dtype(data.dtype).kind not in "iub":
        raise TypeError(f"mask must come from a Labels or Shapes layer, got {type(layer).__name__}")
    if tuple(data.shape) not in (shape, shape[-2:]):
        raise ValueError(
            f"mask: the Labels layer must have the shape {shape} or {shape[-2:]} of the movie, "
            f"got {tuple(data.shape)}"
        )
    return data > 0


def checked_mask(mask):
    """A mask as it is used; TypeError or ValueError unless it can be."""
    if mask is None:
        return None
    if not (hasattr(mask, "shape") and hasattr(mask, "dtype")):
        if hasattr(mask, "data") or hasattr(mask, "to_masks"):
            raise TypeError(
                f"mask must be an array, got {type(mask).__name__}; for layers use "
                "mask_from_layer(layer, shape)"
            )
        mask = np.asarray(mask)
    if len(mask.shape) not in (2, 3):
        raise ValueError(f"mask must be (Y, X) or (T, Y, X), got shape {tuple(mask.shape)}")
    if np.dtype(mask.dtype).kind not in "biu":
        raise TypeError(f"mask must be boolean (or labels), got {mask.dtype}")
    if len(mask.shape) == 2 and not np.asarray(mask).any():
        raise ValueError("mask marks no pixel")
    return mask


def feathered(mask: np.ndarray, width: float) -> np.ndarray:
    """0 outside of the mask, rising smoothly to 1 within `width` px from its border, float32."""
    if width == 0 or mask.all():
        return mask.astype(np.float32)
    # the border lies half a pixel outside of the last pixel; the frame's own is none
    depth = ndimage.distance_transform_edt(mask) - 0.5
    return smooth_step(depth / width)


def smooth_step(rise: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between, float32."""
    rise = np.clip(rise, 0, 1).astype(np.float32)
    return rise * rise * (3 - 2 * rise)
