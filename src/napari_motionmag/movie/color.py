"""Luma and chroma of RGB frames (NTSC YIQ)."""

from __future__ import annotations

import numpy as np

__all__ = ["RGB_TO_YIQ", "YIQ_TO_RGB", "add_planes", "luma", "to_planes"]

#: Rows: luma, then the two chroma signals.
RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


def luma(frame: np.ndarray) -> np.ndarray:
    """Return the luma, (Y, X), of a gray or RGB(A) frame of floats, (Y, X) or (Y, X, S)."""
    return frame if frame.ndim == 2 else frame[..., :3] @ RGB_TO_YIQ[0].astype(frame.dtype)


def to_planes(frame: np.ndarray, chroma: str) -> np.ndarray:
    """Return the planes (C, Y, X) of a frame whose motion is changed.

    `chroma` "pass": the luma only; "magnify": luma and both chroma signals.
    """
    if frame.ndim == 2:
        return frame[None]
    if chroma == "pass":
        return luma(frame)[None]
    return np.ascontiguousarray(np.moveaxis(frame @ RGB_TO_YIQ.T.astype(frame.dtype), -1, 0))


def add_planes(frame: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Add a change of the planes of `to_planes`, (C, Y, X), to the frame they came from.

    For one plane of an RGB frame, the chroma stays as it is.
    """
    if frame.ndim == 2:
        return frame + change[0]
    if len(change) == 1:
        # luma has the same weight in R, G and B
        return frame + change[0][..., None]
    return frame + np.moveaxis(change, 0, -1) @ YIQ_TO_RGB.T.astype(change.dtype)
