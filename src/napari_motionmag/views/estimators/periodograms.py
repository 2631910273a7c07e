"""Spectra of series over time, as scipy.signal has them; to import that takes half a second."""

from __future__ import annotations

import numpy as np


def without_trend(series: np.ndarray) -> np.ndarray:
    """Return series (T, ...) less the straight line that fits each best."""
    t = np.arange(len(series)) - (len(series) - 1) / 2
    t = t.reshape(-1, *[1] * (series.ndim - 1))
    slope = (t * series).sum(axis=0) / max((t**2).sum(), 1)
    return series - series.mean(axis=0) - t * slope


def periodogram(series: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies, and one-sided power densities (F, ...) of series (T, ...) without trend.

    Tapered by a Hann window. `rate` is that of the samples.
    """
    n = len(series)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    tapered = taper.reshape(-1, *[1] * (series.ndim - 1)) * without_trend(series)
    density = np.abs(np.fft.rfft(tapered, axis=0)) ** 2 / (rate * (taper**2).sum())
    density[1 : (n + 1) // 2] *= 2  # all but 0 and half the rate
    return np.fft.rfftfreq(n, 1 / rate), density
