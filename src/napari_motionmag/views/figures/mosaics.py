"""Many small pictures side by side in one."""

from __future__ import annotations

import math

import numpy as np

SCALINGS = ("each", "all")


def mosaic(
    pictures,
    columns: int | None = None,
    gap: int = 1,
    scaling: str = "each",
    signed: bool = False,
    background: float = 1.0,
) -> np.ndarray:
    """Lay pictures out in rows, for a look at kernels or activations.

    Parameters
    ----------
    pictures : array_like, shape (N, h, w) or (N, h, w, 3)
        NaN is left as background.
    columns : int, optional
        Pictures in a row; about as many as rows when None.
    gap : int
        Pixels between pictures.
    scaling : {"each", "all"}
        Stretch every picture to 0..1 by itself, or all alike.
    signed : bool
        Keep 0 at mid-grey (0.5), as for kernels.
    background : float
        Value of the gaps.

    Returns
    -------
    ndarray of float64, shape (rows * (h + gap) - gap, columns * (w + gap) - gap[, 3])
        Values within 0..1.

    Raises
    ------
    ValueError
        If there are no pictures or an argument does not fit.
    """
    pictures = np.asarray(pictures, float)
    colour = pictures.ndim == 4 and pictures.shape[-1] == 3
    if not len(pictures) or not (pictures.ndim == 3 or colour):
        raise ValueError(
            f"pictures must have the shape (N, h, w) or (N, h, w, 3); got {pictures.shape}"
        )
    if scaling not in SCALINGS:
        raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}; got {scaling!r}")
    columns = math.ceil(math.sqrt(len(pictures))) if columns is None else int(columns)
    if columns < 1 or gap < 0:
        raise ValueError(f"columns must be at least 1 and gap 0; got {columns} and {gap}")
    parts = [pictures] if scaling == "all" else [picture[np.newaxis] for picture in pictures]
    scaled = np.concatenate([_stretched(part, signed) for part in parts])
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures.shape[1:3]
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, *pictures.shape[3:])
    out = np.full(size, background, float)
    for k, picture in enumerate(scaled):
        y, x = (k // columns) * (height + gap), (k % columns) * (width + gap)
        out[y : y + height, x : x + width] = np.where(np.isfinite(picture), picture, background)
    return out


def _stretched(pictures: np.ndarray, signed: bool) -> np.ndarray:
    known = pictures[np.isfinite(pictures)]
    if not known.size:
        return pictures
    if signed:
        top = np.abs(known).max() or 1.0
        return 0.5 + pictures / (2 * top)
    low, high = known.min(), known.max()
    return (
        (pictures - low) / (high - low)
        if high > low
        else np.where(np.isfinite(pictures), 0.5, np.nan)
    )
