"""Remedies for frames with pixels that are NaN or infinite, as registration leaves at borders."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def filled(frames: np.ndarray) -> np.ndarray:
    """Return frames, (..., Y, X), with each bad pixel as the nearest good one of its frame.

    A frame without a good pixel becomes 0.
    """
    from scipy.ndimage import distance_transform_edt

    bad = ~np.isfinite(frames)
    if not bad.any():
        return frames
    out = frames.copy()
    for place in np.ndindex(frames.shape[:-2]):
        if not bad[place].any():
            continue
        if bad[place].all():
            out[place] = 0
            continue
        nearest = distance_transform_edt(bad[place], return_distances=False, return_indices=True)
        out[place] = frames[place][tuple(nearest)]
    return out


def good_rectangle(frames: Iterable[np.ndarray]) -> tuple[int, int, int, int] | None:
    """Return the largest rectangle (y0, y1, x0, x1) that is finite in all frames (Y, X), or None.

    Ends are excluded.
    """
    good = None
    for frame in frames:
        finite = np.isfinite(frame)
        good = finite if good is None else good & finite
    if good is None or not good.any():
        return None
    height, width = good.shape
    best, area = None, 0
    tall = np.zeros(width + 1, int)  # good pixels above each column; 0 at the end
    for y in range(height):
        tall[:-1] = np.where(good[y], tall[:-1] + 1, 0)
        open_: list[tuple[int, int]] = []  # (first column, height) of rectangles that may grow
        for x, h in enumerate(tall):
            first = x
            while open_ and open_[-1][1] >= h:
                first, full = open_.pop()
                if full * (x - first) > area:
                    area, best = full * (x - first), (y - full + 1, y + 1, first, x)
            open_.append((first, int(h)))
    return best
