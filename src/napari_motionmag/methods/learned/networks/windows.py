"""Means and maxima over square windows by doubling: a window of 33 takes 6 additions an axis."""

import torch
import torch.nn.functional as F
from torch import Tensor


def windowed_max(x: Tensor, window: int) -> Tensor:
    """Return the maximum over an odd window around each pixel of (N, C, H, W) in the picture."""
    x = F.pad(x, (window // 2,) * 4, value=-torch.inf)
    for axis in (-1, -2):
        wide = 1
        while 2 * wide <= window:
            x = torch.maximum(*_apart(x, axis, wide))
            wide *= 2
        x = torch.maximum(*_apart(x, axis, window - wide))
    return x


def windowed_mean(x: Tensor, window: int) -> Tensor:
    """Return the mean over an odd window around each pixel of (N, C, H, W) in the picture."""
    rows, columns = (_counts(size, window, x) for size in x.shape[-2:])
    x = F.pad(x, (window // 2,) * 4)
    for axis in (-1, -2):
        length = x.shape[axis] - window + 1
        total, first, wide = None, 0, 1
        while True:  # sums of `wide` pixels from each pixel on
            if window & wide:
                part = x.narrow(axis, first, length)
                total = part if total is None else total + part
                first += wide
            if 2 * wide > window:
                break
            x = torch.add(*_apart(x, axis, wide))
            wide *= 2
        x = total
    return x / (rows[:, None] * columns)


def window_means(first: int, last: int, reach: int, size: int) -> tuple[Tensor, int, int]:
    """Return the matrix of means over windows of up to ``2 reach + 1`` of `size` pixels.

    Its rows are those of the pixels `first` to `last`; its columns those within reach of them, from
    and to the two numbers that follow.
    """
    low, high = max(first - reach, 0), min(last + reach, size)
    distance = torch.arange(first, last)[:, None] - torch.arange(low, high)
    near = (distance.abs() <= reach).float()
    return near / near.sum(1, keepdim=True), low, high


def _apart(x: Tensor, axis: int, distance: int) -> tuple[Tensor, Tensor]:
    """Return what lies `distance` pixels before the last, and behind the first."""
    length = x.shape[axis] - distance
    return x.narrow(axis, 0, length), x.narrow(axis, distance, length)


def _counts(size: int, window: int, like: Tensor) -> Tensor:
    """Return how many of `window` pixels around each of `size` pixels lie in the picture."""
    at, half = torch.arange(size, device=like.device), window // 2
    return ((at + half).clamp(max=size - 1) - (at - half).clamp(min=0) + 1).to(like.dtype)
