"""Complex steerable pyramid in the frequency domain.

The pyramid splits an image into oriented band-pass subbands whose complex phase moves with the
image content, plus a high-pass and a low-pass residual. Filters are products of raised-cosine
radial windows and ``cos**k`` angular windows on half of the frequency plane. The squared
responses sum to one, so collapsing an unchanged pyramid returns the image, whatever its size.

Subbands are made one at a time and at their own resolution: a subband is cropped in the
frequency domain to its support before the inverse transform, so coarse subbands are small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

import torch

from napari_motionmag.compute.cache import Cache
from napari_motionmag.methods.classical.pyramids.padding import fast_size


@dataclass(frozen=True)
class Design:
    """What distinguishes one kind of complex steerable pyramid."""

    filters_per_octave: int  # radial subbands in an octave of spatial frequency
    orientations: int  # subbands around the half circle
    transition: float  # width of the radial transitions, octaves
    bound: float  # largest shift carried by phase alone, as a fraction of the wavelength


#: The designs of Wadhwa et al. 2013, by name.
PYRAMIDS = {
    "octave": Design(1, 4, 1.0, 0.25),
    "half-octave": Design(2, 8, 0.75, 0.5),
    "quarter-octave": Design(4, 8, 0.75, 0.5),
}


@dataclass(frozen=True)
class Band:
    """One oriented subband."""

    level: int  # 0 is the finest
    orientation: int  # 0 passes horizontal frequencies
    angle: float  # of the frequencies it passes, radians, from x (columns) towards y (rows)
    wavelength: float  # at the middle of its pass-band, px of the image
    shape: tuple[int, int]  # (Y, X) of its coefficients


class SteerablePyramid:
    """Complex steerable pyramid for images of one size.

    `height` is the number of octaves covered by subbands, at most and by default
    ``floor(log2(min(shape))) - 2``; `bands` are all oriented subbands, finest first.

    Notes
    -----
    With r the spatial frequency over the Nyquist frequency, cut-offs r_k = 2**(-k/p) for p
    filters per octave and transition width w,
    ``hi_k = cos(pi/2 clip(log2(r/r_k), -w, 0)/w)`` and ``lo_k = sqrt(1 - hi_k**2)``. Level k
    passes ``hi_k`` times the product of all ``lo_j`` with j < k; the residuals are ``hi_0`` and
    the product of all ``lo_j``. The sum of squares then telescopes to one for any width, also
    where transitions of neighbors overlap (w > 1/p). The angular window of n = k + 1
    orientations is ``sqrt(2**(2k) k!**2 / (n (2k)!)) 2 cos(theta - theta_b)**k`` on the half
    plane around theta_b = pi b/n, and zero on the other half.

    Coefficients keep the amplitude of the image: a grating ``a cos(2 pi x/l)`` in the middle of
    a subband has |coefficient| of about a, at every level.

    References
    ----------
    .. [1] J. Portilla, E. P. Simoncelli, "A parametric texture model based on joint statistics
       of complex wavelet coefficients", IJCV 40(1), 2000.
    .. [2] N. Wadhwa, M. Rubinstein, F. Durand, W. T. Freeman, "Phase-based video motion
       processing", ACM Trans. Graph. 32(4), 2013, section 3.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pyramid: str = "octave",
        *,
        height: int | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        if pyramid not in PYRAMIDS:
            raise ValueError(f"pyramid must be one of {tuple(PYRAMIDS)}, got {pyramid!r}")
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
        if len(shape) != 2 or min(shape) < 8:
            raise ValueError(f"shape must be (Y, X) of at least 8 px each, got {tuple(shape)}")
        tallest = math.floor(math.log2(min(shape))) - 2
        height = tallest if height is None else height
        if not 1 <= height <= tallest:
            raise ValueError(f"height must be 1 to {tallest} for shape {shape}, got {height}")
        self.shape = (int(shape[0]), int(shape[1]))
        self.pyramid = pyramid
        self.design = PYRAMIDS[pyramid]
        self.height = int(height)
        self.device = torch.device(device)
        self.dtype = dtype
        self.complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
        self.levels = self.height * self.design.filters_per_octave
        self._filters: list[torch.Tensor | None] = [None] * self.levels
        self._build_lock = Lock()

        n = self.design.orientations
        self.bands = tuple(
            Band(level, b, math.pi * b / n, self._wavelength(level), self._geometry(level)[0])
            for level in range(self.levels)
            for b in range(n)
        )

    def _cutoff(self, k: int) -> float:
        return 2.0 ** (-k / self.design.filters_per_octave)

    def _wavelength(self, level: int) -> float:
        spacing = 1 / self.design.filters_per_octave
        peak = self._cutoff(level + 1) * 2 ** ((spacing - self.design.transition) / 2)
        return 2 / peak

    def _geometry(self, level: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the size of the coefficients and the largest index of a frequency, (Y, X)."""
        # every filter of the level is zero at and beyond the cut-off of the level above
        reach = tuple(math.ceil(self._cutoff(level) * n / 2) - 1 for n in self.shape)
        size = tuple(min(n, fast_size(2 * f + 1)) for n, f in zip(self.shape, reach, strict=True))
        return size, reach

    # ---- filters ----

    def _radial(self, k: int, radius: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return high-pass and low-pass windows of cut-off k."""
        width = self.design.transition
        octaves = torch.log2(radius / self._cutoff(k)).clamp(-width, 0)
        # cosine and sine of one angle: squares sum to one to rounding
        turn = octaves * (math.pi / 2 / width)
        return torch.cos(turn), -torch.sin(turn)

    def _low(self, k: int, radius: torch.Tensor) -> torch.Tensor:
        """Return the product of the low-pass windows of the cut-offs 0 to k."""
        low = torch.ones_like(radius)
        for j in range(k + 1):
            low = low * self._radial(j, radius)[1]
        return low

    def residual_windows(self, *, half: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return high-pass and low-pass residual windows, (Y, X) or (Y, X // 2 + 1), float64."""
        y, x = frequencies(self.shape, self.shape, self.device)
        radius = torch.hypot(y, x[:, : self.shape[1] // 2 + 1] if half else x)
        return self._radial(0, radius)[0], self._low(self.levels, radius)

    def filters(self, level: int) -> torch.Tensor:
        """Return the responses of one level, (orientations, y, x), zero on half the plane."""
        if self._filters[level] is None:
            with self._build_lock:
                if self._filters[level] is None:
                    self._filters[level] = self._make_filters(level)
        return self._filters[level]

    def _make_filters(self, level: int) -> torch.Tensor:
        y, x = frequencies(self._geometry(level)[0], self.shape, self.device)
        radius = torch.hypot(y, x)
        radial = self._radial(level + 1, radius)[0] * self._low(level, radius)
        # direction cosines; the radial window is zero at the origin, where they do not exist
        safe = radius.clamp_min(torch.finfo(torch.float64).tiny)
        cosine, sine = x / safe, y / safe
        n = self.design.orientations
        k = n - 1
        scale = math.sqrt(2.0 ** (2 * k) * math.factorial(k) ** 2 / (n * math.factorial(2 * k)))
        out = torch.empty((n, *radius.shape), dtype=self.dtype, device=self.device)
        for b in range(n):
            angle = math.pi * b / n
            along = cosine * math.cos(angle) + sine * math.sin(angle)
            out[b] = radial * (scale * along.clamp_min(0) ** k)
        return out

    def nbytes(self) -> int:
        """Return the bytes of all filters once they are made."""
        item = torch.finfo(self.dtype).bits // 8
        return sum(item * math.prod(band.shape) for band in self.bands)

    # ---- image and spectrum ----

    def spectrum(self, image: torch.Tensor) -> torch.Tensor:
        """Transform real images, (..., Y, X), to half spectra, (..., Y, X // 2 + 1)."""
        if tuple(image.shape[-2:]) != self.shape:
            raise ValueError(f"image must end in {self.shape}, got {tuple(image.shape)}")
        return torch.fft.rfft2(image.to(self.device, self.dtype))

    def image(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Transform half spectra to real images, the inverse of `spectrum`."""
        return torch.fft.irfft2(spectrum, s=self.shape)

    def crop(self, spectrum: torch.Tensor, level: int) -> torch.Tensor:
        """Return frequencies of a level, scaled so that coefficients keep their amplitude."""
        size, reach = self._geometry(level)
        return take_part(spectrum, size, reach).mul_(2 * math.prod(size) / math.prod(self.shape))

    def uncrop(self, plane: torch.Tensor, level: int, spectrum: torch.Tensor) -> None:
        """Add the frequencies of one level, as from `synthesise`, to a half spectrum, in place."""
        size, reach = self._geometry(level)
        add_part(spectrum, plane, reach, math.prod(self.shape) / math.prod(size))

    # ---- subbands ----

    def analyse(self, cropped: torch.Tensor, level: int, orientation: int) -> torch.Tensor:
        """Return a subband from `crop`; the phase grows in the direction of its angle."""
        return torch.fft.ifft2(cropped * self.filters(level)[orientation])

    def synthesise(self, coefficients: torch.Tensor, level: int, orientation: int) -> torch.Tensor:
        """Return the full-plane spectrum that one subband adds to its level, for `uncrop`."""
        return torch.fft.fft2(coefficients).mul_(self.filters(level)[orientation])

    def coefficients(self, spectrum: torch.Tensor) -> Iterator[tuple[Band, torch.Tensor]]:
        """Go through the subbands, finest first, holding one at a time."""
        cropped, level = None, -1
        for band in self.bands:
            if band.level != level:
                level = band.level
                cropped = self.crop(spectrum, level)
            yield band, self.analyse(cropped, level, band.orientation)

    def residuals(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return the half spectrum of both residuals after analysis and synthesis."""
        high, low = self.residual_windows(half=True)
        return spectrum * (high.square() + low.square()).to(self.dtype)

    def reconstruct(
        self, coefficients: Iterable[tuple[Band, torch.Tensor]], residuals: torch.Tensor
    ) -> torch.Tensor:
        """Collapse subbands, as from `coefficients`, and residuals to an image."""
        spectrum = residuals.clone()
        for band, values in coefficients:
            plane = self.synthesise(values, band.level, band.orientation)
            self.uncrop(plane, band.level, spectrum)
        return self.image(spectrum)


# Filters are large and the same for all frames of a movie.
_PYRAMIDS = Cache()


def get_pyramid(
    shape: tuple[int, int],
    pyramid: str = "octave",
    *,
    height: int | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> SteerablePyramid:
    """Return a `SteerablePyramid` that may have been used before, its filters made."""
    key = (tuple(shape), pyramid, height, str(torch.device(device)), dtype)
    return _PYRAMIDS.get(
        key,
        lambda: SteerablePyramid(shape, pyramid, height=height, device=device, dtype=dtype),
    )


# ---- parts of the half spectra of real images --------------------------------------------------


def frequencies(
    size: tuple[int, int], shape: tuple[int, int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a column and a row of frequencies of a part, over the Nyquist, in FFT order."""
    y, x = (
        torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=device) * (2 / full)
        for n, full in zip(size, shape, strict=True)
    )
    return y[:, None], x[None, :]


def take_part(
    spectrum: torch.Tensor, size: tuple[int, int], reach: tuple[int, int]
) -> torch.Tensor:
    """Take the low frequencies up to index `reach`, (..., y, x), from a half spectrum."""
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
