"""Displacement of a region over time, with errors, units and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_motionmag.views.estimators.noise_model import NoiseModel
from napari_motionmag.views.tables import write_csv


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
        """Orientation of the largest motion, 0 to pi; 0 along x, pi/2 along y (down).

        The principal axis of the displacements, corrected for noise.
        """
        moving = self.displacement - self.displacement.mean(axis=0)
        return principal_direction(moving, self.frame_covariance)

    def along(self, direction: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return displacement along a direction and its standard error, each of shape (T,), px.

        Parameters
        ----------
        direction : float, optional
            Angle from x towards y, rad; :attr:`direction` when None.
        """
        direction = self.direction if direction is None else direction
        unit = np.array([np.sin(direction), np.cos(direction)])
        variance = np.einsum("i,tij,j->t", unit, self.covariance, unit)
        return self.displacement @ unit, np.sqrt(np.maximum(variance, 0))

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

    def to_csv(self, path) -> Path:
        """Write the trace as a table, with the calibration in lines that begin with #.

        Parameters
        ----------
        path : str or Path
            An existing file is replaced.

        Returns
        -------
        Path
        """
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


def principal_direction(displacement: np.ndarray, noise: np.ndarray) -> float:
    """Return the orientation, 0 to pi, of displacements (T, 2) with noise covariances (T, 2, 2)."""
    moving = displacement.T @ displacement / len(displacement) - noise.mean(axis=0)
    y, x = np.linalg.eigh(moving)[1][:, -1]
    return float(np.arctan2(y, x) % np.pi)
