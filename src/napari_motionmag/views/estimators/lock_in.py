"""The frequency at which windows move, and amplitude and phase there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_PADDING = 4  # bins of a padded spectrum that are a period in the record
_DETERMINED = 0.2  # singular values below this share of the largest are not used


def lock_in(
    selected: np.ndarray,
    covariance: np.ndarray,
    known: np.ndarray,
    rate: float,
    chosen: float | None,
) -> tuple[float, np.ndarray, str | None]:
    """Return frequency, phasors there, and the edge of the band that is too near."""
    n = len(selected)
    if chosen is None:
        chosen = _strongest(selected, covariance, known) * rate
    elif chosen > rate / 2:
        raise ValueError(f"frequency must be within 0..{rate / 2:g} Hz; got {chosen!r}")
    # an offset and a sinusoid, weighted by the window: what is not determined is left out
    angle = 2 * np.pi * chosen / rate * np.arange(n)
    weight = np.sqrt(_taper(n))[:, np.newaxis]
    design = weight * np.stack([np.ones(n), np.cos(angle), -np.sin(angle)], axis=1)
    inverse = np.linalg.pinv(design, rcond=_DETERMINED)
    edge = None
    if np.linalg.matrix_rank(design, tol=_DETERMINED * np.linalg.norm(design, 2)) < 3:
        edge = "zero" if chosen < rate / 4 else "nyquist"
    weights = (inverse[1] + 1j * inverse[2]) * weight[:, 0]
    phasors = np.moveaxis(np.tensordot(weights, selected, axes=1), -1, 0)
    phasors[:, ~known] = np.nan
    return float(chosen), phasors, edge


def _taper(n: int) -> np.ndarray:
    return np.hanning(n + 2)[1:-1]


def _spectra(selected: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the power up to half the frame rate, (F, gx), for each row of windows."""
    n = len(selected)
    taper = _taper(n)
    for course in np.moveaxis(selected, 1, 0):
        mean = np.tensordot(taper / taper.sum(), course, 1)
        tapered = (course - mean) * taper[:, np.newaxis, np.newaxis]
        yield (np.abs(np.fft.rfft(tapered, _PADDING * n, axis=0)) ** 2).sum(axis=-1)


def _of_oscillations(power: np.ndarray) -> np.ndarray:
    """Return the power up to half the frame rate as mean squares go: there, two signs add up."""
    single = power.copy()
    single[-_PADDING:] /= 2
    return single


def dominant(selected: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the frequency with the most power in each window, cycles per frame."""
    found = np.full(known.shape, np.nan)
    for row, power in enumerate(_spectra(selected)):
        at = _PADDING + np.argmax(_of_oscillations(power)[_PADDING:], axis=0)
        power = np.concatenate([power, power[-2:-1]])  # on both sides of half the frame rate
        # a parabola through the logarithms: the lobe of the window is nearly a Gaussian
        below, top, above = (
            np.log(np.maximum(np.take_along_axis(power, (at + k)[None], 0)[0], 1e-300))
            for k in (-1, 0, 1)
        )
        bend = below - 2 * top + above
        shift = np.where(bend < 0, 0.5 * (below - above) / np.where(bend < 0, bend, 1), 0)
        found[row] = (at + np.clip(shift, -0.5, 0.5)) / (_PADDING * len(selected))
    return np.where(known, found, np.nan)


def _strongest(selected: np.ndarray, covariance: np.ndarray, known: np.ndarray) -> float:
    """Return the frequency, cycles per frame, with the most power for its noise in all windows."""
    error = np.trace(covariance, axis1=-2, axis2=-1)
    share = np.where(known, 1 / np.maximum(error, 1e-30), 0.0)
    power = sum(row @ part for row, part in zip(_spectra(selected), share, strict=True))
    power = _of_oscillations(power)
    return float(_PADDING + np.argmax(power[_PADDING:])) / (_PADDING * len(selected))
