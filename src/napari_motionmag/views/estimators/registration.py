"""Sub-pixel translation of a piece of a frame, with its error.

Least squares with the gradient of the reference (inverse compositional Gauss-Newton). With I(p) the
frame, R the reference, G its gradient, all low-passed by one band-limited kernel, and w = 1 /
variance,

    d <- d - H^-1 sum w G (I(p + d) - R(p)).

Noise of the reference is in G too. What that does on average is known and taken out: ``sum w G G``
overestimates H, and ``sum w G n`` has a mean where the noise varies over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from napari_motionmag.views.estimators.band_kernel import BandKernel, Sampler, smear
from napari_motionmag.views.estimators.noise_model import NoiseModel

_STEPS = 30
_CONVERGED = 1e-4  # px; the next step would be several times smaller
_LONGEST_STEP = 1.0  # px; beyond, the linear model does not hold
_WEAKEST = 0.002  # structure along an edge, as a share of that across it, that can be used
_UNDETERMINED = 0.5  # px: a direction known no better than this is not measured


@dataclass
class Template:
    """A reference to register to, and what noise does to the registration.

    Parameters
    ----------
    value : ndarray, shape (h, w)
        Reference, low-passed by `kernel`.
    gradient : ndarray, shape (2, h, w)
        Its derivatives, grey levels per px.
    mask : ndarray of bool, shape (h, w)
    kernel : BandKernel
    noise : NoiseModel or None
        None weights all pixels alike and takes nothing out.
    copies : float
        How many frames were averaged for the reference.
    brightness : bool
        Allow for a gain and an offset between frame and reference.
    """

    value: np.ndarray
    gradient: np.ndarray
    mask: np.ndarray
    kernel: BandKernel
    noise: NoiseModel | None
    copies: float
    brightness: bool
    weight: np.ndarray = field(init=False)
    steepest: np.ndarray = field(init=False)  # w G, without what brightness explains
    hessian: np.ndarray = field(init=False)  # 2 x 2, noise taken out
    pull: np.ndarray = field(init=False)  # mean of sum w G n for n of the reference
    axes: np.ndarray = field(init=False)  # directions that are determined, (k, 2)

    def __post_init__(self):
        variance = np.ones_like(self.value)
        if self.noise is not None:
            # weights that follow the noise of the reference would be a bias: smoothed
            smooth = self.value if self.copies >= 16 else gaussian_filter(self.value, 2.0)
            variance = self.noise.variance(smooth)
        self._variance = variance
        self.weight = self.mask / variance
        self._fits = self._brightness_columns()
        self.steepest = np.stack([self.weight * self.without_brightness(g) for g in self.gradient])
        raw = np.einsum("ihw,jhw->ij", self.steepest, self.gradient)
        raw = (raw + raw.T) / 2
        k, s = self.kernel.rest
        self.hessian, self.pull = raw, np.zeros(2)
        if self.noise is not None:
            total = (self.weight * self.noise.variance(self.value)).sum() / self.copies
            self.hessian = raw - np.eye(2) * total * (s**2).sum() * (k**2).sum()
            self.pull = 0.5 * np.array(
                [(self.weight * slope).sum() for slope in self._variance_slopes()]
            )
            self.pull *= self.kernel.power**2 / self.copies
        self._reach = self._spread()
        self.axes = self._determined(raw)

    def _variance_slopes(self) -> np.ndarray:
        limits = self.noise.variance(self.value) > self.noise.floor
        return self.noise.b * self.gradient * limits

    def _brightness_columns(self) -> np.ndarray:
        """Orthonormal (under w) pictures that a change in brightness adds."""
        if not self.brightness:
            return np.zeros((0, *self.value.shape))
        columns = []
        for picture in (np.ones_like(self.value), self.value):
            rest = picture.astype(float)
            for known in columns:
                rest = rest - (self.weight * known * rest).sum() * known
            size = np.sqrt((self.weight * rest**2).sum())
            if size > 1e-9 * np.sqrt((self.weight * picture**2).sum()):
                columns.append(rest / size)
        return np.array(columns)

    def with_noise(self, noise: NoiseModel) -> Template:
        """The same reference with another model of the noise."""
        return replace(self, noise=noise)

    def without_brightness(self, picture: np.ndarray) -> np.ndarray:
        """A picture without what a change in brightness explains of it."""
        for known in self._fits:
            picture = picture - (self.weight * known * picture).sum() * known
        return picture

    def _spread(self) -> np.ndarray:
        """The pixels that make ``sum w G I``: shape (2, h + 16, w + 16)."""
        taps = self.kernel.rest[0]
        return np.stack([smear(part, taps, taps) for part in self.steepest])

    def score_covariance(self, variance: np.ndarray) -> np.ndarray:
        """Covariance of ``sum w G n`` for a variance per pixel, shape (h + 16, w + 16), or one."""
        return np.einsum("ihw,jhw,hw->ij", self._reach, self._reach, variance)

    def _determined(self, raw: np.ndarray) -> np.ndarray:
        """Directions in which the reference tells the displacement."""
        values, vectors = np.linalg.eigh(self.hessian)
        if self.noise is None:
            rounding = self.mask.sum() * (1e-9 * np.abs(self.value).max()) ** 2
            return vectors.T[(values > _WEAKEST * values[-1]) & (values > rounding)]
        margin = (_BORDER, _BORDER)
        variance = np.pad(self._variance, (margin, margin), mode="edge")
        spread = self.score_covariance(variance)
        good = []
        for value, vector in zip(values, vectors.T, strict=True):
            error = np.sqrt(max(vector @ spread @ vector, 0.0))
            good.append(value > _WEAKEST * values[-1] and error / value < _UNDETERMINED)
        return vectors.T[good]

    @cached_property
    def inverse(self) -> np.ndarray:
        """Inverse of the Hessian within the determined directions."""
        out = np.zeros((2, 2))
        if len(self.axes):
            inner = self.axes @ self.hessian @ self.axes.T
            out = self.axes.T @ np.linalg.inv(inner) @ self.axes
        return out

    def frame_covariance(self, variance: np.ndarray) -> np.ndarray:
        """Covariance (2, 2) of the displacement from the noise of the frame, px^2."""
        return self.inverse @ self.score_covariance(variance) @ self.inverse

    def reference_covariance(self, variance: np.ndarray) -> np.ndarray:
        """Covariance (2, 2) from the noise of the reference: the same error in all frames."""
        k, s = self.kernel.rest
        # the measured gradient holds noise, which makes the score covariance of a frame larger,
        # but not that of the reference
        taps = np.convolve(k, k), np.convolve(k, s)
        extra = (taps[0] ** 2).sum() * (taps[1] ** 2).sum()
        excess = extra * self.mask.sum() / self.copies
        score = self.score_covariance(variance) - np.eye(2) * excess
        values, vectors = np.linalg.eigh(score)
        score = (vectors * np.maximum(values, 0)) @ vectors.T
        return self.inverse @ score @ self.inverse / self.copies


_BORDER = BandKernel.half


@dataclass
class Registered:
    """Where a frame was found.

    Attributes
    ----------
    shift : ndarray, shape (2,)
        Displacement (dy, dx), px.
    residual : ndarray, shape (h, w)
        Frame - reference after alignment (and brightness), grey levels, low-passed.
    converged : bool
    """

    shift: np.ndarray
    residual: np.ndarray
    converged: bool


def register(
    picture: np.ndarray,
    template: Template,
    sampler: Sampler,
    start: np.ndarray,
    reach: float,
    own: bool = False,
) -> Registered:
    """Find the displacement of a frame.

    Parameters
    ----------
    picture : ndarray
        The frame, or the part of it that `sampler` refers to.
    template : Template
    sampler : Sampler
    start : ndarray, shape (2,)
        First guess (dy, dx), px.
    reach : float
        Largest displacement along y and x, px.
    own : bool
        Whether the frame is one of those averaged for the reference. Its noise then cancels the
        mean of ``sum w G n``.
    """
    shift = template.axes.T @ (template.axes @ np.asarray(start, float))
    inverse = template.inverse
    pull = 0.0 if own else template.pull
    converged = False
    for _ in range(_STEPS):
        residual = sampler.value(picture, shift, template.kernel) - template.value
        score = np.einsum("ihw,hw->i", template.steepest, residual)
        step = -inverse @ (score + pull)
        length = np.hypot(*step)
        if length > _LONGEST_STEP:
            step *= _LONGEST_STEP / length
        shift = np.clip(shift + step, -reach, reach)
        if length < _CONVERGED:
            converged = True
            break
    residual = template.without_brightness(residual)
    return Registered(shift, residual, converged)


def search(picture: np.ndarray, template: Template, sampler: Sampler, reach: int) -> np.ndarray:
    """Find the displacement in whole pixels that leaves the least squares.

    Returns
    -------
    ndarray, shape (2,)
    """
    part = sampler.cut(picture, (0, 0), reach)
    level = template.value[template.mask].mean()
    part = part - level
    weight = template.weight
    flipped = (slice(None, None, -1),) * 2
    squares = fftconvolve(part**2, weight[flipped], mode="valid")
    products = fftconvolve(part, (weight * (template.value - level))[flipped], mode="valid")
    cost = squares - 2 * products
    best = np.unravel_index(np.argmin(cost), cost.shape)
    return np.array(best, float) - reach
