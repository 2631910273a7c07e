"""Masks of a part of the scene, and their soft edges."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def checked_mask(mask):
    """Return a mask as an array; TypeError or ValueError if it is not one."""
    if mask is None:
        return None
    if not (hasattr(mask, "shape") and hasattr(mask, "dtype")):
        if hasattr(mask, "data") or hasattr(mask, "to_masks"):
            raise TypeError(
                f"mask must be an array, got {type(mask).__name__}; magnify(..., mask=layer) "
                "makes one of a layer"
            )
        try:
            mask = np.asarray(mask)
        except ValueError as error:
            raise ValueError(f"mask must be an array: {error}") from None
    if len(mask.shape) not in (2, 3):
        raise ValueError(f"mask must be (Y, X) or (T, Y, X), got shape {tuple(mask.shape)}")
    if np.dtype(mask.dtype).kind not in "biu":
        raise TypeError(f"mask must be boolean (or labels), got {mask.dtype}")
    if len(mask.shape) == 2 and not np.asarray(mask).any():
        raise ValueError("mask marks no pixel")
    return mask


def feathered(mask: np.ndarray, width: float) -> np.ndarray:
    """Return 0 outside of the mask, rising smoothly to 1 within `width` px of its border."""
    if width == 0 or mask.all():
        return mask.astype(np.float32)
    # the border lies half a pixel outside of the last pixel; the frame's own is none
    depth = ndimage.distance_transform_edt(mask) - 0.5
    return smooth_step(depth / width)


def smooth_step(rise: np.ndarray) -> np.ndarray:
    """Return 0 below 0, 1 above 1, smooth between, float32."""
    rise = np.clip(rise, 0, 1).astype(np.float32)
    return rise * rise * (3 - 2 * rise)
