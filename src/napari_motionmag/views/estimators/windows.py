"""Sums over windows that cover the frame, and the displacement that each window shows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from napari_motionmag.movie.intensity import working_dtype
from napari_motionmag.views.estimators.band_kernel import BandKernel, LowPass, Sampler, smear
from napari_motionmag.views.estimators.noise_model import NoiseModel

UNDETERMINED = 0.5  # px: a direction known no better than this in one frame is not measured
# structure along an edge, as a share of that across it, below which a bend or a tilt of the edge
# would be taken for motion along it
_WEAKEST = 0.02
_LEFT = 0.1  # share of the information about light that motion must leave
# share of the information about light below which motion and light are not told apart
_INSEPARABLE = 1e-6
_LIT = 12.0  # chi-squared from which a change of light is believed; chance exceeds it rarely
_NEAR = 0.05  # px: displacements up to this are small enough for a linear estimate
_NOISY = 0.2  # px: up to this, so are those below twice their noise
_ROUNDS = 3  # in which larger ones are refined
_PARTS = 16  # of a pixel, to which the places are rounded where windows look
_FARTHEST = 16  # px, from which windows look displaced at most
_MARGIN = BandKernel.half + _FARTHEST
_TOGETHER = 32  # windows that are refined together: they stay in the processor's cache
_LEAST = 1e-60  # for pictures that are zero everywhere
_BORDER = 3  # px at the border of the frame, where the gradient is not known, are left out


class Windows:
    """Square windows of `window` px every `step` px; centers `y` and `x`, px."""

    def __init__(self, shape: tuple[int, int], window: int, step: int):
        self.frame = shape
        self.window, self.step = window, step
        self.corners = [self._starts(size) for size in shape]
        self.y, self.x = (starts + (window - 1) / 2 for starts in self.corners)
        self._rows, self._columns = (
            self._members(starts, np.arange(size))
            for starts, size in zip(self.corners, shape, strict=True)
        )
        # from each edge of a window to the next, no matter of which window
        self._edges = [np.unique([starts, starts + window]) for starts in self.corners]
        self._between_edges = [
            self._members(starts, edges[:-1])
            for starts, edges in zip(self.corners, self._edges, strict=True)
        ]
        self._between = _linear(self.y, shape[0]), _linear(self.x, shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of windows along y and x."""
        return len(self.y), len(self.x)

    def sum(self, picture: np.ndarray) -> np.ndarray:
        """Sum of a picture (..., Y, X) over each window, shape (..., gy, gx)."""
        return self._rows @ picture @ self._columns.T

    def products(self, pictures: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """Sum products of pictures (K, Y, X) with one picture (Y, X) over windows, (K, gy, gx)."""
        (rows, columns), (y, x) = self._between_edges, self._edges
        sums = np.empty((len(pictures), len(y) - 1, self.frame[1]), pictures.dtype)
        for k, (top, bottom) in enumerate(pairwise(y)):
            np.einsum("chw,hw->cw", pictures[:, top:bottom], picture[top:bottom], out=sums[:, k])
        sums = np.add.reduceat(sums[..., : x[-1]], x[:-1], axis=-1).astype(np.float64)
        return rows @ sums @ columns.T

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate values at the windows (..., gy, gx) to every pixel, linearly."""
        return self._between[0] @ values @ self._between[1].T

    def _starts(self, size: int) -> np.ndarray:
        count = (size - self.window) // self.step + 1
        # what does not divide is left out evenly on both sides
        return np.arange(count) * self.step + (size - self.window - (count - 1) * self.step) // 2

    def _members(self, starts: np.ndarray, pixel: np.ndarray) -> np.ndarray:
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
        height, width = mean.shape
        sampler = Sampler(slice(0, height), slice(0, width))
        smooth = sampler.value(mean, (0, 0), kernel)
        gradient = sampler.gradient(mean, (0, 0), kernel)
        self._unit = _unit_of(smooth)
        variance = np.maximum(noise.variance(smooth), _LEAST * self._unit**2)
        weight = np.zeros_like(mean)
        weight[_BORDER:-_BORDER, _BORDER:-_BORDER] = 1
        weight /= variance
        steepest = weight * gradient
        k, s = kernel.rest
        hessian = self._products(steepest, gradient)
        excess = windows.sum(weight * variance) / copies * (s**2).sum() * (k**2).sum()
        hessian -= excess[..., np.newaxis, np.newaxis] * np.eye(2)
        inner = slice(BandKernel.half, -BandKernel.half)
        reach = np.stack([smear(part, k, k)[inner, inner] for part in steepest])
        score = self._products(reach, reach * variance)
        self._inverse, self.directions = _inverted(hessian, score)
        self.covariance = self._inverse @ score @ self._inverse
        self._level = np.float32(np.average(smooth, weights=weight))
        centered = smooth - self._level
        light = _changes_of_light(centered, weight, local_light)
        self._mixed = self._products(steepest, light)  # of motion and light
        whole = self._products(weight * light, light)
        # what is left to determine the light, by windows, when each may move
        self._left = whole - np.swapaxes(self._mixed, -1, -2) @ self._inverse @ self._mixed
        self._by_window = None
        if local_light:
            self._separate_light(whole)
        else:
            values, vectors = np.linalg.eigh(self._left.sum(axis=(0, 1)))
            used = values > _LEFT * np.trace(whole.sum(axis=(0, 1))) / 2
            self._light_inverse = vectors[:, used] / values[used] @ vectors[:, used].T
        self._seen_as_light = np.swapaxes(self._mixed, -1, -2) @ self._inverse
        noise_of_one = np.sqrt(np.linalg.eigvalsh(self.covariance)[..., -1].clip(0))
        self._near = np.clip(2 * noise_of_one, _NEAR, _NOISY)
        # single precision holds neither squares of tiny intensities nor of huge ones
        strongest, unit = float(weight.max()), self._unit
        self._weight = strongest * np.array([unit**2] * len(steepest) + [unit] * len(light))
        linear = np.concatenate([steepest / unit, weight * light]) / strongest
        self._prepare(centered / unit, linear)

    def _prepare(self, mean: np.ndarray, linear: np.ndarray) -> None:
        """Keep what frames are compared with, in single precision.

        `mean` is the picture around its level, `linear` (K, Y, X) the pictures with which what
        differs from it is multiplied, for weights and intensities of about 1.
        """
        self._low_pass = LowPass(mean.shape, self.kernel)
        self._mean = mean.astype(np.float32, order="C")
        self._linear = linear.astype(np.float32, order="C")
        taps = self.kernel.taps(np.arange(_PARTS + 1) / _PARTS - 0.5).astype(np.float32)
        self._down = _bands(taps, self.windows.window)
        self._across = np.ascontiguousarray(np.swapaxes(self._down, -1, -2))
        square = (self.windows.window, self.windows.window)
        self._means = sliding_window_view(self._mean, square)
        self._linears = sliding_window_view(self._linear, square, axis=(1, 2))

    def _separate_light(self, whole: np.ndarray) -> None:
        """Leave to motion, in each window, only what no change of its light would do."""
        trace = np.maximum(np.trace(whole, axis1=-2, axis2=-1), _LEAST / self._unit**2)
        least = _INSEPARABLE * trace[..., np.newaxis, np.newaxis]
        self._by_window = np.linalg.inv(self._left + least * np.eye(self._left.shape[-1]))
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
        single = frame.dtype == np.float32
        picture = np.subtract(
            frame, self._level, dtype=None if single else working_dtype(frame.dtype)
        )
        picture = np.divide(picture, self._unit, out=picture)
        picture = picture.astype(np.float32, order="C", copy=False)
        residual = self._low_pass(picture) - self._mean
        sums = self._weight * np.moveaxis(self.windows.products(self._linear, residual), 0, -1)
        start = np.zeros((*self.windows.shape, 2))
        moved = self._solved(sums, start)
        around = None
        for near in (self._near, *[2 * self._near] * (_ROUNDS - 1)):
            far = np.abs(moved - start).max(axis=-1) > near
            if not far.any():
                break
            if around is None:
                around = np.pad(picture, _MARGIN, mode="edge")
            start[far] = np.rint(_PARTS * np.clip(moved[far], -_FARTHEST, _FARTHEST)) / _PARTS
            sums[far] = self._weight * self._displaced(around, start[far], np.nonzero(far))
            moved = self._solved(sums, start)
        return moved

    def _displaced(self, picture: np.ndarray, shifts: np.ndarray, places) -> np.ndarray:
        """Return sums over windows that look at the picture displaced, each by its own shift."""
        whole = np.rint(shifts).astype(int)
        part = np.rint(_PARTS * (shifts - whole + 0.5)).astype(int)
        corner = np.stack(
            [corners[k] for corners, k in zip(self.windows.corners, places, strict=True)], axis=1
        )
        index = np.concatenate([corner + whole + _FARTHEST, corner, part], axis=1)
        parts = np.array_split(index, len(index) // _TOGETHER + 1)
        return np.concatenate([self._filtered_sums(picture, part) for part in parts])

    def _filtered_sums(self, picture: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Filter windows, subtract the mean picture, and sum products with the linear pictures."""
        top, left, y, x, down, across = index.T
        wide = self.windows.window + 2 * BandKernel.half
        cut = sliding_window_view(picture, (wide, wide))[top, left]
        residual = self._down[down] @ cut @ self._across[across]
        residual -= self._means[y, x]
        linear = self._linears[:, y, x].reshape(len(self._linear), len(index), 1, -1)
        return (linear @ residual.reshape(len(index), -1, 1))[..., 0, 0].T

    def _solved(self, sums: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return the displacement from sums of residuals that were taken displaced by `start`."""
        score, light = sums[..., :2], sums[..., 2:]  # of motion and of light
        light = light - _times(self._seen_as_light, score)
        if self._by_window is not None:
            score = score - _times(self._mixed, _times(self._by_window, light))
            return start - _times(self._inverse, score)
        change = self._light_inverse @ light.sum(axis=(0, 1))
        rest = light - self._left @ change  # differs between windows: it is not the lamp
        left = self._left.sum(axis=(0, 1))
        overlap = (self.windows.window / self.windows.step) ** 2  # windows that share a pixel
        spread = overlap * (np.einsum("yxi,yxj->ij", rest, rest) + left)
        seen = left @ change
        if seen @ np.linalg.pinv(spread) @ seen > _LIT:
            score = score - self._mixed @ change
        return start - _times(self._inverse, score)


def _unit_of(picture: np.ndarray) -> float:
    """Return a power of two near the spread of intensities, by which rounding does not change."""
    spread = float(picture.std())
    return 2.0 ** round(np.log2(spread)) if spread > 0 else 1.0


def _changes_of_light(centered: np.ndarray, weight: np.ndarray, local: bool) -> np.ndarray:
    """Return pictures (K, Y, X) of an offset and a gain; with `local`, also of their tilts."""
    spread = np.sqrt(np.average(centered**2, weights=weight))
    light = np.stack([np.ones_like(centered), centered / (spread or 1.0)])
    if local:  # which may be another at each end of a window
        y, x = (np.linspace(-1, 1, size) for size in centered.shape)
        light = np.stack([part * tilt for part in light for tilt in (1.0, y[:, np.newaxis], x)])
    return light


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Multiply a matrix and a vector in each window."""
    return np.einsum("yxij,yxj->yxi", matrices, vectors)


def _bands(taps: np.ndarray, size: int) -> np.ndarray:
    """Return matrices that filter, (N, size, size + 16), of taps (N, 17)."""
    out = np.zeros((len(taps), size, size + taps.shape[1] - 1), np.float32)
    n, row, column = out.strides
    diagonals = as_strided(out, (len(taps), size, taps.shape[1]), (n, row + column, column))
    diagonals[...] = taps[:, np.newaxis]
    return out


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
