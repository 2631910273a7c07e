"""Band-limited sampling between pixels, with derivatives.

A frame is low-passed and resampled in one step. Because the kernel passes nothing above the
Nyquist frequency, noise has the same variance at every sub-pixel shift. With kernels that do not
(linear, cubic), a registration is drawn towards shifts where interpolation smooths the noise away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.ndimage import correlate1d
from scipy.special import i0, i1

_HALF = 8  # px on either side
_PIXELS = np.arange(-_HALF, _HALF + 1)
_BETA = 6.0  # of the Kaiser window: stop-band below -60 dB
_BLOCK, _STRIP = 32, 160  # px along and across, of which products of matrices are made


@dataclass(frozen=True)
class BandKernel:
    """Kaiser-windowed sinc with gain 1/2 at the cutoff, cycles per px.

    At the largest cutoff, 0.375, the gain is 1 up to 0.26 and below 0.001 from 0.5 on.
    """

    cutoff: float = 0.375
    half = _HALF

    def taps(self, offset) -> np.ndarray:
        """Return weights of pixels -8 to 8 for samples at `offset` px, -0.5 to 0.5; sum 1.

        Shape (..., 17) for offsets of shape (...).
        """
        if np.ndim(offset) == 0:
            return _taps(self, float(offset))
        weights = self._value(_PIXELS - np.asarray(offset)[..., np.newaxis])
        return weights / weights.sum(axis=-1, keepdims=True)

    def slopes(self, offset: float) -> np.ndarray:
        """Return the derivative of :meth:`taps` with respect to `offset`; sum 0."""
        u = _PIXELS - offset
        slopes = -self._slope(u) / self._value(u).sum()
        return slopes - slopes.mean()

    @property
    def power(self) -> float:
        """Sum of squared taps in one dimension: variance of low-passed white noise, per axis."""
        return float((self.rest[0] ** 2).sum())

    @cached_property
    def rest(self) -> tuple[np.ndarray, np.ndarray]:
        """Taps and slopes at offset 0."""
        return self.taps(0.0), self.slopes(0.0)

    def _value(self, u: np.ndarray) -> np.ndarray:
        window = i0(_BETA * np.sqrt(np.maximum(0, 1 - (u / _HALF) ** 2))) / i0(_BETA)
        return np.where(np.abs(u) <= _HALF, np.sinc(2 * self.cutoff * u) * window, 0.0)

    def _slope(self, u: np.ndarray) -> np.ndarray:
        inside = np.sqrt(np.maximum(1e-12, 1 - (u / _HALF) ** 2))
        window = i0(_BETA * inside) / i0(_BETA)
        window_slope = -_BETA * u / _HALF**2 * i1(_BETA * inside) / inside / i0(_BETA)
        x = 2 * np.pi * self.cutoff * np.where(u == 0, 1.0, u)
        sinc_slope = np.where(u == 0, 0.0, (np.cos(x) - np.sin(x) / x) / np.where(u == 0, 1, u))
        slope = sinc_slope * window + np.sinc(2 * self.cutoff * u) * window_slope
        return np.where(np.abs(u) <= _HALF, slope, 0.0)


@lru_cache(maxsize=256)
def _taps(kernel: BandKernel, offset: float) -> np.ndarray:
    weights = kernel._value(_PIXELS - offset)
    weights /= weights.sum()
    weights.flags.writeable = False
    return weights


KERNELS = tuple(BandKernel(cutoff) for cutoff in (0.375, 0.27, 0.19, 0.13))
"""From the sharpest to the smoothest."""


class Sampler:
    """Samples a rectangle of a picture, displaced."""

    def __init__(self, rows: slice, columns: slice):
        self.rows, self.columns = rows, columns

    def cut(self, picture: np.ndarray, shift: tuple[int, int], margin: int) -> np.ndarray:
        """Return the rectangle displaced by whole px, with a margin; the border is repeated."""
        index = []
        for part, n, size in zip((self.rows, self.columns), shift, picture.shape, strict=True):
            first, last = part.start + n - margin, part.stop + n + margin
            inside = first >= 0 and last <= size
            index.append(
                slice(first, last) if inside else np.clip(np.arange(first, last), 0, size - 1)
            )
        return picture[index[0]][:, index[1]]

    def value(self, picture: np.ndarray, shift, kernel: BandKernel) -> np.ndarray:
        """Return the low-passed picture at the pixels of the rectangle + shift (dy, dx)."""
        (ny, fy), (nx, fx) = map(_split, shift)
        part = self.cut(picture, (ny, nx), _HALF)
        return _filtered(part, kernel.taps(fy), kernel.taps(fx))

    def gradient(self, picture: np.ndarray, shift, kernel: BandKernel) -> np.ndarray:
        """Return derivatives of :meth:`value` along y and x, (2, h, w), gray levels per px."""
        (ny, fy), (nx, fx) = map(_split, shift)
        part = self.cut(picture, (ny, nx), _HALF)
        return np.stack(
            [
                _filtered(part, kernel.slopes(fy), kernel.taps(fx)),
                _filtered(part, kernel.taps(fy), kernel.slopes(fx)),
            ]
        )


class LowPass:
    """Low-passes whole pictures in single precision; the border is repeated.

    By products of matrices that are small enough for BLAS to stay in the calling thread: threads
    of its own would wait for those that measure other frames.
    """

    def __init__(self, shape: tuple[int, int], kernel: BandKernel):
        self._shape = shape
        self._down, across = (_blocks(size, kernel.rest[0]) for size in shape)
        self._across = [(to, read, np.ascontiguousarray(part.T)) for to, read, part in across]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Return what :meth:`Sampler.value` gives of the whole picture without displacement."""
        height, width = self._shape
        down, out = np.empty((2, height, width), np.float32)
        for first in range(0, width, _STRIP):
            strip = slice(first, first + _STRIP)
            for to, read, part in self._down:
                np.matmul(part, picture[read, strip], out=down[to, strip])
        for first in range(0, height, _STRIP):
            strip = slice(first, first + _STRIP)
            for to, read, part in self._across:
                np.matmul(down[strip, read], part, out=out[strip, to])
        return out


def _blocks(size: int, taps: np.ndarray) -> list[tuple[slice, slice, np.ndarray]]:
    """Return pixels along a line, those that they are made of, and the weights of these."""
    weights = np.zeros((size, size), np.float32)
    pixel = np.arange(size)
    for k, tap in enumerate(taps):
        np.add.at(weights, (pixel, np.clip(pixel + k - _HALF, 0, size - 1)), np.float32(tap))
    out = []
    for first in range(0, size, _BLOCK):
        to = slice(first, min(first + _BLOCK, size))
        read = slice(max(to.start - _HALF, 0), min(to.stop + _HALF, size))
        out.append((to, read, weights[to, read].copy()))
    return out


def _split(shift: float) -> tuple[int, float]:
    whole = int(np.rint(shift))
    return whole, float(shift) - whole


def _filtered(part: np.ndarray, along_y: np.ndarray, along_x: np.ndarray) -> np.ndarray:
    inner = slice(_HALF, -_HALF)
    down = correlate1d(part, along_y, axis=0, mode="constant")[inner]
    return correlate1d(down, along_x, axis=1, mode="constant")[:, inner]


def smear(part: np.ndarray, along_y: np.ndarray, along_x: np.ndarray) -> np.ndarray:
    """Apply the adjoint of filtering, from a rectangle to the pixels that it is sampled from."""
    padded = np.pad(part, _HALF)
    down = correlate1d(padded, along_y[::-1], axis=0, mode="constant")
    return correlate1d(down, along_x[::-1], axis=1, mode="constant")
