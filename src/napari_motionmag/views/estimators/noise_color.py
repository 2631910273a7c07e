"""Noise in residuals of consecutive frames, and its correlation between pixels.

Cameras with on-board processing, compressed and resampled movies have noise that is correlated
between pixels. A sum over many pixels is then noisier than independent pixels make it.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from napari_motionmag.views.estimators.noise_model import NoiseModel, fit_variance, freedom_of
from napari_motionmag.views.estimators.registration import Template

_REACH = 12  # px: correlations over larger distances are taken for structure, not noise
_FEWEST = 8  # pictures of noise, below which correlation may be chance
_SURE = 2.5  # standard errors from which a factor is believed


class ResidualNoise:
    """Noise of the pixels from differences between residuals of consecutive frames."""

    def __init__(self, template: Template):
        self._template, self._last = template, (-2, None)
        self._squares, self._starts = np.zeros_like(template.value), []
        height, width = template.value.shape
        least = 2 * _REACH + 1
        self._size = [next_fast_len(max(n + _REACH, least), real=True) for n in (height, width)]
        self._mask = template.mask.astype(float)
        pairs = self._correlation(self._mask)
        scores = [self._correlation(part) for part in template.steepest]
        # how often each distance between two pixels counts in the variance of the score
        share = np.array([score / np.maximum(pairs, 1) for score in scores])
        share[:, pairs < 0.5] = 0
        self._share = share
        self._pairs = pairs
        taps = template.kernel.rest[0]
        own = np.convolve(taps, taps)[len(taps) - 1 - _REACH : len(taps) + _REACH]
        self._white = np.outer(own, own) / own[_REACH] ** 2
        self._found: list[np.ndarray] = []
        self._levels: list[float] = []

    def add(self, t: int, residual: np.ndarray) -> None:
        """Add the low-passed residual of a frame; frames come in order."""
        before, other = self._last
        self._last = t, residual
        if before != t - 1:
            return
        difference = residual - other
        self._squares += difference**2
        self._starts.append(before)
        correlation = self._correlation(difference * self._mask)
        self._found.append(np.einsum("iyx,yx->i", self._share, correlation))
        self._levels.append(correlation[_REACH, _REACH] / self._pairs[_REACH, _REACH])

    def model(self, floor: float) -> NoiseModel:
        """Fit the noise of single pixels, smoothing and fitted shifts allowed for."""
        mask, power = self._template.mask, self._template.kernel.power
        freedom = mask.sum() * power**2
        variance = self._squares[mask] / (2 * len(self._starts) * power**2)
        variance *= freedom / max(freedom - 2, 1)
        levels = self._template.value[mask]
        return fit_variance(levels, variance, freedom_of(self._starts), None, floor)

    def color(self) -> np.ndarray:
        """Return the variance of the score along y, x over that of white noise; 1 by chance."""
        if len(self._found) < _FEWEST:
            return np.ones(2)
        expected = np.einsum("iyx,yx->i", self._share * self._pairs, self._white)
        found = np.array(self._found) / expected
        level = np.mean(self._levels)
        if not level > 0:
            return np.ones(2)
        factor = found.mean(axis=0) / level
        # consecutive differences share a frame, hence the 1.5
        error = (found / level).std(axis=0) * np.sqrt(1.5 / len(found))
        return np.where(np.abs(factor - 1) > _SURE * error, np.maximum(factor, 0.25), 1.0)

    def _correlation(self, picture: np.ndarray) -> np.ndarray:
        """Return sums of products of pixels at distances of -12 to 12 px, shape (25, 25)."""
        spectrum = rfft2(picture, self._size)
        whole = irfft2(np.abs(spectrum) ** 2, self._size)
        return np.roll(whole, (_REACH, _REACH), (0, 1))[: 2 * _REACH + 1, : 2 * _REACH + 1]
