"""Riesz pyramid: band-pass levels and their Riesz transforms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from napari_motionmag.methods.classical.pyramids.padding import Border

#: Half of the symmetric 9-tap filters, center first.
LOW_TAPS = (0.3611, 0.2723, 0.0900, -0.0219, -0.0209)
HIGH_TAPS = (-0.7633, 0.2020, 0.1230, 0.0492, 0.0099)


def _transfer(taps: tuple[float, ...], shape: tuple[int, int]) -> np.ndarray:
    """Return the transfer function (Y, X // 2 + 1) of the nearly circular filter of 1-D taps."""
    # McClellan transform: this takes the place of the cosine of the frequency
    y = np.cos(2 * np.pi * np.fft.fftfreq(shape[0]))[:, None]
    x = np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))[None, :]
    cosine = (y + 1) * (x + 1) / 2 - 1
    # sum of taps[k] cos(k w), cos(k w) being the Chebyshev polynomial T_k of the cosine
    return np.polynomial.chebyshev.chebval(cosine, [taps[0], *(2 * t for t in taps[1:])])


def _riesz_transfer(shape: tuple[int, int], transform: str) -> tuple[np.ndarray, np.ndarray]:
    """Return transfer functions (Y, X // 2 + 1) of the Riesz transforms along x and along y."""
    y = 2 * np.pi * np.fft.fftfreq(shape[0])[:, None]
    x = 2 * np.pi * np.fft.rfftfreq(shape[1])[None, :]
    if transform == "taps":
        return -1j * np.sin(x) + 0 * y, -1j * np.sin(y) + 0 * x
    radius = np.hypot(y, x)
    radius[0, 0] = 1.0
    # an odd response has no value of its own at the Nyquist frequency
    y = np.where(np.isclose(np.abs(y), np.pi), 0, y)
    x = np.where(np.isclose(np.abs(x), np.pi), 0, x)
    return -1j * x / radius, -1j * y / radius


@dataclass(frozen=True)
class _Level:
    """Filters of one level; transfer functions are (Y, X // 2 + 1) with borders."""

    shape: tuple[int, int]
    border: Border
    high: torch.Tensor
    low: torch.Tensor
    inverse: torch.Tensor
    riesz: tuple[torch.Tensor, torch.Tensor]


class RieszPyramid:
    """Laplacian-like pyramid that is nearly its own inverse, with its Riesz transforms.

    `transform` is "exact", the Riesz transform itself, -i w/|w|, or "taps", differences of
    neighbors, ``[0.5, 0, -0.5]`` and its transpose, -i sin w, as in the paper. `shapes` are those
    of the band-pass levels, finest first.

    Notes
    -----
    Each level is split by a 9 x 9 high-pass filter, kept at full resolution, and a 9 x 9
    low-pass filter, of which every other row and column goes on to the next level. The inverse
    uses the same two filters. The taps are those of the authors' supplement, but for the center
    of the high-pass: printed to four digits it lets 0.5 % of a constant through, which is taken
    off. The squares of the two responses sum to 0.98 to 1.002; the inverse divides by that sum.
    What stays is the aliasing of the low-pass: collapsing an unchanged pyramid gives the image
    back to about 1 % of its contrast (white noise, the worst case). Magnification collapses
    only what changes, so where nothing moves nothing is lost.

    The filters are applied as products in the frequency domain, with mirrored borders.

    References
    ----------
    .. [1] N. Wadhwa, M. Rubinstein, F. Durand, W. T. Freeman, "Riesz pyramids for fast
       phase-based video magnification", ICCP 2014, and its supplement, Table 1.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        transform: str = "exact",
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        if len(shape) != 2 or min(shape) < 8:
            raise ValueError(f"shape must be (Y, X) of at least 8 px each, got {tuple(shape)}")
        if transform not in ("exact", "taps"):
            raise ValueError(f"transform must be 'exact' or 'taps', got {transform!r}")
        self.device, self.dtype = torch.device(device), dtype
        self._levels: list[_Level] = []
        size = (int(shape[0]), int(shape[1]))
        complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        for _ in range(int(math.log2(min(shape))) - 2):
            border = Border(size, 8, self.device, dtype)
            high = _transfer((-2 * sum(HIGH_TAPS[1:]), *HIGH_TAPS[1:]), border.padded)
            low = _transfer(LOW_TAPS, border.padded)
            real = (high, low, 1 / (high**2 + low**2))
            pair = _riesz_transfer(border.padded, transform)
            self._levels.append(
                _Level(
                    size,
                    border,
                    *(torch.from_numpy(f).to(self.device, dtype) for f in real),
                    tuple(torch.from_numpy(f).to(self.device, complex_dtype) for f in pair),
                )
            )
            size = tuple((n + 1) // 2 for n in size)
        self.shapes = [level.shape for level in self._levels]

    def nbytes(self) -> int:
        """Return the bytes of all filters."""
        return sum(f.nbytes for n in self._levels for f in (n.high, n.low, n.inverse, *n.riesz))

    def spectra(self, image: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return half spectra of the band-pass levels, borders included, and the residual."""
        spectra = []
        for level in self._levels:
            spectrum = torch.fft.rfft2(level.border.pad(image))
            spectra.append(spectrum * level.high)
            low = torch.fft.irfft2(spectrum * level.low, s=level.border.padded)
            image = level.border.crop(low)[..., ::2, ::2]
        return spectra, image

    def level(self, spectrum: torch.Tensor, number: int) -> torch.Tensor:
        """Return the image (..., Y, X) of a level from its half spectrum."""
        border = self._levels[number].border
        return border.crop(torch.fft.irfft2(spectrum, s=border.padded))

    def quaternions(self, spectrum: torch.Tensor, number: int) -> torch.Tensor:
        """Return a level and its Riesz transforms in x and y, (..., 3, Y, X), from its spectrum."""
        along_x, along_y = self._levels[number].riesz
        parts = torch.stack([spectrum, spectrum * along_x, spectrum * along_y], -3)
        return self.level(parts, number)

    def decompose(self, image: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Split images (..., Y, X) into band-pass levels, finest first, and the residual."""
        spectra, residual = self.spectra(image)
        return [self.level(s, n) for n, s in enumerate(spectra)], residual

    def collapse(
        self, bands: list[torch.Tensor], residual: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Add levels, as `decompose` gives them, up to images (..., Y, X); no residual is zero."""
        image = residual
        for number in reversed(range(len(bands))):
            level = self._levels[number]
            spectrum = torch.fft.rfft2(level.border.pad(bands[number])) * level.high
            if image is not None:
                spread = torch.zeros_like(bands[number])
                # a quarter of the pixels carry all of the signal
                spread[..., ::2, ::2] = 4 * image
                spectrum += torch.fft.rfft2(level.border.pad(spread)) * level.low
            image = self.level(spectrum * level.inverse, number)
        return image
