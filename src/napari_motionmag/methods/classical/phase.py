"""Phase-based motion magnification with a complex steerable pyramid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from napari_motionmag.methods.base import strongest
from napari_motionmag.methods.classical.local_phase import Decomposition, LocalPhaseMethod
from napari_motionmag.methods.classical.phase_limits import PhaseLimit
from napari_motionmag.methods.classical.phase_smoothing import weighted_mean
from napari_motionmag.methods.classical.pyramids.padding import Border
from napari_motionmag.methods.classical.pyramids.steerable import PYRAMIDS, Band, get_pyramid
from napari_motionmag.methods.options import PhaseOptions


class _SteerablePhases(Decomposition):
    """Phases of the steerable subbands of frames of one size."""

    def __init__(self, method, shape, planes, gain, device):
        super().__init__(method, shape, planes, gain, device)
        self._border = Border(shape, method.padding, device, method.dtype)
        self._pyramid = get_pyramid(
            self._border.padded,
            method.pyramid,
            height=int(math.log2(min(shape))) - 2,
            device=device,
            dtype=method.dtype,
        )
        bound = PYRAMIDS[method.pyramid].bound
        self.limit = PhaseLimit(f"{method.pyramid} pyramid", bound, strongest(1 + gain) - 1)
        self.bands = self._pyramid.bands
        item = torch.finfo(method.dtype).bits // 8
        pixels = math.prod(self._border.padded)
        self.frame_bytes = pixels * item + 1
        self.band_bytes = 12 * pixels * item
        values = 2 if self.method.envelope else 1
        self.delta_bytes = values * item * sum(math.prod(band.shape) for band in self.bands)
        self._cropped: tuple[list[torch.Tensor], int, torch.Tensor] | None = None

    def transform(self, planes: torch.Tensor) -> torch.Tensor:
        planes = planes.to(self._pyramid.device, self._pyramid.dtype)
        return self._pyramid.spectrum(self._border.pad(planes))

    def coefficients(self, kept: list[torch.Tensor], band: Band) -> torch.Tensor:
        # the orientations of a level start from the same part of the spectrum
        found = self._cropped
        if (
            found is None
            or found[1] != band.level
            or len(found[0]) != len(kept)
            or any(a is not b for a, b in zip(found[0], kept, strict=True))
        ):
            stack = torch.stack([self._pyramid.crop(k, band.level) for k in kept])
            self._cropped = found = (kept, band.level, stack)
        return self._pyramid.analyse(found[2], band.level, band.orientation)

    def values(self, coefficients: torch.Tensor) -> torch.Tensor:
        # parts in memory of their own: atan2 is several times faster on them
        real, imag = coefficients.real.contiguous(), coefficients.imag.contiguous()
        phase = torch.atan2(imag, real)
        if not self.method.envelope:
            return phase[:, None]
        return torch.stack([phase, torch.hypot(real, imag)], 1)

    def difference(self, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        step = later - earlier
        phase = step[:, 0]
        # nearest branch: within half a turn either way
        phase -= 2 * math.pi * torch.round(phase / (2 * math.pi))
        return step

    def start(self, count: int) -> dict:
        shape = (count, self.planes, *self._pyramid.shape[:1], self._pyramid.shape[1] // 2 + 1)
        spectrum = torch.zeros(
            shape, dtype=self._pyramid.complex_dtype, device=self._pyramid.device
        )
        return {"spectrum": spectrum, "level": None, "plane": None}

    def change(self, total, rows, band, coefficients, delta):
        real, imag = coefficients.real.contiguous(), coefficients.imag.contiguous()
        amplitude = torch.hypot(real, imag)
        gain = self.gain_at(band.shape, self._border.padded)
        angle = gain * weighted_mean(delta[:, 0], amplitude, self.method.sigma)
        self.limit.add(
            band.wavelength,
            angle,
            amplitude,
            lambda: _mean_frequency(coefficients, band, self._pyramid.shape),
        )
        # exp(i angle) - 1, without cancellation for small angles
        sine = torch.sin(angle / 2)
        turn, shrink = 2 * sine * torch.cos(angle / 2), -2 * sine.square()
        if self.method.envelope:
            floor = torch.finfo(amplitude.dtype).tiny
            ratio = (gain * delta[:, 1] / amplitude.clamp_min(floor)).clamp_min(-1)
            turn, shrink = turn * (1 + ratio), shrink * (1 + ratio) + ratio
        moved = torch.complex(real * shrink - imag * turn, imag * shrink + real * turn)
        part = self._pyramid.synthesise(moved, band.level, band.orientation)
        if total["level"] != band.level:
            self._fold(total)
            shape = (len(total["spectrum"]), self.planes, *band.shape)
            total["level"], total["plane"] = band.level, part.new_zeros(shape)
        total["plane"][rows] += part

    def _fold(self, total: dict) -> None:
        if total["plane"] is not None:
            self._pyramid.uncrop(total["plane"], total["level"], total["spectrum"])

    def collapse(self, total: dict) -> torch.Tensor:
        self._fold(total)
        self._cropped = None
        return self._border.crop(self._pyramid.image(total["spectrum"]))


def _mean_frequency(coefficients: torch.Tensor, band: Band, full: Sequence[int]) -> float:
    """Return the mean frequency of a subband along its direction, radians per px of the frame."""
    across = (coefficients[..., :, 1:] * coefficients[..., :, :-1].conj()).sum()
    down = (coefficients[..., 1:, :] * coefficients[..., :-1, :].conj()).sum()
    # a subband is sampled more coarsely than the frame
    x = torch.angle(across).item() * band.shape[1] / full[1]
    y = torch.angle(down).item() * band.shape[0] / full[0]
    return math.hypot(x, y)


@dataclass(frozen=True)
class PhaseMagnifier(PhaseOptions, LocalPhaseMethod):
    """Magnify motion through the phase of complex steerable subbands.

    In each subband the phase differences between frames, unwrapped along time, go through the
    temporal operator; the result is smoothed, multiplied by (factor - 1) and added to the phase
    of the current frame. Amplitudes and both residuals of the pyramid stay those of the current
    frame, so fine detail, flat areas and noise are moved, not multiplied.

    Parameters
    ----------
    pyramid : {"half-octave", "octave", "quarter-octave"}
        Bandwidth of the subbands: narrower ones carry larger shifts, ring wider and take longer
        (half-octave takes about 2.5 times as long as octave).
    sigma : float
        Standard deviation of the amplitude-weighted Gaussian that smooths the phase variation,
        px of each subband. 0 keeps every pixel on its own: sharper between regions that move
        differently, more sensitive to noise.
    chroma : {"pass", "magnify"}
        RGB frames: "pass" changes the luma only, the chroma stays where it is; "magnify" treats
        luma and both chroma signals alike, each with its own phases.
    envelope : bool
        Apply the operator to the amplitudes too and multiply their variation by the same
        factor. The phase alone leaves the outline of a wave packet behind: on fine irregular
        texture the motion gained falls short by 4 to 12 %. With the envelope (and ``sigma=0``)
        it is right to first order, but noise is multiplied as in the linear method.
    padding : int
        Mirrored border on each side, px.
    device : str, torch.device or None
        Where to compute; a CUDA GPU if there is one when None.
    dtype : {"float32", "float64"} or torch.dtype
        Precision of the computation.
    max_bytes : int
        Memory for spectra of frames, and again for subbands. Where an output
        frame needs more frames than that, they are processed in chunks.

    Raises
    ------
    ValueError
        If an option is not one of the above.

    Notes
    -----
    A subband carries shifts up to a fraction of its wavelength l: l/4 for octave, l/2 for the
    narrower designs. Beyond that structures break into copies; `magnify` warns with the number.

    References
    ----------
    .. [1] N. Wadhwa, M. Rubinstein, F. Durand, W. T. Freeman, "Phase-based video motion
       processing", ACM Trans. Graph. 32(4), 2013.
    """

    device: str | torch.device | None = None
    dtype: str | torch.dtype = "float32"
    decomposition = _SteerablePhases
