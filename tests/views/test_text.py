"""Measurements in words: digits that the error allows, and units."""

import dataclasses
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from napari_motionmag import Movie, views
from napari_motionmag.views.estimators.series import pixel_size
from napari_motionmag.views.figures.text import (
    coherence_in_words,
    direction_in_words,
    length_with_error,
    orbit_in_words,
    spectrum_in_words,
    trace_in_words,
    with_error,
)


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (64.0389, 0.0018, "64.0389 ± 0.0018 Hz"),
        (64.0389, 0.0432, "64.04 ± 0.04 Hz"),
        (112.77, 0.18, "112.77 ± 0.18 Hz"),
        (1234.5, 25, "1234 ± 25 Hz"),
        (151.2, 35.4, "151 ± 35 Hz"),
        (1234.5, 310, "1234 ± 310 Hz"),
        (5.0, 0.0, "5 Hz"),
        (5.0, math.inf, "5 Hz"),
    ],
)
def test_digits_follow_the_error(value, sigma, text):
    assert with_error(value, sigma, "Hz") == text


def test_small_lengths_are_in_nm():
    assert length_with_error(0.0144, 0.0016, "um") == "14.4 ± 1.6 nm"
    assert length_with_error(1.44, 0.16, "um") == "1.44 ± 0.16 µm"


def test_a_pixel_size_is_as_the_file_says():
    for step, unit in ((0.9, "um"), (900, "nm"), (0.0009, "mm"), (9e-7, "m")):
        movie = Movie(np.ones((2, 8, 8)), "TYX", scale=(1, step, step), units=("s", unit, unit))
        assert pixel_size(movie) == (0.9, 0.9, "um")


def test_a_coherence_above_the_level_is_written_so(trace_of):
    found = views.coherence(trace_of(8.0), trace_of(8.0), segments=3)
    found = dataclasses.replace(found, coherence=found.coherence * 0 + 0.9975, level=0.9962)
    assert "Coherence 0.998" in (text := coherence_in_words(found, "b"))
    assert "below 0.996" in text


def test_directions():
    assert direction_in_words(math.radians(179)) == "x"
    assert direction_in_words(math.radians(88)) == "y"
    assert direction_in_words(math.radians(30)) == "30° from x towards y"


def test_an_axis_along_x_has_no_sign(trace_of):
    path = replace(views.orbit(trace_of(4.0)), direction=-0.001)
    assert "its long axis at 0° from x" in orbit_in_words(path)


def test_motion_near_half_the_frame_rate_is_said(trace_of):
    assert "near half the frame rate, 25 Hz" in trace_in_words(trace_of(23.8), 0.0)
    assert "half the frame rate, 0.5 cycles/frame" in trace_in_words(trace_of(23.8, fps=None), 0.0)
    assert "half the frame rate" not in trace_in_words(trace_of(8.0), 0.0)


def test_what_oscillates_is_said(trace_of):
    trace = trace_of(8.0)
    spectrum = views.motion_spectrum(trace)
    text = spectrum_in_words(spectrum, trace, spectrum.peaks())
    said = re.match(
        r"Moves at (\S+) ± (\S+) Hz, amplitude (\S+) ± (\S+) px \((\S+) ± \S+ nm\)", text
    )
    frequency, error, amplitude, _, length = map(float, said.groups())
    assert abs(frequency - 8) < 4 * error
    assert amplitude == pytest.approx(0.1, abs=0.002)
    assert length == pytest.approx(500 * amplitude, abs=0.1)
    assert "along x" in text
    told = trace_in_words(trace, 0.0)
    assert "phase" in told
    assert told.startswith("along x")


def test_stillness_is_said(trace_of):
    trace = trace_of(8.0, amplitude=0.0)
    spectrum = views.motion_spectrum(trace)
    assert spectrum_in_words(spectrum, trace, []).startswith("No oscillation stands out")
    assert "no oscillation stands out" in trace_in_words(trace, 0.0)


def test_a_few_beats_are_named_beside_a_background_that_hides_them(trace_of):
    trace = trace_of(5.0, n=51)
    spectrum = views.motion_spectrum(trace)
    assert not spectrum.peaks()
    text = spectrum_in_words(spectrum, trace, [])
    assert text.startswith("No oscillation stands out")
    said = re.search(r"Over the noise of the pixels alone, (\S+) Hz does$", text)
    assert float(said.group(1)) == pytest.approx(5, abs=0.05)
    peaks = spectrum.peaks(against="pixels")
    text = spectrum_in_words(spectrum, trace, peaks, against="pixels")
    assert "times the noise of the pixels in power" in text


def test_without_a_rate_frequencies_are_in_cycles_per_frame(trace_of):
    trace = trace_of(8.0, fps=None)
    assert "cycles/frame" in trace_in_words(trace, 0.0)
    assert np.allclose(np.diff(trace.times), 1)


def test_edges_of_the_band_are_named(trace_of):
    trace = trace_of(25.0)
    text = trace_in_words(trace, 0.0)
    assert "half the frame rate, or faster" in text
    assert "amplitude at least 0.1 px" in text
    assert "phase 0" not in text
