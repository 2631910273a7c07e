"""Maps of the selected motion: amplitude, phase, direction and significance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import gammaincinv

from napari_motionmag.compute.validate import above_zero
from napari_motionmag.movie.intensity import working_dtype
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.local_motion import in_threads, windowed
from napari_motionmag.views.estimators.lock_in import dominant, lock_in
from napari_motionmag.views.estimators.noise_model import NoiseModel
from napari_motionmag.views.estimators.selected_noise import operator_noise, seen_noise, sigmas
from napari_motionmag.views.estimators.series import (
    Counter,
    Series,
    as_movie,
    operator_for,
    warn_if_uneven,
    warn_user,
)
from napari_motionmag.views.estimators.windows import WindowedDisplacement
from napari_motionmag.views.spectrum import NEAR_NYQUIST, near_nyquist

SURE = 0.999  # share of still windows below the level from which motion counts
_MOVING = 0.02  # share of windows above chance from which a warning about them is given
_FEWEST = 16  # frames of which a map is previewed
_BENT = 0.3  # rad from the first to the last windows, from which a rolling shutter is suspected
_EVEN = 0.95  # share of the motion that is in step once a trend along y is taken from its phase


@dataclass(frozen=True)
class MotionMap:
    """Selected motion, window by window.

    Attributes
    ----------
    y, x : ndarray, shapes (gy,), (gx,)
        Centers of the windows, px.
    window, step : int
        Side of the windows and distance between them, px.
    rms : ndarray, shape (gy, gx)
        Root mean square of the selected displacement over time, px, with noise; NaN where the
        window has no structure.
    noise_rms : ndarray, shape (gy, gx)
        `rms` expected from noise alone, px.
    covariance : ndarray, shape (gy, gx, 2, 2)
        Of the displacement (dy, dx) of a single frame from noise, px^2, before the operator, such
        that white noise of this covariance gives `noise_rms`; 0 along directions in which the
        window has no structure.
    directions : ndarray of int, shape (gy, gx)
        Number of directions in which the window has structure, 0 to 2.
    phasors : ndarray of complex, shape (2, gy, gx)
        Selected displacement at `frequency`: ``(dy, dx) = Re(phasor exp(2 pi i f t))``, px.
    frequency : float or None
        Hz; None where the frame rate is not known.
    gain : float
        Factor of the operator on the variance of noise that is independent from frame to frame.
    freedom, skewness : float
        Degrees of freedom and skewness of ``rms**2`` of noise, for one direction.
    doubt : ndarray, shape (gy, gx)
        Relative standard error of ``noise_rms**2`` itself.
    dominant : ndarray, shape (gy, gx)
        Frequency at which each window moves most, Hz; cycles per frame where the frame rate is not
        known. Of noise alone where the window does not stand out.
    edge : {None, "zero", "nyquist"}
        The end of the band that `frequency` is too near to for amplitude and phase to be
        separately determined: `amplitude` is then the part that is visible, and `phase` NaN.
    """

    y: np.ndarray
    x: np.ndarray
    window: int
    step: int
    rms: np.ndarray
    noise_rms: np.ndarray
    covariance: np.ndarray
    directions: np.ndarray
    phasors: np.ndarray
    frequency: float | None
    gain: float
    freedom: float
    skewness: float
    doubt: np.ndarray
    edge: str | None = None
    dominant: np.ndarray | None = None

    @property
    def amplitude(self) -> np.ndarray:
        """Largest excursion at `frequency`, (gy, gx), px."""
        return np.abs(self._along())

    @property
    def phase(self) -> np.ndarray:
        """Phase of the motion along :attr:`direction`, (gy, gx), rad: ``cos(2 pi f t + phase)``.

        Of the two ends of an orientation the one nearer to :attr:`axis` counts, so that neighbors
        that move together have the same phase.
        """
        angle = np.angle(self._along())
        return angle if self.edge is None else np.full_like(angle, np.nan)

    @property
    def axis(self) -> float:
        """Direction of most of the motion in the frame, -pi/4 to 3/4 pi; 0 along x, pi/2 along y.

        Windows are weighted by their motion over their noise.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = self._double() / np.trace(self.covariance, axis1=-2, axis2=-1)
        whole = parts[np.isfinite(parts)].sum()
        return float((0.5 * np.angle(whole) + np.pi / 4) % np.pi - np.pi / 4)

    @property
    def direction(self) -> np.ndarray:
        """Orientation of the largest excursion, (gy, gx), 0 to pi; 0 along x, pi/2 along y."""
        return 0.5 * np.angle(self._double()) % np.pi

    @property
    def sigma(self) -> np.ndarray:
        """Noise of one frame's displacement along the best seen direction, (gy, gx), px."""
        return sigmas(self.covariance, self.directions)[0]

    @property
    def motion(self) -> np.ndarray:
        """Root mean square of the selected motion, corrected for noise, (gy, gx), px."""
        return np.sqrt(np.maximum(self.rms**2 - self.noise_rms**2, 0))

    @property
    def significance(self) -> np.ndarray:
        """Ratio of ``rms**2`` to that of noise alone, (gy, gx): about 1 where nothing moves."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.rms**2 / self.noise_rms**2

    def chance(self, share: float) -> np.ndarray:
        """Return the level that `significance` stays below in a share of still windows, (gy, gx).

        From mean, variance and skewness of a sum of squares of normal variables.
        """
        trace = np.trace(self.covariance, axis1=-2, axis2=-1)
        squares = (self.covariance**2).sum(axis=(-2, -1))
        known = self.directions > 0
        directions = np.where(known, trace**2 / np.where(known, squares, 1), 1.0)
        shape = 8 * directions / max(self.skewness, 1e-3) ** 2
        above = (2 * gammaincinv(shape / 2, share) - shape) / np.sqrt(2 * shape)
        return 1 + np.sqrt(2 / (self.freedom * directions) + self.doubt**2) * above

    @property
    def stands_out(self) -> np.ndarray:
        """Whether the motion is more than chance gives in 999 of 1000 still windows, (gy, gx)."""
        return np.nan_to_num(self.significance, nan=0.0) > self.chance(SURE)

    def in_units(self, pixel: tuple[float, float]) -> MotionMap:
        """Return a map whose phasors are in the unit of a pixel's (height, width)."""
        size = np.asarray(pixel, float)[:, np.newaxis, np.newaxis]
        return replace(self, phasors=self.phasors * size)

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the movie per window, for a layer of a map: with :attr:`translate`."""
        return float(self.step), float(self.step)

    @property
    def translate(self) -> tuple[float, float]:
        """Center of the first window, px."""
        return float(self.y[0]), float(self.x[0])

    def _double(self) -> np.ndarray:
        """Return complex numbers at twice the angle of the major axis of the ellipse of motion."""
        y, x = self.phasors
        return np.abs(x) ** 2 - np.abs(y) ** 2 + 2j * np.real(y * x.conj())

    def _along(self) -> np.ndarray:
        axis = self.axis
        angle = axis + (self.direction - axis + np.pi / 2) % np.pi - np.pi / 2
        return self.phasors[0] * np.sin(angle) + self.phasors[1] * np.cos(angle)


def motion_map(
    movie,
    mode: str | TemporalOperator = "static",
    *,
    reference=0,
    band: tuple[float, float] | None = None,
    fps: float | None = None,
    filter: str = "fir",
    axes: str | None = None,
    at=None,
    window: int = 32,
    step: int | None = None,
    frequency: float | None = None,
    noise: NoiseModel | float | None = None,
    progress: Callable[[int, int], object] | None = None,
    preview: Callable[[MotionMap], object] | None = None,
) -> MotionMap:
    """Map the selected motion over the frame: amplitude, phase and direction.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    mode, reference, band, fps, filter
        Which motion is selected, as for :func:`napari_motionmag.magnify`.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    window : int
        Side of the windows, px, 8 or more.
    step : int, optional
        Distance between windows, px; half a window when None.
    frequency : float, optional
        Where amplitude and phase are measured, Hz. By default the strongest of the selected
        motion.
    noise : NoiseModel or float, optional
        Of the pixels, or its standard deviation in gray levels; estimated from the first frames,
        as :func:`fit_noise` does, when None.
    progress : callable, optional
        Called as ``progress(done, total)`` after each frame that is measured; an exception from it
        ends the measurement.
    preview : callable, optional
        Called as ``preview(found)`` with the map of the frames read so far: an eighth, a quarter
        and a half of the movie, from 16 frames on. An operator that needs other frames, such as a
        reference at the end, has no preview.

    Returns
    -------
    MotionMap

    Raises
    ------
    ValueError
        If an argument is invalid.

    Warns
    -----
    UserWarning
        If windows move near the Nyquist frequency, where faster motion looks the same.

    Notes
    -----
    Each frame is read once, in order: the displacement of each window by least squares against the
    mean of the first 64 frames, refined where it is above 0.05 px. A gain and an offset of the
    whole frame are taken out where they stand out, so that a lamp that flickers is no motion. The
    operator acts on the displacements. Amplitude and phase are those of a lock-in with a Hann
    window over the whole record.

    The noise of a displacement follows from that of the pixels. For operators that select a band,
    it is checked at the frequencies outside: where a window moves more there than noise of the
    pixels explains (compressed movies, correlated noise, drift), a power law through these is
    taken for the noise in the band.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=40, size=64)
    >>> found = views.motion_map(movie, "dynamic", axes="TYX", fps=info["fps"])
    >>> found.amplitude.shape == found.phase.shape == (3, 3)
    True
    """
    movie = as_movie(movie, axes, fps)
    operator = operator_for(movie, mode, reference=reference, band=band, filter=filter)
    n = movie.n_frames
    if frequency is not None:
        frequency = above_zero("frequency", frequency, "Hz")
        if movie.fps is None:
            raise ValueError("fps is missing: a frequency in Hz needs the frames per second")
    warn_if_uneven(movie.times, movie.fps, "frequencies and phases are those of even frames")
    field, frames = windowed(movie, at, window, step, noise)
    to_luma = partial(Series(movie, at).to_luma, dtype=working_dtype(movie.dtype))
    count = Counter(progress, n)
    previews = set() if preview is None else {n // k for k in (8, 4, 2) if n // k >= _FEWEST}
    course = np.zeros((n, *field.windows.shape, 2), np.float32)
    for t, moved in in_threads(lambda frame: field(to_luma(frame)[0]), frames):
        course[t] = moved
        count.step()
        if t + 1 in previews and _applies(operator, t + 1):
            preview(_mapped(course[: t + 1], field, operator, movie.fps, frequency)[0])
    found, chosen = _mapped(course, field, operator, movie.fps, frequency)
    rate = movie.fps or 1.0
    if chosen > NEAR_NYQUIST * rate / 2 and found.stands_out.mean() > _MOVING:
        warn_user(near_nyquist(chosen, rate, "cycles/frame" if movie.fps is None else "Hz"))
    if movie.fps is not None and (delay := _line_delay(found, rate, movie.frame_shape[0])):
        warn_user(
            f"the phase of the motion runs evenly along y, as a rolling shutter that takes "
            f"{1e6 * abs(delay):.3g} us a line makes it: lines are bent, and phases differ by "
            f"{2 * np.pi * chosen * abs(delay):.2g} rad/px more than those of the motion (a wave "
            "along y looks the same)"
        )
    return found


def _applies(operator: TemporalOperator, n: int) -> bool:
    """Whether an operator needs no more than the first n frames."""
    try:
        operator.row(0, n)
    except (ValueError, IndexError):
        return False
    return True


def _mapped(
    course: np.ndarray,
    field: WindowedDisplacement,
    operator: TemporalOperator,
    fps: float | None,
    frequency: float | None,
) -> tuple[MotionMap, float]:
    """Return the map of displacements (T, gy, gx, 2), and the frequency of its phasors."""
    selected = operator.apply(course, axis=0).astype(np.float64)
    gain, freedom, skewness = operator_noise(operator, len(course))
    covariance, doubt = seen_noise(course, field.covariance, operator)
    power = (selected**2).mean(axis=0).sum(axis=-1)
    expected = gain * np.trace(covariance, axis1=-2, axis2=-1)
    known = field.directions > 0
    rms = np.where(known, np.sqrt(power), np.nan)
    noise_rms = np.where(known, np.sqrt(np.maximum(expected, 0)), np.nan)
    rate = fps or 1.0
    chosen, phasors, edge = lock_in(selected, covariance, known, rate, frequency)
    windows = field.windows
    found = MotionMap(
        windows.y, windows.x, windows.window, windows.step, rms, noise_rms, covariance,
        field.directions, phasors, None if fps is None else chosen, gain, freedom, skewness, doubt,
        edge, dominant(selected, known) * rate,
    )  # fmt: skip
    return found, chosen


def _line_delay(found: MotionMap, rate: float, height: int) -> float | None:
    """Return seconds per line where phases rise as a rolling shutter makes them, else None."""
    along = np.where(found.stands_out & np.isfinite(found.phase), found._along(), 0)
    if not along.any():
        return None
    power = np.square(np.abs(along)).sum()
    steps = [np.angle((a.conj() * b).sum()) for a, b in (
        (along[:-1], along[1:]), (along[:, :-1], along[:, 1:])
    )]  # fmt: skip
    down, across = (abs(step) * (n - 1) for step, n in zip(steps, along.shape, strict=True))
    trend = np.exp(-1j * steps[0] * np.arange(len(along)))[:, np.newaxis]
    even = np.abs((np.abs(along) * along * trend).sum()) > _EVEN * power
    delay = steps[0] / (2 * np.pi * found.frequency * found.step)
    within_frame = abs(delay) * height < 1.05 / rate
    return delay if down > _BENT and across < 0.25 * down and even and within_frame else None
