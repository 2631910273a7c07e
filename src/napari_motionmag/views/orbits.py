"""The path that a region runs along: the ellipse of an oscillation in two dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_motionmag.views.oscillation import Oscillation, fit_oscillation
from napari_motionmag.views.trace import DisplacementTrace, orientation


@dataclass(frozen=True)
class Orbit:
    """Ellipse along which a region moves at one frequency.

    Attributes
    ----------
    oscillation : Oscillation
        The fit to (dy, dx).
    major, sigma_major : float
        Half of the long axis and its standard error, px.
    minor, sigma_minor : float
        Half of the short axis and its standard error, px.
    direction : float
        Orientation of the long axis, -pi/4 to 3/4 pi; 0 along x, pi/2 along y (down).
    clockwise : bool
        The sense of rotation, as seen in the picture, y down.
    """

    oscillation: Oscillation
    major: float
    sigma_major: float
    minor: float
    sigma_minor: float
    direction: float
    clockwise: bool

    @property
    def frequency(self) -> float:
        """Hz, or per frame where the frame rate is unknown."""
        return self.oscillation.frequency

    def path(self, points: int = 128) -> np.ndarray:
        """Return points of the ellipse around the mean, (points, 2) of (dy, dx), px."""
        turn = np.exp(1j * np.linspace(0, 2 * np.pi, points))
        return np.real(turn[:, np.newaxis] * self.oscillation.phasors)


def orbit(
    trace: DisplacementTrace,
    frequency: float | None = None,
    band: tuple[float, float] | None = None,
) -> Orbit:
    """Fit the ellipse along which a region moves.

    Parameters
    ----------
    trace : DisplacementTrace
        5 frames or more.
    frequency, band : optional
        As for :func:`fit_oscillation`, Hz.

    Returns
    -------
    Orbit

    Raises
    ------
    ValueError
        If an argument is invalid, or the trace is too short.

    Notes
    -----
    The phasor of (dy, dx), turned by half the angle of its square, has perpendicular real and
    imaginary parts: the half-axes. Errors follow from those of the phasors, to first order; that
    of a half-axis that is within its error of 0 is an upper bound. They are inf where the frequency
    is at an edge.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("vesicles", n_frames=40, size=96)
    >>> trace = views.displacement_trace(movie, (30, 60, 30, 60), fps=info["fps"], axes="TYX")
    >>> path = views.orbit(trace)
    >>> path.major >= path.minor
    True
    """
    fit = fit_oscillation(trace, frequency, band)
    phasors = fit.phasors
    turn = np.exp(-0.5j * np.angle((phasors**2).sum()))
    axes = phasors * turn
    major, minor = np.linalg.norm(axes.real), np.linalg.norm(axes.imag)
    along = axes.real / max(major, 1e-300)
    across = np.array([-along[1], along[0]])
    errors = [math.inf, math.inf]
    if fit.edge is None:
        # covariance of real and imaginary parts, turned along
        one = np.eye(2)
        turned = np.block([[turn.real * one, -turn.imag * one], [turn.imag * one, turn.real * one]])
        covariance = turned @ fit.covariance @ turned.T
        parts = (along, covariance[:2, :2]), (across, covariance[2:, 2:])
        errors = [float(np.sqrt(max(axis @ part @ axis, 0))) for axis, part in parts]
    return Orbit(
        oscillation=fit,
        major=float(major),
        sigma_major=errors[0],
        minor=float(minor),
        sigma_minor=errors[1],
        direction=orientation(*along),
        # x = cos, y = sin with y down runs clockwise
        clockwise=bool(np.imag(phasors[0].conj() * phasors[1]) > 0),
    )
