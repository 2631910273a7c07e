"""Displacement of a region over time, with errors, units and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_motionmag.compute.validate import one_of, whole_number
from napari_motionmag.views.estimators.noise_model import NoiseModel
from napari_motionmag.views.tables import write_csv

QUANTITIES = ("displacement", "velocity", "acceleration")


@dataclass(frozen=True)
class DisplacementTrace:
    """Displacement of a region, frame by frame.

    Attributes
    ----------
    times : ndarray, shape (T,)
        In `time_unit`.
    time_unit : str
        "s", or "frame" where the frame rate is unknown.
    dy, dx : ndarray, shape (T,)
        Displacement against the reference, px; positive towards larger y (down) and x (right).
    covariance : ndarray, shape (T, 2, 2)
        Of (dy, dx), px^2, from the noise of the frame and of the reference together. A direction
        in which the region has no structure has the variance ``reach**2`` and displacement 0.
    frame_covariance : ndarray, shape (T, 2, 2)
        The part that is independent from frame to frame. The rest, from the noise of the
        reference, is the same error in all frames.
    misfit : ndarray, shape (T,)
        Mean squared residual over what noise explains: 1 when the region moves as a whole and
        nothing else happens, more when it deforms, rotates or changes brightness.
    noise : NoiseModel
        Of the pixels, gray levels.
    region : (slice, slice)
        Rows and columns of the rectangle around the region.
    reference : str
        The frames at displacement 0, in words.
    fps : float or None
    pixel_size : (float, float) or None
        Height and width of a pixel, in `length_unit`.
    length_unit : str or None
        "um" as a rule; None for movies that are not calibrated.
    cutoff : float
        Highest spatial frequency used, cycles per px (gain 1/2).
    colour : (float, float)
        Factors by which correlation of the noise between neighboring pixels enlarges the variance
        along y and x; 1 for independent pixels. Included in the covariances.
    """

    times: np.ndarray
    time_unit: str
    dy: np.ndarray
    dx: np.ndarray
    covariance: np.ndarray
    frame_covariance: np.ndarray
    misfit: np.ndarray
    noise: NoiseModel
    region: tuple[slice, slice]
    reference: str
    fps: float | None = None
    pixel_size: tuple[float, float] | None = None
    length_unit: str | None = None
    cutoff: float = 0.375
    colour: tuple[float, float] = (1.0, 1.0)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def frequency_unit(self) -> str:
        """Unit of the frequencies in it: "Hz", or "cycles/frame" where the rate is unknown."""
        return "Hz" if self.fps else "cycles/frame"

    @property
    def displacement(self) -> np.ndarray:
        """(dy, dx) of each frame, shape (T, 2), px."""
        return np.stack([self.dy, self.dx], axis=1)

    @property
    def sigma_dy(self) -> np.ndarray:
        """Standard error of `dy`, shape (T,), px."""
        return np.sqrt(np.maximum(self.covariance[:, 0, 0], 0))

    @property
    def sigma_dx(self) -> np.ndarray:
        """Standard error of `dx`, shape (T,), px."""
        return np.sqrt(np.maximum(self.covariance[:, 1, 1], 0))

    @property
    def direction(self) -> float:
        """Orientation of the largest motion, -pi/4 to 3/4 pi; 0 along x, pi/2 along y (down).

        The principal axis of the displacements, corrected for noise.
        """
        moving = self.displacement - self.displacement.mean(axis=0)
        return principal_direction(moving, self.frame_covariance)

    def along(
        self, direction: float | None = None, quantity: str = "displacement", window: int = 5
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return motion along a direction and its standard error, each of shape (T,).

        Parameters
        ----------
        direction : float, optional
            Angle from x towards y, rad; :attr:`direction` when None.
        quantity : {"displacement", "velocity", "acceleration"}
            In px, px per `time_unit`, or px per `time_unit` squared.
        window : int
            Frames from which derivatives are taken; see :meth:`derivative`.
        """
        one_of("quantity", quantity, QUANTITIES)
        direction = self.direction if direction is None else direction
        unit = np.array([np.sin(direction), np.cos(direction)])
        values, covariance = self.displacement, self.covariance
        if order := QUANTITIES.index(quantity):
            values, covariance = self.derivative(order, window)
        variance = np.einsum("i,tij,j->t", unit, covariance, unit)
        return values @ unit, np.sqrt(np.maximum(variance, 0))

    def derivative(self, order: int = 1, window: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """Return velocity or acceleration, and its covariance.

        Parameters
        ----------
        order : {1, 2}
            1: velocity, px per `time_unit`; 2: acceleration, px per `time_unit` squared.
        window : int
            Odd number of frames, 5 or more, to which a polynomial of fourth degree is fitted. More
            of them lessen the noise, and fast motion; see Notes.

        Returns
        -------
        values : ndarray, shape (T, 2)
            (y, x).
        covariance : ndarray, shape (T, 2, 2)
            From the noise of the frames; that of the reference drops out.

        Raises
        ------
        ValueError
            If `order` is another, or `window` even, below 5 or longer than the trace.

        Notes
        -----
        With 5 frames, velocity is 0.995 of the true one at a tenth of the frame rate and 0.93 at
        a fifth, acceleration 0.998 and 0.976.

        References
        ----------
        A. Savitzky, M. Golay, "Smoothing and differentiation of data by simplified least squares
        procedures", Anal. Chem. 36(8), 1964.

        Examples
        --------
        >>> from napari_motionmag import samples, views
        >>> movie, info = samples.load("strings", n_frames=60)
        >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), fps=info["fps"])
        >>> velocity, _ = trace.derivative(1)  # px/s
        >>> velocity.shape
        (60, 2)
        """
        if order not in (1, 2):
            raise ValueError(f"order must be 1 (velocity) or 2 (acceleration); got {order!r}")
        n, window = len(self), self._odd("window", window)
        step = (self.times[-1] - self.times[0]) / (n - 1)
        frames = (self.times - self.times[0]) / step
        values, covariance = np.empty((n, 2)), np.empty((n, 2, 2))
        for t in range(n):
            first = min(max(t - window // 2, 0), n - window)
            near = slice(first, first + window)
            fit = np.linalg.pinv(np.vander(frames[near] - frames[t], 5, increasing=True))
            weights = fit[order] * order / step**order  # 1! and 2!
            values[t] = weights @ self.displacement[near]
            covariance[t] = np.einsum("k,kij->ij", weights**2, self.frame_covariance[near])
        return values, covariance

    def _odd(self, name: str, window) -> int:
        """Return a number of frames that polynomials of fourth degree are fitted to."""
        n, window = len(self), whole_number(name, window, 1)
        if window % 2 == 0 or not 5 <= window <= n:
            raise ValueError(
                f"{name} must be an odd number of frames from 5 to the {n} of the trace; "
                f"got {window!r}"
            )
        return window

    def physical(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (dy, dx) and their standard errors in `length_unit`, each of shape (T, 2).

        Raises
        ------
        ValueError
            If the movie is not calibrated.
        """
        if self.pixel_size is None:
            raise ValueError("the movie has no pixel size: give Movie a scale and units")
        size = np.array(self.pixel_size)
        sigma = np.stack([self.sigma_dy, self.sigma_dx], axis=1)
        return self.displacement * size, sigma * size

    def to_csv(self, path, derivatives: int | None = None) -> Path:
        """Write the trace as a table, with the calibration in lines that begin with #.

        Parameters
        ----------
        path : str or Path
            An existing file is replaced.
        derivatives : int, optional
            Write velocity and acceleration, too, from this many frames; see :meth:`derivative`.

        Returns
        -------
        Path
        """
        if derivatives is not None:
            derivatives = self._odd("derivatives", derivatives)
        columns = {
            "frame": np.arange(len(self)),
            f"time ({self.time_unit})": self.times,
            "dy (px)": self.dy,
            "dx (px)": self.dx,
            "sigma dy (px)": self.sigma_dy,
            "sigma dx (px)": self.sigma_dx,
        }
        if self.pixel_size is not None:
            (dy, dx), (sy, sx) = (values.T for values in self.physical())
            unit = self.length_unit
            columns |= {f"dy ({unit})": dy, f"dx ({unit})": dx}
            columns |= {f"sigma dy ({unit})": sy, f"sigma dx ({unit})": sx}
        columns["misfit"] = self.misfit
        if derivatives is not None:
            for order, letter in ((1, "v"), (2, "a")):
                values, covariance = self.derivative(order, derivatives)
                unit = f"px/{self.time_unit}" + ("^2" if order == 2 else "")
                for k, axis in enumerate("yx"):
                    columns[f"{letter}{axis} ({unit})"] = values[:, k]
                    columns[f"sigma {letter}{axis} ({unit})"] = np.sqrt(covariance[:, k, k])
        comments = ["displacement of a region; dy: down, dx: right; sigma: standard error"]
        comments += [f"{key}: {json.dumps(value)}" for key, value in self.header().items()]
        return write_csv(path, comments, columns)

    def header(self) -> dict:
        """Return calibration and settings as plain values."""
        rows, columns = self.region
        return {
            "region (y0, y1, x0, x1; px)": [rows.start, rows.stop, columns.start, columns.stop],
            "reference": self.reference,
            "frames per second": self.fps,
            "pixel size (y, x)": None if self.pixel_size is None else list(self.pixel_size),
            "length unit": self.length_unit,
            "noise variance (gray levels^2)": f"{self.noise.a:.6g} + {self.noise.b:.6g} I",
            "spatial cutoff (cycles/px)": self.cutoff,
        }


def orientation(y: float, x: float) -> float:
    """Return the angle of an axis from x (0) towards y (pi/2), -pi/4 to 3/4 pi.

    Motion along x or y, to which noise adds a little, keeps its sign.
    """
    return float((np.arctan2(y, x) + np.pi / 4) % np.pi - np.pi / 4)


def principal_direction(displacement: np.ndarray, noise: np.ndarray) -> float:
    """Return the orientation of displacements (T, 2) with noise covariances (T, 2, 2)."""
    moving = displacement.T @ displacement / len(displacement) - noise.mean(axis=0)
    return orientation(*np.linalg.eigh(moving)[1][:, -1])
