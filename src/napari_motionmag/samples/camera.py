"""Cameras: electrons, read noise, offset, whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A linear camera with photon and read noise.

    `white` does not change with `photons`: fewer photons are amplified more, so that the picture
    is as bright and noisier.
    """

    photons: float  # mean number of detected photons (electrons) in a pixel at intensity 1
    white: float  # gray levels above `offset` at intensity 1
    offset: float  # gray levels in the dark
    read_noise: float  # standard deviation of the read noise, electrons
    dtype: str  # of the frames: an integer type, or a float type for what is not rounded

    @property
    def gain(self) -> float:
        """Gray levels per electron: the slope of variance against mean."""
        return self.white / self.photons

    def mean(self, intensity: np.ndarray) -> np.ndarray:
        """Return the expected gray levels of an intensity (float64, not rounded)."""
        return self.offset + self.white * intensity

    def expose(self, intensity: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Expose a frame, in gray levels; without noise when `rng` is None.

        Integers are rounded and clipped to the range of the type; floats are neither.
        """
        dtype = np.dtype(self.dtype)
        if rng is None:
            levels = self.mean(intensity)
        else:
            levels = self.gain * rng.poisson(self.photons * np.maximum(intensity, 0.0))
            levels += self.offset
            levels += self.gain * self.read_noise * rng.standard_normal(levels.shape)
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            levels = np.clip(np.rint(levels), limits.min, limits.max)
        return levels.astype(dtype)
