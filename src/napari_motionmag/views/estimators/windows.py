"""Sums over windows that cover the frame, and the displacement that each window shows."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from napari_motionmag.views.estimators.band_kernel import BandKernel, Sampler, smear
from napari_motionmag.views.estimators.noise_model import NoiseModel

UNDETERMINED = 0.5  # px: a direction known no better than this in one frame is not measured
# structure along an edge, as a share of that across it, below which a bend or a tilt of the edge
# would be taken for motion along it
_WEAKEST = 0.02
_LEFT = 0.1  # share of the information about light that motion must leave
# share of the information about light below which motion and light are not told apart
_INSEPARABLE = 1e-6
_LIT = 12.0  # chi-squared from which a change of light is believed; chance exceeds it rarely
_NEAR = 0.02  # px: displacements up to this are small enough for a linear estimate
_WARP = 0.1  # px: displacements above this are refined by warping
_LEAST = 1e-60  # gray levels squared, for pictures that are zero everywhere
_BORDER = 3  # px at the border of the frame, where the gradient is not known, are left out


class Windows:
    """Square windows of `window` px every `step` px; centers `y` and `x`, px."""

    def __init__(self, shape: tuple[int, int], window: int, step: int):
        self.frame = shape
        self.window, self.step = window, step
        first = [self._starts(size) for size in shape]
        self.y, self.x = (starts + (window - 1) / 2 for starts in first)
        self._rows, self._columns = (
            self._members(starts, size) for starts, size in zip(first, shape, strict=True)
        )
        self._between = _linear(self.y, shape[0]), _linear(self.x, shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of windows along y and x."""
        return len(self.y), len(self.x)

    def sum(self, picture: np.ndarray) -> np.ndarray:
        """Sum of a picture (..., Y, X) over each window, shape (..., gy, gx)."""
        return self._rows @ picture @ self._columns.T

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate values at the windows (..., gy, gx) to every pixel, linearly."""
        return self._between[0] @ values @ self._between[1].T

    def _starts(self, size: int) -> np.ndarray:
        count = (size - self.window) // self.step + 1
        # what does not divide is left out evenly on both sides
        return np.arange(count) * self.step + (size - self.window - (count - 1) * self.step) // 2

    def _members(self, starts: np.ndarray, size: int) -> np.ndarray:
        pixel = np.arange(size)
        after = pixel - starts[:, np.newaxis]
        return ((after >= 0) & (after < self.window)).astype(float)


def _linear(centers: np.ndarray, size: int) -> np.ndarray:
    """Return weights of values at the centers for every pixel."""
    pixel = np.arange(size, dtype=float)
    return np.stack([np.interp(pixel, centers, unit) for unit in np.eye(len(centers))], axis=1)


class WindowedDisplacement:
    """Displacement of every window by least squares against the mean of `copies` frames.

    A change of light, one gain and one offset for the whole frame, is taken out where it stands
    out from what differs between windows, and as far as it differs from motion. With
    `local_light`, each window has a gain and an offset of its own in every frame, which may be
    tilted; this costs precision. `covariance` (gy, gx, 2, 2) is that of one frame, px^2, 0 along
    directions that are not determined; `directions` (gy, gx) is the number of those that are.
    """

    def __init__(
        self,
        mean,
        copies: int,
        windows: Windows,
        noise: NoiseModel,
        kernel: BandKernel,
        local_light: bool = False,
    ):
        self.windows, self.kernel = windows, kernel
        self.tolerance = _WARP * (0.1 if local_light else 0.01)
        height, width = mean.shape
        self._sampler = Sampler(slice(0, height), slice(0, width))
        self._mean = self._sampler.value(mean, (0, 0), kernel)
        gradient = self._sampler.gradient(mean, (0, 0), kernel)
        variance = np.maximum(noise.variance(self._mean), _LEAST)
        weight = np.zeros_like(mean)
        weight[_BORDER:-_BORDER, _BORDER:-_BORDER] = 1
        weight /= variance
        self._gradient, self._steepest = gradient, weight * gradient
        k, s = kernel.rest
        hessian = self._products(self._steepest, gradient)
        excess = windows.sum(weight * variance) / copies * (s**2).sum() * (k**2).sum()
        hessian -= excess[..., np.newaxis, np.newaxis] * np.eye(2)
        inner = slice(BandKernel.half, -BandKernel.half)
        reach = np.stack([smear(part, k, k)[inner, inner] for part in self._steepest])
        score = self._products(reach, reach * variance)
        self._inverse, self.directions = _inverted(hessian, score)
        self.covariance = self._inverse @ score @ self._inverse
        centered = self._mean - np.average(self._mean, weights=weight)
        spread = np.sqrt(np.average(centered**2, weights=weight))
        light = np.stack([np.ones_like(mean), centered / (spread or 1.0)])
        if local_light:  # which may be another at each end of a window
            y, x = (np.linspace(-1, 1, size) for size in mean.shape)
            tilts = (1.0, y[:, np.newaxis], x)
            light = np.stack([part * tilt for part in light for tilt in tilts])
        self._light = weight * light
        self._mixed = self._products(self._steepest, light)  # of motion and light
        whole = self._products(self._light, light)
        # what is left to determine the light, by windows, when each may move
        self._left = whole - np.swapaxes(self._mixed, -1, -2) @ self._inverse @ self._mixed
        self._by_window = None
        if local_light:
            self._separate_light(whole)
            return
        values, vectors = np.linalg.eigh(self._left.sum(axis=(0, 1)))
        used = values > _LEFT * np.trace(whole.sum(axis=(0, 1))) / 2
        self._light_inverse = vectors[:, used] / values[used] @ vectors[:, used].T

    def _separate_light(self, whole: np.ndarray) -> None:
        """Leave to motion, in each window, only what no change of its light would do."""
        least = _INSEPARABLE * np.trace(whole, axis1=-2, axis2=-1)[..., np.newaxis, np.newaxis]
        self._by_window = np.linalg.inv(
            self._left + np.maximum(least, _LEAST) * np.eye(self._left.shape[-1])
        )
        response = self._inverse @ self._mixed
        added = response @ self._by_window @ np.swapaxes(response, -1, -2)
        correlated = np.trace(self.covariance, axis1=-2, axis2=-1) / np.maximum(
            np.trace(self._inverse, axis1=-2, axis2=-1), _LEAST
        )
        self.covariance = self.covariance + added * correlated[..., np.newaxis, np.newaxis]
        values, vectors = np.linalg.eigh(self.covariance)
        good = (values > 0) & (values < UNDETERMINED**2)
        self.directions = np.minimum(self.directions, good.sum(axis=-1))
        keep = np.einsum("yxik,yxk,yxjk->yxij", vectors, good, vectors)
        self._inverse, self.covariance = keep @ self._inverse, keep @ self.covariance @ keep

    def _products(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        parts = [[self.windows.sum(a * b) for b in second] for a in first]
        return np.moveaxis(np.array(parts), (0, 1), (-2, -1))

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Return (dy, dx) of each window, shape (gy, gx, 2), px; 0 where undetermined."""
        smooth = self._sampler.value(frame, (0, 0), self.kernel)
        moved = self._step(smooth)
        if np.abs(moved).max(initial=0) < _WARP:
            return moved
        coefficients = spline_filter(smooth.astype(np.float32), 3, np.float32)
        places = np.indices(frame.shape, dtype=np.float32)
        for _ in range(3):
            field = self.windows.spread(np.moveaxis(moved, -1, 0)).astype(np.float32)
            far = np.abs(field).max(axis=0) > _NEAR
            field *= far
            warped, box = smooth.copy(), _box(far)
            warped[box] = map_coordinates(
                coefficients,
                places[:, *box] + field[:, *box],
                order=3,
                mode="nearest",
                prefilter=False,
            )
            # what the warp removed is added again, so that no window sees its neighbors' noise
            again = self._step(warped - (self._gradient * field).sum(axis=0))
            change, moved = np.abs(again - moved).max(), again
            if change < self.tolerance:
                break
        return moved

    def _step(self, picture: np.ndarray) -> np.ndarray:
        residual = picture - self._mean
        score, light = (
            np.moveaxis(self.windows.sum(part * residual), 0, -1)[..., np.newaxis]
            for part in (self._steepest, self._light)
        )
        light -= np.swapaxes(self._mixed, -1, -2) @ self._inverse @ score
        if self._by_window is not None:
            return -(self._inverse @ (score - self._mixed @ (self._by_window @ light)))[..., 0]
        change = self._light_inverse @ light.sum(axis=(0, 1))
        rest = light - self._left @ change  # differs between windows: it is not the lamp
        left = self._left.sum(axis=(0, 1))
        overlap = (self.windows.window / self.windows.step) ** 2  # windows that share a pixel
        spread = overlap * ((rest @ np.swapaxes(rest, -1, -2)).sum(axis=(0, 1)) + left)
        seen = left @ change
        if (seen.T @ np.linalg.pinv(spread) @ seen).item() > _LIT:
            score -= self._mixed @ change
        return -(self._inverse @ score)[..., 0]


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest rectangle around what is True."""
    sides = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return tuple(slice(side[0], side[-1] + 1) if side.size else slice(0) for side in sides)


def _inverted(hessian: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse within the determined directions, and their number."""
    values, vectors = np.linalg.eigh(hessian)
    along = np.einsum("yxik,yxij,yxjk->yxk", vectors, score, vectors)
    good = values > _WEAKEST * values[..., -1:]
    good &= values > 0
    error = np.sqrt(np.maximum(along, 0)) / np.where(good, values, 1)
    good &= error < UNDETERMINED
    inverse = np.where(good, 1 / np.where(good, values, 1), 0.0)
    return np.einsum("yxik,yxk,yxjk->yxij", vectors, inverse, vectors), good.sum(axis=-1)
