"""The dock "Motion map" in a real window."""

import numpy as np
import pytest
from half_moving import AMPLITUDE, FPS, FREQUENCY, SHAPE, add_movie, half_moving

from napari_motionmag import views
from napari_motionmag.views.figures.motion_map import phase_colors
from napari_motionmag.widgets.measure.motion_map import MotionMapWidget

DRAWS_CANVAS = True


@pytest.fixture
def dock(viewer):
    def make():
        widget = MotionMapWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Motion map")
        widget.window.value = 16
        widget.mode.value = "temporal"
        widget.band_low.value, widget.band_high.value = 1, 3
        return widget

    return make


@pytest.fixture
def measured(qtbot, click):
    def press(widget):
        click(widget, "measure")
        qtbot.waitUntil(lambda: not widget.working, timeout=20_000)

    return press


def test_amplitude_and_phase_of_a_known_motion(viewer, dock, measured):
    add_movie(viewer)
    widget = dock()
    measured(widget)
    amplitude, phase = viewer.layers[-2:]
    assert amplitude.name == "amplitude (µm), 1-3 Hz: cell"
    assert phase.name == "phase (degrees), 1-3 Hz: cell"
    inner = amplitude.data[:, 1:3]  # windows that lie within the moving half
    assert np.allclose(inner, 0.2 * AMPLITUDE, rtol=0.1)
    assert np.nanmax(np.abs(phase.data[:, 1:3])) < 10, "it moves as a cosine, towards x"
    assert np.isnan(amplitude.data[:, -2:]).mean() > 0.9, "what is still is transparent"
    assert np.isnan(phase.data[np.isnan(amplitude.data)]).all()
    for layer in (amplitude, phase):
        assert np.allclose(layer.scale, 8 * 0.2)
        assert np.allclose(layer.translate, 7.5 * 0.2)  # centre of the first window
    assert tuple(phase.contrast_limits) == (-180, 180)
    colours = phase.colormap.map(np.array([0, 1], np.float32))
    assert np.allclose(colours[0], colours[1], atol=0.01), "the colours close the circle"
    assert f"{FREQUENCY:g} Hz" in widget.status.value


def test_the_script_makes_the_same(viewer, dock, measured):
    add_movie(viewer)
    widget = dock()
    widget.frequency.value = 2.5
    measured(widget)
    namespace = {"viewer": viewer}
    exec(widget.script(), namespace)
    assert np.allclose(namespace["amplitude"], viewer.layers[-2].data, equal_nan=True)
    assert np.allclose(namespace["phase"], viewer.layers[-1].data, equal_nan=True)
    assert namespace["found"].frequency == 2.5


def test_maps_replace_each_other(viewer, dock, measured):
    movie = add_movie(viewer)
    widget = dock()
    measured(widget)
    widget.band_high.value = 4
    measured(widget)
    assert [layer.name for layer in viewer.layers] == [
        "cell",
        "amplitude (µm), 1-4 Hz: cell",
        "phase (degrees), 1-4 Hz: cell",
    ]
    viewer.window.remove_dock_widget(widget.native)
    widget = dock()
    measured(widget)
    assert len(viewer.layers) == 3, "those of a dock that was closed, too"
    viewer.layers[1].name = "mine"
    viewer.layers[2].visible = True
    other = add_movie(viewer, name="other", translate=(0, 5, 5))
    widget.layer.value = other
    measured(widget)
    mine, amplitude, phase = viewer.layers[1], *viewer.layers[-2:]
    assert mine.name == "mine", "a map that was renamed is kept"
    assert len(viewer.layers) == 5
    assert phase.name.startswith("phase")
    assert phase.name.endswith("other")
    assert phase.visible, "as the user left it"
    assert np.allclose(amplitude.translate, 5 + 7.5 * 0.2)
    assert list(widget.layer.choices) == [movie, other], "maps are no movies"


def test_pixels_where_there_are_no_units(viewer, dock, measured):
    add_movie(viewer, scale=(1 / FPS, 1, 1), units=("s", "pixel", "pixel"))
    widget = dock()
    measured(widget)
    found = views.motion_map(half_moving(), "temporal", band=(1, 3), axes="TYX", fps=FPS, window=16)
    layer = viewer.layers[-2]
    assert layer.name.startswith("amplitude (px)")
    assert np.allclose(
        layer.data, np.where(found.stands_out, found.amplitude, np.nan), equal_nan=True
    )


def test_nothing_moves(viewer, dock, measured):
    still = half_moving()[0] + np.random.default_rng(3).normal(0, 2, SHAPE)
    add_movie(viewer, still.astype(np.float32))
    widget = dock()
    measured(widget)
    assert np.isnan(viewer.layers[-2].data).mean() > 0.9
    add_movie(viewer, np.zeros(SHAPE, np.uint16), name="black")
    widget.layer.value = viewer.layers["black"]
    measured(widget)
    assert "Nowhere" in widget.status.value


def test_unequal_pixels_are_measured_along_each_axis():
    found = views.motion_map(half_moving(), "temporal", band=(1, 3), axes="TYX", fps=FPS, window=16)
    tall = found.in_units((1.0, 0.2))
    moving = np.s_[:, 1:3]
    assert np.allclose(tall.amplitude[moving], 0.2 * AMPLITUDE, rtol=0.25)  # along x
    assert np.array_equal(found.in_units((2.0, 2.0)).amplitude, 2 * found.amplitude)


def test_colours_of_phases_are_equally_light_and_within_range():
    colours = phase_colors(361)
    assert (colours >= 0).all()
    assert (colours <= 1).all()
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    lightness = 116 * np.cbrt(luminance) - 16
    assert np.ptp(lightness) < 12
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert steps.max() < 4 * np.median(steps), "no jump"


def test_the_dominant_frequency(viewer, dock, measured):
    add_movie(viewer)
    widget = dock()
    widget.what.value = "dominant frequency"
    measured(widget)
    frequency = viewer.layers[-1]
    assert frequency.name == "frequency (Hz), 1-3 Hz: cell"
    assert frequency.data[:, 1:3] == pytest.approx(FREQUENCY, abs=0.05)
    assert np.isnan(frequency.data[:, -2:]).mean() > 0.9
    assert "strongest frequency there: median 2" in widget.status.value
    namespace = {"viewer": viewer}
    exec(widget.script(), namespace)
    assert np.allclose(namespace["frequency"], frequency.data, equal_nan=True)
