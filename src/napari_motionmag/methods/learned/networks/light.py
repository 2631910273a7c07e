"""Changes of light, told apart from motion.

In a window the variation of the intensities is modelled as ``D = -grad(I) . w + a + b I``: a
displacement w, and light that is added (a) and multiplied (b). All four are solved for together, so
that neither is taken for the other. Where ``a + b I`` explains most of what the displacement leaves
over, it is taken away; elsewhere (several things that move, noise) the variation stays as it is.

References
----------
Negahdaripour, "Revised definition of optical flow: integration of radiometric and geometric cues
for dynamic scene analysis", IEEE Transactions on Pattern Analysis and Machine Intelligence 20,
1998.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned import kernels
from napari_motionmag.methods.learned.derivative_filters import SLOPE, SMOOTH
from napari_motionmag.methods.learned.networks.flow_candidates import BINOMIAL, separable
from napari_motionmag.methods.learned.networks.inference_conv import inference_kernels_apply

CELL = 8  # px; light is found once in each cell, in a window of about 40 px around it
_PAIRS = [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2), (0, 3), (1, 3), (2, 3), (3, 3)]
# Share of what motion leaves over that light must explain to be taken away: at all, and whole.
_LOW, _HIGH = 0.3, 0.7
# Added to the variances of the gradient and of the intensity, as shares of them and as numbers.
_RELATIVE, _GRADIENT, _INTENSITY = 1e-3, 1e-7, 1e-6


def without_light(luma: Tensor, variation: Tensor) -> Tensor:
    """Take from a variation what a change of light explains.

    Parameters
    ----------
    luma : Tensor
        float32 (N, 1, H, W), the picture half-way between rest and displaced, black 0, white 1;
        H and W are multiples of 8.
    variation : Tensor
        float32 (N, 1, H, W), T(luma), in the same units.

    Returns
    -------
    Tensor
        (N, 1, H, W); m times `variation` gives m times as much.
    """
    offset, slope = _light(F.avg_pool2d(luma, 2) - 0.5, F.avg_pool2d(variation, 2))
    both = F.interpolate(torch.cat([offset, slope], 1), scale_factor=CELL, mode="bilinear")
    return variation - both[:, :1] - both[:, 1:] * (luma - 0.5)


def _light(luma: Tensor, variation: Tensor) -> tuple[Tensor, Tensor]:
    """Return a and b where they are sure, (N, 1, H / 8, W / 8), of pictures at half size."""
    sums = _moments(luma, variation, CELL // 2)
    for _ in range(2):
        sums = separable(sums, BINOMIAL, BINOMIAL)
    mean, square = sums[:, :4], sums[:, 4:]
    xx, xy, yy, xi, yi, ii, xd, yd, di, dd = (
        square[:, n] - mean[:, k] * mean[:, m] for n, (k, m) in enumerate(_PAIRS)
    )
    extra = _RELATIVE * (xx + yy) + _GRADIENT
    xx, yy, ii = xx + extra, yy + extra, ii * (1 + _RELATIVE) + _INTENSITY
    # b by eliminating the displacement, then the displacement, by Cramer's rule
    determinant = xx * yy - xy * xy
    ux, uy = (yy * xi - xy * yi) / determinant, (xx * yi - xy * xi) / determinant
    b = (di - ux * xd - uy * yd) / (ii - ux * xi - uy * yi)
    wx, wy = (yy * xd - xy * yd) / determinant - b * ux, (xx * yd - xy * xd) / determinant - b * uy
    a = mean[:, 3] - wx * mean[:, 0] - wy * mean[:, 1] - b * mean[:, 2]
    left = (dd - wx * xd - wy * yd - b * di).clamp(min=0)
    light = (a + b * mean[:, 2]).square() + b * b * ii
    share = light / (light + left + 1e-20)
    sure = ((share - _LOW) / (_HIGH - _LOW)).clamp(0, 1)
    return (a * sure)[:, None], (b * sure)[:, None]


def _moments(luma: Tensor, variation: Tensor, window: int) -> Tensor:
    """Return means of gx, gy, I, D and of `_PAIRS` of them, (N, 14, H / window, W / window)."""
    if inference_kernels_apply(luma) and kernels.available():
        from napari_motionmag.methods.learned.kernels import gradients

        return gradients.moments(luma, variation, window)
    gx = separable(luma, SMOOTH, SLOPE)
    gy = separable(luma, SLOPE, SMOOTH)
    i, d = (separable(x, SMOOTH, SMOOTH) for x in (luma, variation))
    terms = (gx, gy, i, d)
    products = (terms[k] * terms[m] for k, m in _PAIRS)
    return torch.cat([F.avg_pool2d(x, window) for x in (*terms, *products)], 1)
