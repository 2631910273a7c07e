"""How far things moved, from a frame and the variation selected in it: to check bounds with."""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from napari_motionmag.methods.classical.pyramids.laplacian import reduce

__all__ = ["typical_displacement"]

_WINDOW = 15  # px, side of the neighborhood that moves together
_SMALLEST = 2 * _WINDOW  # px, shorter side of the coarsest level looked at
_SIGNIFICANT = 4.0  # times what noise lets itself be explained
_CLEAR_SHARE = 0.05  # of the variation explained: below, displacements are not to be trusted
_RIDGE = 0.02  # of the gradient energy: a bare edge tells nothing of motion along it


def typical_displacement(frame: torch.Tensor, variation: torch.Tensor) -> float:
    """Displacement of what moves, px, less what noise alone would show.

    Solves ``variation = -displacement . gradient`` for the displacement in each neighborhood
    (the gradient is that of the frame half-way back), at the finest resolution that explains
    the variation about as well as any. The result is the root of the mean of the squared
    displacements, each weighted by the variation that it explains, so that a small thing that
    moves counts and a large one at rest does not.


    References
    ----------
    .. [1] B. Lucas, T. Kanade, "An iterative image registration technique with an application
       to stereo vision", IJCAI 1981.
    """
    middle = (frame - variation / 2)[None, None]
    variation = variation[None, None]
    found = []
    scale = 1
    while True:
        explained, displacement = _at_one_level(middle, variation)
        found.append((explained, displacement * scale))
        if min(middle.shape[-2:]) < 2 * _SMALLEST:
            break
        middle, variation, scale = reduce(middle), reduce(variation), 2 * scale
    best = max(explained for explained, _ in found)
    value = next(value for explained, value in found if explained >= 0.9 * best)
    # where next to nothing looks like motion it is noise, whatever displacement it would need
    return value * min(best / _CLEAR_SHARE, 1.0)


def _at_one_level(middle: torch.Tensor, variation: torch.Tensor) -> tuple[float, float]:
    """Share of the variation that displacements explain, and the displacement in px of it."""
    dy, dx = torch.gradient(middle, dim=(-2, -1))
    window = min(_WINDOW, min(middle.shape[-2:]) // 2 * 2 - 1)

    def mean(product):
        return avg_pool2d(product, window, stride=1)

    yy, xx, yx = mean(dy * dy), mean(dx * dx), mean(dy * dx)
    vy, vx, vv = mean(dy * variation), mean(dx * variation), mean(variation * variation)
    tiny = torch.finfo(middle.dtype).tiny
    ridge = _RIDGE * (yy + xx) + tiny
    determinant = (yy + ridge) * (xx + ridge) - yx * yx + tiny
    uy = -((xx + ridge) * vy - yx * vx) / determinant
    ux = -((yy + ridge) * vx - yx * vy) / determinant
    explained = (-uy * vy - ux * vx).clamp(min=0)
    left_over = (vv - explained).clamp(min=0) / window**2
    # two parameters explain that much of any noise; what counts is well above
    explained = (explained - _SIGNIFICANT * 2 * left_over).clamp(min=0)
    squared = uy * uy + ux * ux - left_over * (yy + xx + 2 * ridge) / determinant
    mass = explained.sum()
    if mass <= 0:
        return 0.0, 0.0
    value = (explained * squared).sum() / mass
    return float(mass / vv.sum()), float(value.clamp(min=0).sqrt())
