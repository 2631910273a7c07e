"""What is measured does not depend on the unit of the intensities."""

import numpy as np
import pytest
from half_moving import FPS, half_moving

from napari_motionmag import views

REGION = (14, 24, 14, 26)
MOTION = {"fps": FPS, "axes": "TYX"}
BAND = {"mode": "temporal", "band": (1, 3), **MOTION}


def of_map(movie, unit):
    found = views.motion_map(movie, window=16, **BAND)
    return found.amplitude, found.phase, found.dominant, found.covariance / 1e-5


def of_noise_floor(movie, unit):
    found = views.noise_floor(movie, window=16, **BAND)
    return found.limit, found.exceeds


def of_noise(movie, unit):
    found = views.fit_noise(movie, axes="TYX")
    return found.a / unit**2, found.b / unit, found.floor / unit**2


def of_suggestions(movie, unit):
    found = views.suggest(movie, **MOTION)
    return [motion.frequency for motion in found.motions], [s.settings["factor"] for s in found]


def of_displacement(movie, unit):
    found = views.displacement_trace(movie, REGION, **MOTION)
    return found.dy, found.dx, found.sigma_dx, found.misfit


def of_spectrum(movie, unit):
    found = views.motion_spectrum(views.displacement_trace(movie, REGION, **MOTION))
    return found.density, [peak.frequency for peak in found.peaks()]


def of_drift(movie, unit):
    return (views.slow_drift(movie, (1, 3), **MOTION),)


def of_slice(movie, unit):
    lines = views.slice_view(movie, [(4, 6), (30, 6)], "TYX")
    return np.asarray(lines) / unit, views.intensity_trace(movie, [(16, 20)], "TYX") / unit


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("unit", [1e-20, 1e-12, 1e-3, 1e6])
@pytest.mark.parametrize(
    "measured",
    [
        of_map, of_noise_floor, of_noise, of_suggestions, of_displacement, of_spectrum, of_drift,
        of_slice,
    ],
)  # fmt: skip
def test_the_unit_of_intensity_does_not_count(measured, unit, dtype):
    movie = half_moving().astype("f8")
    found = measured((unit * movie).astype(dtype), unit)
    expected = measured(movie, 1.0)
    for values, usual in zip(found, expected, strict=True):
        # single precision rounds gray levels of hundreds to some 1e-5 of the noise
        np.testing.assert_allclose(values, usual, rtol=2e-3, atol=1e-3)
