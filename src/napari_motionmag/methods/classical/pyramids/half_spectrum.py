"""Parts of the half spectra of real images: take the low frequencies out, put them back."""

from __future__ import annotations

import torch

__all__ = ["add_part", "frequencies", "take_part"]


def frequencies(
    size: tuple[int, int], shape: tuple[int, int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Column of y and row of x frequencies of a part, over the Nyquist frequency of the image.

    Parameters
    ----------
    size : tuple of int
        (y, x) of the part.
    shape : tuple of int
        (Y, X) of the image.
    device : torch.device
        Where they shall live.

    Returns
    -------
    tuple of torch.Tensor
        (y, 1) and (1, x), float64, in FFT order.
    """
    y, x = (
        torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=device) * (2 / full)
        for n, full in zip(size, shape, strict=True)
    )
    return y[:, None], x[None, :]


def take_part(
    spectrum: torch.Tensor, size: tuple[int, int], reach: tuple[int, int]
) -> torch.Tensor:
    """Low frequencies of an image, on both sides of zero.

    Parameters
    ----------
    spectrum : torch.Tensor
        (..., Y, X // 2 + 1) half spectrum.
    size : tuple of int
        (y, x) of the part.
    reach : tuple of int
        Largest index of a frequency to take, along y and x; ``2 * reach + 1 <= size``. Those
        between reach and the end of the part are zero.

    Returns
    -------
    torch.Tensor
        (..., y, x) spectrum in FFT order.
    """
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
    """Add the real part of the image that a part of a spectrum stands for, in place.

    Parameters
    ----------
    spectrum : torch.Tensor
        (..., Y, X // 2 + 1) half spectrum to add to.
    part : torch.Tensor
        (..., y, x) any spectrum in FFT order.
    reach : tuple of int
        Largest index of a frequency to add, along y and x.
    scale : float
        Factor for what is added.
    """
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
