"""Figures of slices, spectra and traces: what is on them, where, and in which unit."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_motionmag import Movie, temporal, views
from napari_motionmag.views.figures.slices import SlicePicture
from napari_motionmag.views.figures.text import shortened, smaller_unit


@pytest.fixture
def movie():
    frames = np.random.default_rng(0).uniform(0, 100, (50, 20, 30)).astype(np.float32)
    return Movie(frames, axes="TYX", scale=(0.1, 0.5, 0.5), units=("s", "um", "um"), name="a cell")


def test_slices_have_seconds_and_lengths(movie):
    line = [(5, 2), (5, 22)]
    picture = SlicePicture.of(movie, line, frame=3)
    figure = Figure()
    views.draw_slices(figure, [picture, picture], now=1.0)
    place, first, _, last = figure.axes
    (image,) = first.get_images()
    # pixels are centred on their times and positions: 50 frames of 0.1 s, 21 samples of 0.5 um
    np.testing.assert_allclose(image.get_extent(), (-0.05, 4.95, 10.25, -0.25))
    assert image.get_array().shape == (21, 50), "time to the right, position down"
    np.testing.assert_allclose(
        image.get_array()[:, 7], (picture.view[7] - picture.view.min()) / np.ptp(picture.view)
    )
    assert last.get_xlabel() == "time (s)"
    assert first.get_ylabel() == "position (µm)"
    assert first.get_title(loc="left") == "a cell"
    np.testing.assert_array_equal(place.lines[0].get_xdata(), [2, 22])
    assert first.lines[0].get_xdata()[0] == 1.0


def test_slices_without_calibration_say_frames_and_px():
    picture = SlicePicture.of(np.random.default_rng(0).uniform(0, 1, (6, 9, 9)), [(1, 1), (7, 7)])
    figure = Figure()
    views.draw_slices(figure, [picture])
    assert figure.axes[0].get_xlabel() == "time (frames)"
    assert figure.axes[0].get_ylabel() == "position (px)"


def test_colour_slices_and_holes(movie):
    frames = np.random.default_rng(0).integers(0, 255, (6, 9, 9, 3)).astype(np.uint8)
    view = views.slice_view(frames, [(4, -4), (4, 8)], outside="nan")
    calibration = views.slice_calibration(frames, [(4, -4), (4, 8)])
    picture = SlicePicture("rgb", view, np.array([(4, -4), (4, 8)]), calibration, (0, 255))
    look = picture.look(view)
    assert look.shape == (6, 13, 4)
    assert (look[:, :3, 3] == 0).all(), "see-through outside the frame"
    np.testing.assert_allclose(look[:, 4:, :3], frames[:, 4] / 255, atol=1e-6)
    mapped = SlicePicture("x", view[..., 0], picture.line, calibration, (0, 255), colours=_red)
    look = mapped.look(mapped.view)
    assert look.shape == (6, 13, 4)
    assert (look[:, :3, 3] == 0).all()
    np.testing.assert_allclose(look[:, 4:, 0], frames[:, 4, :, 0] / 255, atol=1e-6)


def _red(values):
    values = np.ravel(values)
    return np.stack([values, 0 * values, 0 * values, np.ones_like(values)], axis=-1)


def test_lines_of_any_kind_can_be_drawn_with_their_frame(movie):
    for line in ([(0, 0), (19, 29)], [(10, -5), (10, 40)], [(3, 3), (3, 4)]):
        picture = SlicePicture.of(movie, line, frame=0, outside="nan")
        views.draw_slices(Figure(), [picture])


def test_spectrum_with_filter_responses(trace_of):
    spectrum = views.motion_spectrum(trace_of(8.0))
    peaks = spectrum.peaks()
    operators = {
        "FIR": temporal.FIR(6, 10, fps=50.0),
        "Butterworth": temporal.Butterworth(6, 10, fps=50.0),
    }
    table = views.response_table(operators, 50.0)
    figure = Figure(layout="constrained")
    views.draw_spectrum(figure, spectrum, peaks=peaks, band=(6, 10), responses=table)
    axes, gains = figure.axes
    curve = axes.lines[0]
    assert curve.get_xdata()[np.argmax(curve.get_ydata())] == pytest.approx(8, abs=0.3)
    assert [float(text.get_text()) for text in axes.texts] == pytest.approx([8], abs=0.01)
    assert axes.get_xlabel() == "frequency (Hz)"
    assert [line.get_label() for line in gains.lines] == ["FIR", "Butterworth"]
    np.testing.assert_allclose(gains.lines[0].get_ydata(), table.gain[0])
    views.draw_spectrum(Figure(), None, responses=table)


def test_the_spectrum_of_what_does_not_move_at_all_is_drawn(recwarn):
    rng = np.random.default_rng(0)
    still = np.repeat(rng.integers(0, 4000, (1, 40, 40), np.uint16), 16, axis=0)
    views.draw_spectrum(Figure(), views.motion_spectrum(still, fps=10.0))
    assert not recwarn.list


def test_traces_have_error_bands_and_lengths(trace_of):
    trace = trace_of(8.0)
    figure = Figure(layout="constrained")
    views.draw_displacement(figure, {"a": trace, "b": trace}, {"a": 0.0, "b": 0.0})
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), trace.dx)
    band = axes.collections[0].get_paths()[0].vertices
    at = np.isclose(band[:, 0], trace.times[10])
    expected = trace.dx[10] + 2 * trace.sigma_dx[10] * np.array([-1, 1])
    np.testing.assert_allclose(sorted(set(band[at, 1])), expected)
    (second,) = axes.child_axes
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    unit, factor = second.get_ylabel(), {"(µm)": 0.5, "(nm)": 500.0}
    np.testing.assert_allclose(second.get_ylim(), (low * factor[unit], high * factor[unit]))


def test_units_and_names():
    assert smaller_unit(0.004, "um") == ("nm", 1000.0)
    assert smaller_unit(0.5, "um", 2.0) == ("um", 2.0)
    assert smaller_unit(0.0, "um") == ("um", 1.0)
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijk", 7) == "abc…ijk"
