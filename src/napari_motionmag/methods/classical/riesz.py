"""Motion magnification with the Riesz pyramid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.methods.classical.local_phase import Decomposition, LocalPhaseMethod
from napari_motionmag.methods.classical.phase_limits import BoundCheck
from napari_motionmag.methods.classical.phase_smoothing import blur, floored
from napari_motionmag.methods.classical.pyramids.padding import Border, fast_size

__all__ = ["HIGH_TAPS", "LOW_TAPS", "RieszMagnifier", "RieszPyramid"]

#: Half of the symmetric 9-tap filters, centre first.
LOW_TAPS = (0.3611, 0.2723, 0.0900, -0.0219, -0.0209)
HIGH_TAPS = (-0.7633, 0.2020, 0.1230, 0.0492, 0.0099)

#: Part of the weight that holds back motion along structures, which they do not show.
_DAMPING = 0.01


def _transfer(taps: tuple[float, ...], shape: tuple[int, int]) -> np.ndarray:
    """Real transfer function (Y, X // 2 + 1) of the two-dimensional filter made of 1-D taps.

    The McClellan transform puts ``(cos y + 1)(cos x + 1)/2 - 1`` in place of the cosine of the
    frequency, which makes a nearly circular 9 x 9 filter of the 9 taps.
    """
    y = np.cos(2 * np.pi * np.fft.fftfreq(shape[0]))[:, None]
    x = np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))[None, :]
    cosine = (y + 1) * (x + 1) / 2 - 1
    # sum of taps[k] cos(k w), cos(k w) being the Chebyshev polynomial T_k of the cosine
    return np.polynomial.chebyshev.chebval(cosine, [taps[0], *(2 * t for t in taps[1:])])


def _riesz_transfer(shape: tuple[int, int], transform: str) -> tuple[np.ndarray, np.ndarray]:
    """Transfer functions (Y, X // 2 + 1) of the Riesz transforms along x and along y."""
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

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the images, at least 8 px each.
    transform : {"exact", "taps"}
        "exact": the Riesz transform itself, -i w/|w|; "taps": differences of neighbours,
        ``[0.5, 0, -0.5]`` and its transpose, -i sin w, as in the paper.
    device : str or torch.device
        Where filters and results live.
    dtype : torch.dtype
        ``torch.float32`` or ``torch.float64``.

    Attributes
    ----------
    shapes : list of tuple of int
        (Y, X) of each band-pass level, finest first; the low-pass residual comes after them.

    Notes
    -----
    Each level is split by a 9 x 9 high-pass filter, kept at full resolution, and a 9 x 9
    low-pass filter, of which every other row and column goes on to the next level. The inverse
    uses the same two filters. The taps are those of the authors' supplement, but for the centre
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
        """Bytes of all filters."""
        return sum(f.nbytes for n in self._levels for f in (n.high, n.low, n.inverse, *n.riesz))

    def spectra(self, image: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Half spectra of the band-pass levels, borders included, and the low-pass residual."""
        spectra = []
        for level in self._levels:
            spectrum = torch.fft.rfft2(level.border.pad(image))
            spectra.append(spectrum * level.high)
            low = torch.fft.irfft2(spectrum * level.low, s=level.border.padded)
            image = level.border.crop(low)[..., ::2, ::2]
        return spectra, image

    def level(self, spectrum: torch.Tensor, number: int) -> torch.Tensor:
        """Image (..., Y, X) of a level from its half spectrum."""
        border = self._levels[number].border
        return border.crop(torch.fft.irfft2(spectrum, s=border.padded))

    def quaternions(self, spectrum: torch.Tensor, number: int) -> torch.Tensor:
        """A level and its Riesz transforms along x and y, (..., 3, Y, X), from its spectrum."""
        along_x, along_y = self._levels[number].riesz
        parts = torch.stack([spectrum, spectrum * along_x, spectrum * along_y], -3)
        return self.level(parts, number)

    def decompose(self, image: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Band-pass levels, finest first, and the low-pass residual of images (..., Y, X)."""
        spectra, residual = self.spectra(image)
        return [self.level(s, n) for n, s in enumerate(spectra)], residual

    def collapse(
        self, bands: list[torch.Tensor], residual: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Images (..., Y, X) from levels as `decompose` gives them; no residual counts as zero."""
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


_PYRAMIDS_MADE = ByteBoundedCache(2**30, lambda made: made.nbytes())


class RieszMagnifier(LocalPhaseMethod):
    """Magnify motion through the quaternionic phase of a Riesz pyramid.

    A band-pass level and its two Riesz transforms make a quaternion in every pixel, whose phase
    runs along the dominant local orientation. Phase differences between frames (a quaternion
    logarithm, two components) are added up along time, go through the temporal operator, are
    smoothed and multiplied by (factor - 1), and turn the quaternions of the current frame. There
    is one subband a level instead of 4 or 8, so this is several times faster than
    `PhaseMagnifier`; where two orientations cross, or motion is large, it is less exact.

    Parameters
    ----------
    transform : {"exact", "taps"}
        The Riesz transform itself, or differences of neighbours in place of it, as in the
        paper. They fall short away from the middle of a level: the motion gained is then 2 to
        20 % too small, and more below 3 px of wavelength.
    sigma : float
        Standard deviation of the Gaussian neighbourhood in which the phase variation is
        smoothed, by least squares weighted with the amplitude, px of each level.
    chroma : {"pass", "magnify"}
        RGB frames: "pass" changes the luma only, the chroma stays where it is; "magnify" treats
        luma and both chroma signals alike, each with its own phases.
    device : str, torch.device or None
        Where to compute; a CUDA GPU if there is one when None.
    dtype : {"float32", "float64"} or torch.dtype
        Precision of the computation.
    max_bytes : int
        Memory for pyramids of frames, and again for levels. A row of the operator that needs
        more frames than that is gone through in chunks.

    Raises
    ------
    ValueError
        If an option is not one of the above.

    Notes
    -----
    Structures carry shifts of about a quarter of their wavelength; `magnify` warns with the
    number when a request goes beyond.

    References
    ----------
    .. [1] N. Wadhwa, M. Rubinstein, F. Durand, W. T. Freeman, "Riesz pyramids for fast
       phase-based video magnification", ICCP 2014.
    .. [2] N. Wadhwa, M. Rubinstein, F. Durand, W. T. Freeman, "Quaternionic representation of
       the Riesz pyramid for video magnification", MIT CSAIL technical report, 2014.
    """

    name = "riesz"
    transform: str

    def __init__(
        self,
        *,
        transform: str = "exact",
        sigma: float = 2.0,
        chroma: str = "pass",
        device: str | torch.device | None = None,
        dtype: str | torch.dtype = "float32",
        max_bytes: int = 2**31,
    ):
        super().__init__(
            transform=transform,
            sigma=sigma,
            chroma=chroma,
            max_bytes=max_bytes,
            device=device,
            dtype=dtype,
        )

    def _decomposition(
        self, shape: tuple[int, int], planes: int, gain: float, device: torch.device
    ) -> Decomposition:
        return _RieszPhases(self, shape, planes, gain, device)


class _RieszPhases(Decomposition):
    """Quaternionic phases of the levels of frames of one size."""

    def __init__(
        self,
        method: RieszMagnifier,
        shape: tuple[int, int],
        planes: int,
        gain: float,
        device: torch.device,
    ):
        if min(shape) < 8:
            raise ValueError(f"frames must be at least 8 x 8 px for riesz, got {shape}")
        self._pyramid = _PYRAMIDS_MADE.get(
            (tuple(shape), method.transform, str(device), method.dtype),
            lambda: RieszPyramid(shape, method.transform, device=device, dtype=method.dtype),
        )
        self._planes = planes
        self._sigma = method.sigma
        self._check = BoundCheck("Riesz pyramid", 0.25, gain)
        self.groups = [(level,) for level in range(len(self._pyramid.shapes))]
        item = torch.finfo(method.dtype).bits // 8
        pixels = math.prod(shape)
        self.frame_bytes = 3 * pixels * item // 2
        self.band_bytes = 20 * pixels * item

    def transform(self, planes: torch.Tensor) -> list[torch.Tensor]:
        planes = planes.to(self._pyramid.device, self._pyramid.dtype)
        return self._pyramid.spectra(planes)[0]

    def coefficients(self, kept: list[list[torch.Tensor]], band: int) -> torch.Tensor:
        return self._pyramid.quaternions(torch.stack([levels[band] for levels in kept]), band)

    def values(self, coefficients: torch.Tensor) -> torch.Tensor:
        return coefficients

    def difference(self, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        a, ax, ay = earlier.unbind(-3)
        b, bx, by = later.unbind(-3)
        # later times the conjugate of earlier; its third imaginary part is left out, as it is
        # zero when the orientation stays
        real = a * b + ax * bx + ay * by
        x = a * bx - ax * b
        y = a * by - ay * b
        size = torch.hypot(x, y)
        scale = torch.atan2(size, real) / size.clamp_min(torch.finfo(size.dtype).tiny)
        return torch.stack([x * scale, y * scale], -3)

    def start(self, count: int) -> list[torch.Tensor]:
        p = self._pyramid
        return [
            torch.zeros((count, self._planes, *shape), dtype=p.dtype, device=p.device)
            for shape in p.shapes
        ]

    def change(
        self,
        total: list[torch.Tensor],
        rows: slice,
        band: int,
        coefficients: torch.Tensor,
        delta: torch.Tensor,
        gain: float,
    ) -> None:
        real, x, y = coefficients.unbind(-3)
        amplitude = torch.sqrt(coefficients.square().sum(-3))
        across = torch.hypot(x, y)
        safe = across.clamp_min(torch.finfo(across.dtype).tiny)
        x, y = x / safe, y / safe
        if self._sigma:
            turn_x, turn_y = self._smooth(delta, x, y, amplitude)
            angle = gain * (turn_x * x + turn_y * y)
        else:
            # the vector knows its direction where the Riesz transforms pass through zero
            turn_x, turn_y = delta.unbind(-3)
            angle = gain * torch.hypot(turn_x, turn_y)
            angle = torch.copysign(angle, gain * (turn_x * x + turn_y * y))
        self._check.add(2.0 ** (band + 2), angle, amplitude, lambda: _mean_frequency(real, band))
        # real part of exp(angle n) (real + across n), minus real
        total[band][rows] = -2 * torch.sin(angle / 2).square() * real - torch.sin(angle) * across

    def _smooth(
        self, delta: torch.Tensor, x: torch.Tensor, y: torch.Tensor, amplitude: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The one phase vector that explains the turns of all orientations around each pixel.

        Each pixel knows the component along its own orientation (x, y) only. The mean of such
        vectors falls short: by half, where all orientations are present. So solve, weighted by
        amplitude, for the vector whose components fit best.
        """
        turn_x, turn_y = delta.unbind(-3)
        size = tuple(fast_size(n + math.ceil(3 * self._sigma)) for n in x.shape[-2:])
        maps = [turn_x, turn_y, x.square() - y.square(), 2 * x * y]
        maps = [m * amplitude for m in maps] + [amplitude]
        turn_x, turn_y, even, odd, mass = blur(maps, self._sigma, size)
        mass = floored(mass, amplitude)
        even, odd = even / mass, odd / mass  # shares: products of the masses could underflow
        # the damping decides where only one orientation is present, and is undone along it
        xx = (1 + even) / 2 + _DAMPING
        yy = (1 - even) / 2 + _DAMPING
        xy = odd / 2
        scale = (1 + _DAMPING) / ((xx * yy - xy.square()) * mass)
        return (yy * turn_x - xy * turn_y) * scale, (xx * turn_y - xy * turn_x) * scale

    def collapse(self, total: list[torch.Tensor]) -> torch.Tensor:
        return self._pyramid.collapse(total)

    def report(self) -> str | None:
        return self._check.report()


def _mean_frequency(real: torch.Tensor, level: int) -> float:
    """Root mean square spatial frequency of a level, radians per px of the frame."""
    power = real.square().mean().item()
    squares = 0.0
    for axis in (-1, -2):
        step = torch.diff(real, dim=axis).square().mean().item()
        squares += (2 * math.asin(min(1.0, math.sqrt(step / power) / 2))) ** 2
    return math.sqrt(squares) / 2**level
