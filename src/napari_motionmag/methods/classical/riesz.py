"""Motion magnification with the Riesz pyramid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_motionmag.compute.cache import Cache
from napari_motionmag.methods.base import strongest
from napari_motionmag.methods.classical.local_phase import Decomposition, LocalPhaseMethod
from napari_motionmag.methods.classical.phase_limits import PhaseLimit
from napari_motionmag.methods.classical.phase_smoothing import blur, floored
from napari_motionmag.methods.classical.pyramids.padding import fast_size
from napari_motionmag.methods.classical.pyramids.riesz import RieszPyramid
from napari_motionmag.methods.options import RieszOptions

#: Part of the weight that holds back motion along structures, which they do not show.
_DAMPING = 0.01


_PYRAMIDS = Cache()


class _RieszPhases(Decomposition):
    """Quaternionic phases of the levels of frames of one size."""

    def __init__(self, method, shape, planes, gain, device):
        super().__init__(method, shape, planes, gain, device)
        self._pyramid = _PYRAMIDS.get(
            (tuple(shape), method.transform, str(device), method.dtype),
            lambda: RieszPyramid(shape, method.transform, device=device, dtype=method.dtype),
        )
        self.limit = PhaseLimit("Riesz pyramid", 0.25, strongest(1 + gain) - 1)
        self.bands = range(len(self._pyramid.shapes))
        item = torch.finfo(method.dtype).bits // 8
        pixels = math.prod(shape)
        self.frame_bytes = 3 * pixels * item // 2
        self.band_bytes = 20 * pixels * item
        self.delta_bytes = 2 * item * sum(map(math.prod, self._pyramid.shapes))

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
            torch.zeros((count, self.planes, *shape), dtype=p.dtype, device=p.device)
            for shape in p.shapes
        ]

    def change(self, total, rows, band, coefficients, delta):
        real, x, y = coefficients.unbind(-3)
        gain = self.gain_at(self._pyramid.shapes[band], self._pyramid.shapes[0])
        amplitude = torch.sqrt(coefficients.square().sum(-3))
        across = torch.hypot(x, y)
        safe = across.clamp_min(torch.finfo(across.dtype).tiny)
        x, y = x / safe, y / safe
        if self.method.sigma:
            turn_x, turn_y = self._smooth(delta, x, y, amplitude)
            angle = gain * (turn_x * x + turn_y * y)
        else:
            # the vector knows its direction where the Riesz transforms pass through zero
            turn_x, turn_y = delta.unbind(-3)
            angle = gain * torch.hypot(turn_x, turn_y)
            angle = torch.copysign(angle, gain * (turn_x * x + turn_y * y))
        self.limit.add(2.0 ** (band + 2), angle, amplitude, lambda: _mean_frequency(real, band))
        # real part of exp(angle n) (real + across n), minus real
        total[band][rows] = -2 * torch.sin(angle / 2).square() * real - torch.sin(angle) * across

    def _smooth(
        self, delta: torch.Tensor, x: torch.Tensor, y: torch.Tensor, amplitude: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the phase vector that explains the turns of all orientations around each pixel."""
        # Each pixel knows the component along its own orientation (x, y) only. The mean of such
        # vectors falls short: by half, where all orientations are present. So solve, weighted by
        # amplitude, for the vector whose components fit best.
        turn_x, turn_y = delta.unbind(-3)
        size = tuple(fast_size(n + math.ceil(3 * self.method.sigma)) for n in x.shape[-2:])
        maps = [turn_x, turn_y, x.square() - y.square(), 2 * x * y]
        maps = [m * amplitude for m in maps] + [amplitude]
        turn_x, turn_y, even, odd, mass = blur(maps, self.method.sigma, size)
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


def _mean_frequency(real: torch.Tensor, level: int) -> float:
    """Return the rms spatial frequency of a level, radians per px of the frame."""
    power = real.square().mean().item()
    squares = 0.0
    for axis in (-1, -2):
        step = torch.diff(real, dim=axis).square().mean().item()
        squares += (2 * math.asin(min(1.0, math.sqrt(step / power) / 2))) ** 2
    return math.sqrt(squares) / 2**level


@dataclass(frozen=True)
class RieszMagnifier(RieszOptions, LocalPhaseMethod):
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
        The Riesz transform itself, or differences of neighbors in place of it, as in the
        paper. They fall short away from the middle of a level: the motion gained is then 2 to
        20 % too small, and more below 3 px of wavelength.
    sigma : float
        Standard deviation of the Gaussian neighborhood in which the phase variation is
        smoothed, by least squares weighted with the amplitude, px of each level.
    chroma : {"pass", "magnify"}
        RGB frames: "pass" changes the luma only, the chroma stays where it is; "magnify" treats
        luma and both chroma signals alike, each with its own phases.
    device : str, torch.device or None
        Where to compute; a CUDA GPU if there is one when None.
    dtype : {"float32", "float64"} or torch.dtype
        Precision of the computation.
    max_bytes : int
        Memory for pyramids of frames, and again for levels. Where an output
        frame needs more frames than that, they are processed in chunks.

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

    device: str | torch.device | None = None
    dtype: str | torch.dtype = "float32"
    decomposition = _RieszPhases
