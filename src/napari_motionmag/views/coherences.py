"""How far two regions move together, frequency by frequency, and which is ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_motionmag.compute.validate import finite_number, is_list, whole_number
from napari_motionmag.views.estimators.series import warn_if_uneven
from napari_motionmag.views.oscillation import checked_band
from napari_motionmag.views.trace import DisplacementTrace

_SHORTEST = 8  # frames of a segment
_SEGMENTS = 8  # where none are given
_SHARED = (1 / 6) ** 2  # squared correlation of two Hann windows that overlap by half


@dataclass(frozen=True)
class Coherence:
    """Coherence of the motion of two regions.

    Attributes
    ----------
    frequencies : ndarray, shape (N,)
        Hz, or per frame where the frame rate is unknown.
    coherence : ndarray, shape (N,)
        Magnitude squared, 0 (independent) to 1 (one follows from the other).
    phase : ndarray, shape (N,)
        By which the second region is ahead of the first, rad, -pi to pi.
    sigma_phase : ndarray, shape (N,)
        Standard error of `phase`, rad.
    level : float
        Coherence that independent motion stays below in 99 % of the frequencies.
    power : ndarray, shape (N,)
        Geometric mean of both power densities, px^2/Hz.
    segments : float
        Independent segments that were averaged.
    """

    frequencies: np.ndarray
    coherence: np.ndarray
    phase: np.ndarray
    sigma_phase: np.ndarray
    level: float
    power: np.ndarray
    segments: float

    def strongest(self, band: tuple[float, float] | None = None) -> int:
        """Return the index of the frequency with most power among those above `level`.

        Raises
        ------
        ValueError
            If the coherence of no frequency in `band` (Hz) is above the level, or there is none.
        """
        step = float(self.frequencies[1])
        low, high = checked_band(band, float(self.frequencies[-1]) + step / 2)
        inside = (self.frequencies >= low) & (self.frequencies <= high) & (self.frequencies > 0)
        if not inside.any():
            raise ValueError(
                f"band must hold one of the frequencies, every {step:.3g}; got {band!r}"
            )
        sure = np.where(inside & (self.coherence > self.level), self.power, 0)
        if not sure.any():
            raise ValueError("the regions move independently: no frequency is above the level")
        return int(np.argmax(sure))


def coherence(
    first: DisplacementTrace,
    second: DisplacementTrace,
    *,
    directions: tuple[float | None, float | None] = (None, None),
    segments: int | None = None,
) -> Coherence:
    """Measure the coherence of two regions.

    Parameters
    ----------
    first, second : DisplacementTrace
        Of the same frames.
    directions : (float, float)
        Along which each displacement is taken, rad from x towards y; None: its largest motion,
        in the sense that is nearer to that of the other.
    segments : int, optional
        Parts of the record, overlapping by half, whose spectra are averaged. More of them make the
        coherence surer, fewer the frequencies finer. By default 8, or as many as a short record
        has.

    Returns
    -------
    Coherence

    Raises
    ------
    ValueError
        If the traces are not of the same frames, or too short for as many segments.

    Notes
    -----
    Welch's method with a Hann window. The level is that of Carter et al.,
    ``1 - 0.01 ** (1 / (n - 1))`` for n independent segments; overlap makes them 5 % fewer.

    References
    ----------
    G. Carter, C. Knapp, A. Nuttall, "Estimation of the magnitude-squared coherence function via
    overlapped fast Fourier transform processing", IEEE Trans. Audio Electroacoust. 21(4), 1973.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("cilia", n_frames=80, size=96)
    >>> left, right = (
    ...     views.displacement_trace(movie, (30, 50, x, x + 20), fps=info["fps"], axes="TYX")
    ...     for x in (20, 50)
    ... )
    >>> found = views.coherence(left, right, segments=4)
    >>> found.coherence.max() <= 1
    True
    """
    if segments is not None:
        segments = whole_number("segments", segments, 2)
    if len(first) != len(second) or not np.allclose(first.times, second.times):
        raise ValueError(
            f"the traces must be of the same frames; got {len(first)} and {len(second)} frames"
        )
    n = len(first)
    most = max(2 * n // _SHORTEST - 1, 1)
    if segments is None:
        segments = max(min(_SEGMENTS, most), 2)
    length = 2 * n // (segments + 1)
    if length < _SHORTEST:
        raise ValueError(
            f"segments must be at most {most} for {n} frames, {_SHORTEST} a segment; got {segments}"
        )
    if not is_list(directions, 2):
        raise ValueError(f"directions must be two angles in rad, or None; got {directions!r}")
    for direction in directions:
        if direction is not None:
            finite_number("directions", direction)
    rate = (n - 1) / (first.times[-1] - first.times[0])
    warn_if_uneven(first.times, first.fps, "frequencies are those of even frames")
    traces = first, second
    angles = [
        trace.direction if direction is None else direction
        for trace, direction in zip(traces, directions, strict=True)
    ]
    if None in directions and np.cos(angles[1] - angles[0]) < 0:
        angles[1] += np.pi  # of the two senses of an axis the one nearer to the other
    courses = [trace.along(angle)[0] for trace, angle in zip(traces, angles, strict=True)]
    from scipy.signal import csd, welch  # costs half a second: only where it is used

    options = {"fs": rate, "nperseg": length, "noverlap": length // 2, "detrend": "linear"}
    frequencies, cross = csd(*courses, **options)
    powers = [welch(course, **options)[1] for course in courses]
    product = np.maximum(powers[0] * powers[1], 1e-300)
    squared = np.clip(np.abs(cross) ** 2 / product, 0, 1)
    count = (n - length) // (length - length // 2) + 1
    independent = count / (1 + 2 * _SHARED * (count - 1) / count)
    return Coherence(
        frequencies=frequencies,
        coherence=squared,
        phase=np.angle(cross),
        sigma_phase=np.sqrt((1 - squared) / (2 * independent * np.maximum(squared, 1e-12))),
        level=float(1 - 0.01 ** (1 / max(independent - 1, 1e-9))),
        power=np.sqrt(product),
        segments=float(independent),
    )
