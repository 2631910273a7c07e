"""Parts of the half spectra of real images: take the low frequencies out, put them back."""

from __future__ import annotations

import torch

__all__ = ["add_part", "frequencies", "take_part"]


def frequencies(
    size: tuple[int, int], shape: tuple[int, int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Column of y and row of x frequencies of a part, over the image's Nyquist, in FFT order."""
    y, x = (
        torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=device) * (2 / full)
        for n, full in zip(size, shape, strict=True)
    )
    return y[:, None], x[None, :]


def take_part(
    spectrum: torch.Tensor, size: tuple[int, int], reach: tuple[int, int]
) -> torch.Tensor:
    """Low frequencies up to index `reach`, (..., y, x), of a half spectrum (..., Y, X // 2 + 1)."""
    (fy, fx) = reach
    out = spectrum.new_zeros((*spectrum.shape[:-2], *size))
    out[..., : fy + 1, : fx + 1] = spectrum[..., : fy + 1, : fx + 1]
    if fy:
        out[..., -fy:, : fx + 1] = spectrum[..., -fy:, : fx + 1]
    if fx:
        # negative x frequencies are the conjugates of the opposite positive ones
        out[..., 0, -fx:] = spectrum[..., 0, 1 : fx + 1].flip(-1).conj()
    if fx and fy:
        positive = spectrum[..., 1 : fy + 1, 1 : fx + 1].flip((-2, -1))
        negative = spectrum[..., -fy:, 1 : fx + 1].flip((-2, -1))
        out[..., -fy:, -fx:] = positive.conj()
        out[..., 1 : fy + 1, -fx:] = negative.conj()
    return out


def add_part(
    spectrum: torch.Tensor, part: torch.Tensor, reach: tuple[int, int], scale: float
) -> None:
    """Add `scale` times the real image that a part of a spectrum stands for to a half spectrum."""
    fy, fx = reach
    # the real part has the mean of a frequency and the conjugate of its opposite
    half = scale / 2
    opposite = torch.cat([part[..., :1], part[..., part.shape[-1] - fx :].flip(-1)], -1).conj()
    part = part[..., : fx + 1]
    columns = spectrum[..., : fx + 1]
    columns[..., 0, :] += half * (part[..., 0, :] + opposite[..., 0, :])
    if fy:
        up, down = slice(1, fy + 1), slice(-fy, None)
        columns[..., up, :] += half * (part[..., up, :] + opposite[..., down, :].flip(-2))
        columns[..., down, :] += half * (part[..., down, :] + opposite[..., up, :].flip(-2))
