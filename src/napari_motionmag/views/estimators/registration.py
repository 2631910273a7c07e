"""Sub-pixel translation of a piece of a frame, with its error.

Least squares with the gradient of the reference (inverse compositional Gauss-Newton). With I(p) the
frame, R the reference, G its gradient, all low-passed by one band-limited kernel, and w = 1 /
variance,

    d <- d - H^-1 sum w G (I(p + d) - R(p)).

Noise of the reference is in G too. Its mean effect is known and removed: ``sum w G G``
overestimates H, and ``sum w G n`` has a mean where the noise varies over the picture.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

from napari_motionmag.views.estimators.band_kernel import BandKernel, Sampler, smear
from napari_motionmag.views.estimators.noise_model import NoiseModel

_STEPS = 30
_CONVERGED = 1e-4  # px; the next step would be several times smaller
_LONGEST_STEP = 1.0  # px; beyond, the linear model does not hold
_WEAKEST = 0.002  # structure along an edge, as a share of that across it, that can be used
_UNDETERMINED = 0.5  # px: a direction known no better than this is not measured


class Template:
    """A reference to register to, and the effect of noise on the registration.

    `value` (h, w) and `gradient` (2, h, w) are the mean of `copies` frames and its derivatives,
    low-passed by `kernel`. `noise` None weights all pixels alike and takes nothing out.
    `brightness` allows for a gain and an offset between frame and reference.
    """

    def __init__(self, value, gradient, mask, kernel: BandKernel, noise, copies, brightness):
        self.value, self.gradient, self.mask, self.kernel = value, gradient, mask, kernel
        self.noise: NoiseModel | None = noise
        self.copies, self.brightness = copies, brightness
        self._variance = np.ones_like(value)
        if noise is not None:
            # weights that follow the noise of the reference would be a bias: smoothed
            self._variance = noise.variance(value if copies >= 16 else gaussian_filter(value, 2.0))
        self.weight = mask / self._variance
        self._fits = self._brightness_columns()
        self.steepest = np.stack([self.weight * self.without_brightness(g) for g in gradient])
        raw = np.einsum("ihw,jhw->ij", self.steepest, gradient)
        self.hessian = (raw + raw.T) / 2  # noise taken out below
        self.pull = np.zeros(2)  # mean of sum w G n for n of the reference
        if noise is not None:
            k, s = kernel.rest
            total = (self.weight * noise.variance(value)).sum() / copies
            self.hessian -= np.eye(2) * total * (s**2).sum() * (k**2).sum()
            slopes = noise.b * gradient * (noise.variance(value) > noise.floor)
            self.pull = 0.5 * (self.weight * slopes).sum(axis=(1, 2)) * kernel.power**2 / copies
        taps = kernel.rest[0]
        # the pixels that make sum w G I, (2, h + 16, w + 16)
        self._reach = np.stack([smear(part, taps, taps) for part in self.steepest])
        self.axes = self._determined()  # directions that are determined, (k, 2)

    def _brightness_columns(self) -> np.ndarray:
        """Return orthonormal (under w) pictures that a change in brightness adds."""
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

    @cached_property
    def _contrast(self) -> np.ndarray:
        return self.weight * (self.value - np.average(self.value, weights=self.weight))

    @property
    def energy(self) -> float:
        """Sum of squares of the contrast, weighted as residuals are."""
        return float((self._contrast * self.value).sum())

    @property
    def gain_variance(self) -> float:
        """Variance of :meth:`gain` from the noise of a frame."""
        return 1 / max(self.energy, 1e-300)

    def gain(self, residual: np.ndarray) -> float:
        """Return the change in contrast that a residual shows, as a share of it."""
        return float((self._contrast * residual).sum()) * self.gain_variance

    def changed(self, *, mask: np.ndarray | None = None, noise: NoiseModel | None = None):
        """Return the same reference in another region, (h, w), or with another model of noise."""
        mask = self.mask if mask is None else mask
        noise = self.noise if noise is None else noise
        return Template(
            self.value, self.gradient, mask, self.kernel, noise, self.copies, self.brightness
        )

    def without_brightness(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture without the part that a change in brightness explains."""
        for known in self._fits:
            picture = picture - (self.weight * known * picture).sum() * known
        return picture

    def score_covariance(self, variance: np.ndarray) -> np.ndarray:
        """Return the covariance of ``sum w G n`` for the variance of pixels, (h + 16, w + 16)."""
        return np.einsum("ihw,jhw,hw->ij", self._reach, self._reach, variance)

    def _determined(self) -> np.ndarray:
        """Return directions in which the reference determines the displacement."""
        values, vectors = np.linalg.eigh(self.hessian)
        if self.noise is None:
            rounding = self.mask.sum() * (1e-9 * np.abs(self.value).max()) ** 2
            return vectors.T[(values > _WEAKEST * values[-1]) & (values > rounding)]
        spread = self.score_covariance(np.pad(self._variance, BandKernel.half, mode="edge"))
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
        """Return the covariance (2, 2) of the displacement from the noise of the frame, px^2."""
        return self.inverse @ self.score_covariance(variance) @ self.inverse

    def reference_covariance(self, variance: np.ndarray) -> np.ndarray:
        """Return the covariance (2, 2) from the noise of the reference, the same in all frames."""
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


class Registered(NamedTuple):
    """Displacement (dy, dx) in px, and the low-passed frame - reference after alignment."""

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
    """Find the displacement of a frame, up to `reach` px along y and x, from a first guess.

    `own`: the frame is one of those averaged for the reference; its noise then cancels the mean of
    ``sum w G n``.
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
    """Find the displacement (2,) in whole pixels that leaves the least squares."""
    part = sampler.cut(picture, (0, 0), reach)
    level = template.value[template.mask].mean()
    part = part - level
    # sums of squares at all displacements, as far as these differ, by correlation
    shape = [next_fast_len(size, real=True) for size in part.shape]
    squares = rfft2(part**2, shape) * rfft2(template.weight, shape).conj()
    products = rfft2(part, shape) * rfft2(template.weight * (template.value - level), shape).conj()
    cost = irfft2(squares - 2 * products, shape)[: 2 * reach + 1, : 2 * reach + 1]
    best = np.unravel_index(np.argmin(cost), cost.shape)
    return np.array(best, float) - reach
