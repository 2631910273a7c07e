"""Moving pixels: sampling between pixels, and drawing a frame with everything displaced."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_MOST_SAMPLES = 8  # along a side of a cell
_EVERYWHERE = np.ones((3, 3), dtype=bool)


def sample(image: np.ndarray, at: np.ndarray, order: int = 5) -> np.ndarray:
    """Interpolate an image, mirrored beyond its borders, at positions `at` (2, ...) px."""
    planes = image[..., None] if image.ndim == 2 else image
    out = np.empty((*at.shape[1:], planes.shape[-1]), dtype=np.float32)
    for k in range(planes.shape[-1]):
        plane = np.ascontiguousarray(planes[..., k], dtype=np.float32)
        out[..., k] = ndimage.map_coordinates(
            plane, at, order=order, mode="mirror", output=np.float32
        )
    return out[..., 0] if image.ndim == 2 else out


def draw_displaced(image: np.ndarray, displacement: np.ndarray, order: int = 5) -> np.ndarray:
    """Draw an image with each of its points displaced.

    The image is a rubber sheet that tears where neighbors part abruptly. Where it folds over
    itself, what is displaced more, relative to most of the image, lies in front; where it tears
    or leaves the frame, a mirror image of what lies behind fills the gap.
    """
    displacement = np.asarray(displacement, dtype=np.float32)
    middle = np.median(displacement.reshape(2, -1), axis=1)[:, None, None]
    height = ((displacement - middle) ** 2).sum(0)
    source, drawn, depth = _cover(displacement, height)
    source = _settle(source, displacement)
    out = sample(image, source, order)
    if not drawn.all():
        _fill(out, drawn, depth)
    return out


def _cover(
    displacement: np.ndarray, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the point (2, Y, X) seen at each pixel, whether there is one, and its height."""
    shape = height.shape
    corners = np.concatenate([displacement, height[None]])
    # one row and column more, so that every pixel is the first corner of a cell
    corners = np.pad(corners, ((0, 0), (0, 1), (0, 1)), mode="edge")
    counts = _samples_per_cell(corners[:2])
    points = []
    for count in np.unique(counts):
        y, x = np.nonzero(counts == count)
        a, b = corners[:, y, x], corners[:, y, x + 1]
        c, d = corners[:, y + 1, x], corners[:, y + 1, x + 1]
        for j in range(count):
            v = np.float32(j / count)
            left, right = a + v * (c - a), b + v * (d - b)
            for k in range(count):
                u = np.float32(k / count)
                here = left + u * (right - left)
                points.append(np.concatenate([np.stack([y + v, x + u]), here]))
    y, x, dy, dx, h = np.concatenate(points, axis=1, dtype=np.float32)
    row = np.floor(y + dy + 0.5).astype(np.int64)
    column = np.floor(x + dx + 0.5).astype(np.int64)
    seen = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    target = (row * shape[1] + column)[seen]
    # the last of several assignments to a pixel stays
    order = np.argsort(h[seen], kind="stable")
    target = target[order]
    index = np.flatnonzero(seen)[order]
    winner = np.full(shape[0] * shape[1], -1, dtype=np.int64)
    winner[target] = index
    drawn = winner >= 0
    source = np.indices(shape, dtype=np.float32).reshape(2, -1)
    source[:, drawn] = np.stack([y, x])[:, winner[drawn]]
    depth = np.where(drawn, h[winner], 0).astype(np.float32)
    return source.reshape(2, *shape), drawn.reshape(shape), depth.reshape(shape)


def _samples_per_cell(corners: np.ndarray) -> np.ndarray:
    """Return points along each side of each cell of four pixels, (Y, X), 1 if it is torn."""
    down = np.diff(corners, axis=1)
    along = np.diff(corners, axis=2)
    down = np.hypot(1 + down[0], down[1])
    along = np.hypot(along[0], 1 + along[1])
    side = np.maximum(np.maximum(down[:, :-1], down[:, 1:]), np.maximum(along[:-1], along[1:]))
    # a sheet stretched evenly holds; a jump between neighbors is the edge of an object
    torn = side > 4
    if torn.any():
        torn &= side > 3 * ndimage.median_filter(side, 7, mode="nearest")
    # at least two, or rounding to pixels leaves gaps
    counts = np.clip(np.ceil(1.4 * side), 2, _MOST_SAMPLES).astype(np.int64)
    return np.where(torn, 1, counts)


def _settle(source: np.ndarray, displacement: np.ndarray, steps: int = 4) -> np.ndarray:
    """Sharpen positions by Newton's method, so that source + displacement(source) is the pixel."""
    pixels = np.indices(source.shape[1:], dtype=np.float32)
    (yy, yx), (xy, xx) = (np.gradient(part) for part in displacement)
    cell = tuple(
        np.clip(np.floor(part + 0.5).astype(np.int64), 0, n - 1)
        for part, n in zip(source, source.shape[1:], strict=True)
    )
    yy, yx, xy, xx = 1 + yy[cell], yx[cell], xy[cell], 1 + xx[cell]
    determinant = yy * xx - yx * xy
    firm = np.abs(determinant) > 0.05
    determinant = np.where(firm, determinant, 1)

    def miss(at):
        moved = [ndimage.map_coordinates(d, at, order=1, mode="nearest") for d in displacement]
        return pixels - at - np.stack(moved)

    error = miss(source)
    for _ in range(steps):
        ey, ex = error
        step = np.stack([xx * ey - yx * ex, yy * ex - xy * ey]) / determinant
        trial = source + np.where(firm, np.clip(step, -1, 1), 0)
        missed = miss(trial)
        # at folds and tears Newton's method may leave for another branch: then stay
        better = (missed**2).sum(0) < (error**2).sum(0)
        source = np.where(better, trial, source)
        error = np.where(better, missed, error)
    return source


def _fill(out: np.ndarray, drawn: np.ndarray, depth: np.ndarray) -> None:
    """Fill what is not drawn with the mirror image of the lower of its surroundings, in place."""
    gaps, count = ndimage.label(~drawn, structure=_EVERYWHERE)
    rim = np.where(drawn, ndimage.maximum_filter(gaps, 3), 0)
    names = np.arange(1, count + 1)
    lowest = np.concatenate([[0], ndimage.minimum(depth, rim, names)])
    highest = np.concatenate([[0], ndimage.maximum(depth, rim, names)])
    ceiling = (lowest + highest) / 2
    behind = (rim > 0) & (depth <= ceiling[rim])
    if not behind.any():  # nothing at all was drawn
        return
    nearest = ndimage.distance_transform_edt(~behind, return_distances=False, return_indices=True)
    at = np.nonzero(~drawn)
    edge = nearest[(slice(None), *at)]
    mirror = 2 * edge - np.stack(at)
    for part, n in zip(mirror, drawn.shape, strict=True):
        np.clip(part, 0, n - 1, out=part)
    mirror, edge = tuple(mirror), tuple(edge)
    usable = drawn[mirror] & (depth[mirror] <= ceiling[gaps[at]])
    out[at] = np.where(usable.reshape(-1, *(1,) * (out.ndim - 2)), out[mirror], out[edge])
