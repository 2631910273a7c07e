"""The smooth part of a power spectrum, which peaks must stand out from."""

from __future__ import annotations

import numpy as np

_CLIP, _ROUNDS = 3.0, 40


def smooth_background(
    density: np.ndarray, degree: int, used: np.ndarray | None = None, from_top: int = 0
) -> np.ndarray:
    """Fit polynomials in log-log to periodograms (F,) or (F, W), peaks clipped; mean power above 0.

    One of `degree` in the frequency, one of `from_top` in the distance to the highest frequency:
    for noise that alternates from frame to frame. `used`: bins to fit, all but the first two when
    None. Bins of a periodogram have exponential distributions, for which Fisher scoring of the
    mean is iterated least squares with equal weights.
    """
    spectra = density if density.ndim == 2 else density[:, np.newaxis]
    bins = np.arange(len(spectra))
    if used is None:
        used = bins >= min(2, len(bins) - 8)
    low, high = (_standardised(np.log(np.maximum(x, 1.5)), used) for x in (bins, bins[::-1]))
    powers = [low**k for k in range(degree + 1)] + [high**k for k in range(1, from_top + 1)]
    design = np.stack(powers, axis=1)
    inverse = np.linalg.pinv(design[used])
    floor = np.maximum(1e-12 * spectra.max(axis=0), 1e-300)
    parts = inverse @ (np.log(np.maximum(spectra[used], floor)) + np.euler_gamma)
    for _ in range(_ROUNDS):
        fitted = np.exp(np.clip(design[used] @ parts, -600, 600))
        ratio = np.minimum(spectra[used] / fitted, _CLIP) / -np.expm1(-_CLIP)
        step = np.clip(inverse @ (ratio - 1), -1, 1)
        parts += step
        if np.abs(step).max() < 1e-4:
            break
    smooth = np.maximum(np.exp(np.clip(design @ parts, -600, 600)), floor)
    return smooth if density.ndim == 2 else smooth[:, 0]


def _standardised(x: np.ndarray, used: np.ndarray) -> np.ndarray:
    return (x - x[used].mean()) / x[used].std()
