"""Smoothing of phases, weighted by amplitude."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

_TINY = torch.finfo(torch.float32).tiny


@lru_cache(maxsize=128)
def _gaussian(
    shape: tuple[int, int], sigma: float, dtype: torch.dtype, device: str, half: bool
) -> torch.Tensor:
    """Return the transfer function of a Gaussian of unit sum, FFT order, (Y, X[ // 2 + 1])."""
    curves = []
    for n, one_sided in zip(shape, (False, half), strict=True):
        make = torch.fft.rfftfreq if one_sided else torch.fft.fftfreq
        f = make(n, dtype=torch.float64, device=device)
        curves.append(torch.exp(-2 * (math.pi * sigma * f) ** 2))
    return (curves[0][:, None] * curves[1][None, :]).to(dtype)


def blur(
    maps: list[torch.Tensor], sigma: float, size: tuple[int, int] | None = None
) -> list[torch.Tensor]:
    """Smooth real maps (..., Y, X) with a Gaussian, which wraps around the edges of `size`."""
    shape = maps[0].shape[-2:]
    size = tuple(size or shape)
    crop = (..., slice(shape[0]), slice(shape[1]))
    dtype, device = maps[0].dtype, str(maps[0].device)
    out = []
    # two real maps ride in one complex transform
    for first, second in zip(maps[::2], maps[1::2], strict=False):
        spectrum = torch.fft.fft2(torch.complex(first, second), s=size)
        both = torch.fft.ifft2(spectrum.mul_(_gaussian(size, sigma, dtype, device, False)))
        out += [both.real[crop], both.imag[crop]]
    if len(maps) % 2:
        spectrum = torch.fft.rfft2(maps[-1], s=size)
        spectrum *= _gaussian(size, sigma, dtype, device, True)
        out.append(torch.fft.irfft2(spectrum, s=size)[crop])
    return out


def weighted_mean(values: torch.Tensor, weight: torch.Tensor, sigma: float) -> torch.Tensor:
    """Average over a Gaussian neighborhood, each pixel by its weight; of sigma 0 itself."""
    if sigma == 0:
        return values
    total, mass = blur([values * weight, weight], sigma)
    return total / floored(mass, weight)


def floored(mass: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return smoothed weights, kept above what is only rounding of the largest of them."""
    # a quotient by less would consist of rounding errors
    return torch.maximum(mass, 1e-6 * weight.amax((-2, -1), keepdim=True) + _TINY)
