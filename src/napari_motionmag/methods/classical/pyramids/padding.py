"""Borders for methods that work in the frequency domain, where the picture wraps around."""

from __future__ import annotations

import torch
from scipy.fft import next_fast_len


def fast_size(n: int) -> int:
    """Return the smallest even size >= `n` whose only prime factors are 2, 3 and 5."""
    return 2 * next_fast_len(max(1, (n + 1) // 2), real=True)


def reflected(positions: torch.Tensor, n: int) -> torch.Tensor:
    """Return indices in 0..n-1 of positions beyond the ends, mirrored about the end pixels."""
    if n == 1:
        return torch.zeros_like(positions)
    period = 2 * (n - 1)
    folded = positions.remainder(period)
    return torch.minimum(folded, period - folded)


class Border:
    """Mirrored borders that meet without a step where the padded picture wraps around.

    Between the last pixel and, one turn further, the first, the mirror image of the end fades
    into the mirror image of the start. A plain mirrored border has a step in the middle, which
    coarse subbands feel far inside the frame. Sizes, `padded`, are rounded up to ones that are
    fast to transform.
    """

    def __init__(
        self, shape: tuple[int, int], width: int, device: torch.device, dtype: torch.dtype
    ):
        self.shape = shape
        self.padded = tuple(fast_size(n + 2 * width) for n in shape)
        self._axes = []
        for n, total in zip(shape, self.padded, strict=True):
            gap = total - n
            after = torch.arange(gap)
            end = reflected(n + after, n)
            start = reflected(after - gap, n)
            fade = (after + 1.0).to(torch.float64) / (gap + 1)
            weight = fade.square() * (3 - 2 * fade)
            self._axes.append((end.to(device), start.to(device), weight.to(device, dtype)))

    def pad(self, planes: torch.Tensor) -> torch.Tensor:
        """Add borders after the last row and column, (..., Y, X) to (..., *padded)."""
        (end, start, weight), (end_x, start_x, weight_x) = self._axes
        weight = weight[:, None]
        gap = planes[..., end, :] * (1 - weight) + planes[..., start, :] * weight
        planes = torch.cat([planes, gap], -2)
        gap = planes[..., end_x] * (1 - weight_x) + planes[..., start_x] * weight_x
        return torch.cat([planes, gap], -1)

    def crop(self, planes: torch.Tensor) -> torch.Tensor:
        """Take the borders off again."""
        return planes[..., : self.shape[0], : self.shape[1]]
