"""Displacements by local least squares at several scales: what a network starts from.

For a small displacement w of a patch, the variation of its intensities is D = -grad(I) . w (Lucas
and Kanade 1981), and the best w in a window solves G w = -g with G = sum grad grad^T,
g = sum D grad. The solution is linear in D: gain (m - 1) times D gives (m - 1) times w, however
small. Coarser scales follow larger motions and are less noisy; finer ones keep borders apart.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned import kernels
from napari_motionmag.methods.learned.derivative_filters import SLOPE, SMOOTH
from napari_motionmag.methods.learned.networks.inference_conv import inference_kernels_apply

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
# Added to the structure tensor: a share of its trace, and the rounding of 16 bits.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-8

LEVELS = 4  # pixels of 1, 2, 4 and 8 px
CANDIDATES = LEVELS + 1
FEATURES = 5  # of each candidate


def separable(x: Tensor, along_y, along_x, stride: int = 1) -> Tensor:
    """Correlate each channel with two 5-tap filters; borders are replicated.

    Shifted additions: several times as fast as a convolution of so few channels.
    """
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")
    height, width = x.shape[-2] - 4, x.shape[-1] - 4
    x = _added([x[..., k : k + height : stride, :] for k in range(5)], along_y)
    return _added([x[..., k : k + width : stride] for k in range(5)], along_x)


def _added(parts: list[Tensor], weights) -> Tensor:
    used = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight]
    total = used[0][0] * used[0][1]
    for part, weight in used[1:]:
        total = torch.add(total, part, alpha=weight)
    return total


def _products(luma: Tensor, variation: Tensor, window: int) -> Tensor:
    """Return means of gx gx, gx gy, gy gy, gx D, gy D, D D: (N, 6, H / window, W / window)."""
    if inference_kernels_apply(luma) and kernels.available():
        from napari_motionmag.methods.learned.kernels import gradients

        return gradients.products(luma, variation, window)
    gy = separable(luma, SLOPE, SMOOTH)
    gx = separable(luma, SMOOTH, SLOPE)
    d = separable(variation, SMOOTH, SMOOTH)
    pairs = ((gx, gx), (gx, gy), (gy, gy), (gx, d), (gy, d), (d, d))
    return torch.cat([F.avg_pool2d(a * b, window) for a, b in pairs], 1)


def _solve(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return displacement (N, 2, h, w), x and y, and how far to trust it (N, 3, h, w)."""
    xx, xy, yy, xd, yd, dd = sums.unbind(1)
    trace = xx + yy
    extra = _RELATIVE * trace + _ABSOLUTE
    a, c = xx + extra, yy + extra
    determinant = a * c - xy * xy
    wx = (xy * yd - c * xd) / determinant
    wy = (xy * xd - a * yd) / determinant
    # Share of D that the displacement explains; the same for any size of D.
    explained = (-(wx * xd + wy * yd) / dd.clamp(min=1e-30)).clamp(0, 1)
    spread = ((xx - yy) ** 2 + 4 * xy * xy + 1e-30).sqrt() / (trace + _ABSOLUTE)
    strength = (trace + _ABSOLUTE).log10() * 0.25 + 1
    return torch.stack([wx, wy], 1), torch.stack([explained, spread, strength], 1)


def flow_candidates(luma: Tensor, variation: Tensor, gain: Tensor, limit: float):
    """Return displacements that explain a variation, from windows of about 4 to 64 px.

    Parameters
    ----------
    luma : Tensor
        float32 (N, 1, H, W), the picture half-way between rest and displaced; H and W are
        multiples of 8.
    variation : Tensor
        float32 (N, 1, H, W), T(luma), in the same units.
    gain : Tensor
        (N,) or, for each pixel, (N, 1, H, W): by which displacements are multiplied.
    limit : float
        Longest displacement in px; longer ones approach it.

    Returns
    -------
    motions : Tensor
        (N, CANDIDATES, 2, H / 4, W / 4), x and y in px of the frame.
    features : Tensor
        (N, CANDIDATES * FEATURES, H / 4, W / 4): compressed displacements, and share of the
        variation that is explained, anisotropy and strength of the gradient.
    """
    found = []
    for level in range(LEVELS):
        sums = _products(luma, variation, max(4 // 2**level, 1))
        if level == 0:
            found.append(_solve(sums))
        sums = separable(sums, BINOMIAL, BINOMIAL)
        motion, trust = _solve(sums)
        motion = motion * 2**level
        if level > 2:
            scale = 2 ** (level - 2)
            motion, trust = (
                F.interpolate(x, scale_factor=scale, mode="bilinear") for x in (motion, trust)
            )
        found.append((motion, trust))
        if level < LEVELS - 1:
            luma = separable(luma, BINOMIAL, BINOMIAL, stride=2)
            variation = separable(variation, BINOMIAL, BINOMIAL, stride=2)
    gain = per_pixel(gain)
    gain = F.avg_pool2d(gain, 4) if gain.shape[-1] > 1 else gain
    motions = torch.stack([motion for motion, _ in found], 1) * gain[:, None]
    motions = limited(motions, limit, dim=2)
    compressed = motions / (1 + motions.abs() / 4)
    trusts = torch.stack([trust for _, trust in found], 1)
    return motions, torch.cat([compressed * 0.5, trusts], 2).flatten(1, 2)


def per_pixel(gain: Tensor) -> Tensor:
    """Return a gain for each frame, (N,), or each pixel, (N, 1, H, W), with four axes."""
    return gain if gain.ndim == 4 else gain.view(-1, 1, 1, 1)


def along(motion: Tensor, direction: float | None) -> Tensor:
    """Return the part of displacements (N, 2, H, W) along a direction in rad; all when None."""
    if direction is None:
        return motion
    axis = motion.new_tensor([math.cos(direction), math.sin(direction)]).view(1, 2, 1, 1)
    return axis * (axis * motion).sum(1, keepdim=True)


def limited(motion: Tensor, limit: float, dim: int = 1) -> Tensor:
    """Limit displacements to less than `limit` px; those above 7/8 of it approach it."""
    length = motion.square().sum(dim, keepdim=True).clamp(min=1e-20).sqrt()
    knee, room = limit * 7 / 8, limit / 8
    beyond = room * ((length - knee).clamp(min=0) / room).tanh()
    return motion * ((length.clamp(max=knee) + beyond) / length)
