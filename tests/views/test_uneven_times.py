"""Frames that were dropped, or came at a variable rate: the time axis is true, or it is said."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from half_moving import AMPLITUDE, FPS, FREQUENCY, half_moving

from napari_motionmag import Movie, interpolated_movie, magnify, views

REGION = (14, 24, 14, 26)
KEPT = np.delete(np.arange(128), [10, 11, 12, 13, 20, 21, 22, 88])


class Recorded:
    """Frames with the times at which they were taken, as files of cameras have them."""

    fps = FPS

    def __init__(self, frames, times):
        self.frames, self.times = frames, times
        self.shape, self.dtype, self.ndim = frames.shape, frames.dtype, frames.ndim

    def __getitem__(self, index):
        return self.frames[index]


@pytest.fixture(scope="module")
def whole():
    """All frames: it repeats itself."""
    return np.concatenate([half_moving()] * 4)


@pytest.fixture(scope="module")
def movie(whole):
    """What is left of it."""
    return Movie(Recorded(whole[KEPT], KEPT / FPS), "TYX", FPS)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_trace_has_the_true_times(whole, movie):
    trace = views.displacement_trace(movie, REGION)
    assert np.array_equal(trace.times, KEPT / FPS)
    true = AMPLITUDE * np.cos(2 * np.pi * FREQUENCY * trace.times)
    assert np.abs(trace.dx - true - (trace.dx - true).mean()).max() < 0.03
    (peak,) = views.motion_spectrum(trace).peaks()[:1]
    assert (peak.frequency, peak.amplitude) == pytest.approx((FREQUENCY, AMPLITUDE), rel=0.1)
    for found in (views.fit_oscillation(trace), views.orbit(trace).oscillation):
        assert found.frequency == pytest.approx(FREQUENCY, abs=0.01)
        assert found.amplitude == pytest.approx(AMPLITUDE, abs=0.01)


@pytest.mark.parametrize("pause", [3, 10, 180])
def test_an_oscillation_goes_on_in_a_pause_of_the_camera(pause):
    times = np.r_[:30, 30 + pause : 60 + pause] / FPS
    found = views.fit_sinusoid(times, 0.3 * np.sin(2 * np.pi * 2.2 * times + 1))
    assert (found.frequency, found.amplitude) == pytest.approx((2.2, 0.3), rel=1e-3)


@pytest.mark.parametrize("wrong", [np.inf, np.nan, 0])
def test_times_of_a_sinusoid_are_finite_and_increase(wrong):
    with pytest.raises(ValueError, match="times must be finite and increase"):
        views.fit_sinusoid([0, 1, 2, 3, 4, wrong], np.arange(6))


def test_bursts_that_are_hours_apart_are_refused_instead_of_filling_memory():
    times = np.concatenate([np.arange(500) / 1000, 7200 + np.arange(500) / 1000])
    values = np.sin(2 * np.pi * 20 * times)
    with pytest.raises(ValueError, match=r"times of 1000 frames span .* apart"):
        views.fit_sinusoid(times, values)


def test_a_speed_is_that_of_the_time_that_went_by():
    times = KEPT / FPS
    movie = np.repeat(half_moving()[:1].astype(float), len(KEPT), axis=0)
    trace = views.displacement_trace(
        Movie(Recorded(movie, times), "TYX", FPS), REGION, reference=0, noise=1
    )
    steady = replace(trace, dy=0.3 * times, dx=0.1 * times**2)
    speed, _ = steady.derivative()
    np.testing.assert_allclose(speed[:, 0], 0.3, atol=1e-6)
    np.testing.assert_allclose(speed[:, 1], 0.2 * times, atol=1e-6)
    np.testing.assert_allclose(steady.derivative(2)[0][:, 1], 0.2, atol=1e-6)


def test_results_and_regions_have_the_times_of_their_source(movie):
    result = Movie(magnify(movie, 2, method="linear"), "TYX", FPS)
    part = Movie(magnify(movie, 2, method="linear", region=(0, 32, 0, 32)), "TYX", FPS)
    for made in (result, part, movie.replace(fps=2 * FPS)):
        assert np.allclose(made.times * made.fps, movie.times * FPS)


@pytest.mark.parametrize(
    "measured",
    [
        lambda movie: views.motion_spectrum(movie, REGION),
        lambda movie: views.coherence(*[views.displacement_trace(movie, REGION)] * 2, segments=2),
        lambda movie: views.motion_map(movie, window=16),
        lambda movie: views.noise_floor(movie, window=16),
        lambda movie: views.suggest(movie),
        lambda movie: views.slice_calibration(movie, [(4, 4), (4, 20)]),
    ],
)
def test_what_takes_them_for_even_says_so_once(movie, measured):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        measured(movie)
    said = [str(warning.message) for warning in said if "unevenly" in str(warning.message)]
    assert len(said) == 1
    assert "every 0.0625 to 0.3125 s: frame 81 is 0.5 s later" in said[0]
    assert "even" in said[0].partition("; ")[2]


def test_the_jitter_of_a_clock_is_not_said(movie):
    jitter = np.random.default_rng(0).uniform(-0.2, 0.2, movie.n_frames) / FPS
    times = np.arange(movie.n_frames) / FPS + jitter
    steady = Movie(Recorded(movie.data.frames, times - times[0]), "TYX", FPS)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*unevenly")
        views.slice_calibration(steady, [(4, 4), (4, 20)])


def test_times_in_whole_milliseconds_are_even(whole):
    recorded = Recorded(whole, np.round(np.arange(len(whole)) * 1000 / 30) / 1000)
    recorded.fps = 30.0
    trace = views.displacement_trace(Movie(recorded, "TYX", 30.0), REGION)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*unevenly")
        views.coherence(trace, trace, segments=2)
        views.motion_spectrum(trace)


@pytest.mark.parametrize("fps", [None, 2 * FPS])
def test_frames_between_others_have_times_between_theirs(movie, fps):
    source = movie if fps is None else movie.replace(fps=fps)
    slow = interpolated_movie(source, 4, method="linear")
    assert np.array_equal(slow.times[::4], source.times)
    assert np.allclose(np.diff(slow.times[40:45]), np.diff(source.times)[10] / 4)
    again = interpolated_movie(slow, 2, method="linear")
    assert np.array_equal(again.times[::8], source.times)
