"""Arguments of views that are wrong are named."""

import numpy as np
import pytest

from napari_motionmag import temporal, views

MOVIE = np.random.default_rng(0).normal(100, 1, (20, 40, 40))
MOVIE[:, 12:28, 12:28] += 50
PICTURES = np.zeros((4, 3, 3))
PASSED = [temporal.FIR(1, 2)]


@pytest.fixture(scope="module")
def trace():
    return views.displacement_trace(MOVIE, fps=10, reach=2)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (lambda trace: trace.derivative(1, 5.5), "window must be a whole number"),
        (lambda trace: views.fit_oscillation(trace, band=5), "band must be two"),
        (lambda trace: views.fit_oscillation(trace, "fast"), "frequency must be"),
        (lambda trace: views.motion_spectrum(trace).peaks((3, 1)), "band must be two"),
        (lambda trace: views.motion_spectrum(trace).peaks(false_alarm=0), "false_alarm must be"),
        (lambda trace: views.coherence(trace, trace, segments=2).strongest(3), "band must be two"),
        (lambda trace: views.coherence(trace, trace).strongest((9, 12)), "band must be two"),
        (lambda trace: views.coherence(trace, trace).strongest((2.41, 2.42)), "band must hold"),
        (lambda _: views.displacement_trace(MOVIE, noise="little"), "noise must be"),
        (lambda _: views.displacement_trace(MOVIE, (1, 9, 1, None)), "region must be"),
        (lambda _: views.motion_map(MOVIE, noise=-1), "noise must be"),
        (lambda _: views.motion_map(MOVIE, window=32.5), "window must be a whole number"),
        (lambda _: views.motion_map(MOVIE, step=3.5), "step must be a whole number"),
        (lambda _: views.motion_map(MOVIE, fps=10, frequency="fast"), "frequency must be"),
        (lambda _: views.motionless_surrogate(MOVIE, noise=-1), "noise must be"),
        (lambda _: views.mosaic(PICTURES, 1.5), "columns must be a whole number"),
        (lambda _: views.mosaic(PICTURES, gap=-1), "gap must be a whole number"),
        (lambda _: views.response_table(PASSED, "fast"), "fps must be"),
        (lambda _: views.response_table(PASSED, 10, n=2.5), "n must be a whole number"),
        (lambda _: views.unit_activations(MOVIE, "first"), "t must be a whole number"),
        (lambda _: views.encoder_kernels(MOVIE, size="wide"), "size must be an odd"),
    ],
)
def test_wrong_arguments_are_named(trace, view, message):
    with pytest.raises(ValueError, match=message):
        view(trace)


def test_places_along_other_axes_are_whole_numbers():
    movie = np.zeros((4, 2, 9, 9))
    with pytest.raises(TypeError, match=r"at\['C'\] must be a whole number; got 1.5"):
        views.intensity_trace(movie, [(3, 3)], axes="TCYX", at=1.5)
    assert views.intensity_trace(movie, [(3, 3)], axes="TCYX", at=np.array([1])).shape == (4, 1)


def test_noise_may_be_a_standard_deviation():
    model, number = (
        views.motion_map(MOVIE, window=16, noise=noise) for noise in (views.NoiseModel(9.0), 3)
    )
    assert np.array_equal(model.covariance, number.covariance)


def test_numbers_may_be_arrays(trace):
    edges = [np.array(edge) for edge in (10, 30, 10, 30)]
    measured = views.displacement_trace(MOVIE, edges, fps=10, reach=2)
    assert measured.region == (slice(10, 30), slice(10, 30))
    assert views.motion_map(MOVIE, window=np.array(16)).window == 16
    angles = (0.0, 1.0)
    expected = views.coherence(trace, trace, segments=2, directions=angles)
    found = views.coherence(trace, trace, segments=2, directions=np.array(angles))
    assert np.array_equal(found.coherence, expected.coherence)
