"""The dock "Motion spectrum" in a real window, on a fork whose pitch is known."""

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture
from qtpy.QtCore import QPoint, Qt
from superqt import QRangeSlider

from napari_motionmag import Movie, magnify, magnify_layer, views
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
from napari_motionmag.widgets.measure.spectrum import SpectrumWidget

FPS, PITCH = 100.0, 12.8
ROWS, COLUMNS = (10, 38), (10, 38)


@pytest.fixture(scope="module")
def fork():
    """A patch that moves to and fro by 0.2 px beside one that is still, with noise."""
    moving, still = smooth_texture(48, 0), smooth_texture(48, 1)
    rng = np.random.default_rng(2)
    frames = []
    for t in range(128):
        picture = fourier_shift(moving, 0, 0.2 * np.cos(2 * np.pi * PITCH * t / FPS))
        frame = np.concatenate([picture, still], axis=1)
        frames.append(4000 * frame + rng.normal(0, 40, frame.shape))
    return np.array(frames).round().astype(np.uint16)


@pytest.fixture
def dock(viewer, fork):
    layer = viewer.add_image(fork, name="fork", scale=(1 / FPS, 0.5, 0.5), units=("s", "um", "um"))
    viewer.layers.selection.active = layer
    made = SpectrumWidget(viewer)
    viewer.window.add_dock_widget(made, name="Motion spectrum")
    return made


def rectangle(viewer, rows, columns, name):
    corners = [(rows[0], columns[0]), (rows[0], columns[1])]
    corners += [(rows[1], columns[1]), (rows[1], columns[0])]
    return viewer.add_shapes(
        [0.5 * np.array(corners)], shape_type="rectangle", name=name, units=("um", "um")
    )


def test_the_pitch_is_found_and_said(viewer, dock, click, qtbot):
    dock.marks.value = rectangle(viewer, ROWS, COLUMNS, "moving")
    click(dock, "measure")
    qtbot.waitUntil(lambda: dock._measured is not None, timeout=60_000)
    peak = dock._peaks[0]
    assert abs(peak.frequency - PITCH) < 0.5
    assert abs(peak.frequency - PITCH) < 4 * peak.sigma_frequency
    assert peak.amplitude == pytest.approx(0.2, abs=0.01)
    assert dock.status.value.startswith("Moves at 12.")
    assert "nm" in dock.status.value
    low, high = dock.band()
    assert low < PITCH < high
    axes, gains = dock.canvas.figure.axes
    assert axes.get_xlabel() == "frequency (Hz)"
    assert gains.get_ylabel() == "gain of the filter"


def test_no_peak_where_nothing_moves(viewer, dock, fork):
    dock.marks.value = rectangle(viewer, ROWS, (58, 86), "still")
    spectrum = dock()
    assert spectrum.peaks((PITCH - 1, PITCH + 1)) == []
    assert "No oscillation stands out" in dock.status.value
    movie = Movie(fork, axes="TYX", fps=FPS)
    without = views.motionless_surrogate(movie)
    region = (*ROWS, *COLUMNS)
    assert views.motion_spectrum(without, region).peaks((PITCH - 1, PITCH + 1)) == []
    lazy = magnify(without, 5, method="linear", mode="temporal", band=(11, 15))
    magnified = views.motion_spectrum(without.replace(data=lazy), region, direction=0.0)
    assert not [p for p in magnified.peaks((PITCH - 1, PITCH + 1)) if p.amplitude > 0.05]


def test_the_pitch_of_the_magnified_movie(fork):
    movie = Movie(fork[:, :, :48], axes="TYX", fps=FPS)
    lazy = magnify(movie, 4, method="riesz", mode="temporal", band=(11, 15))
    spectrum = views.motion_spectrum(movie.replace(data=lazy), (*ROWS, *COLUMNS))
    peak = spectrum.peaks()[0]
    assert abs(peak.frequency - PITCH) < 0.5
    assert peak.amplitude == pytest.approx(0.8, rel=0.25)


def test_use_this_band(viewer, dock, click, qtbot):
    dock.marks.value = rectangle(viewer, ROWS, COLUMNS, "moving")
    dock()
    dock.filter.value = "butterworth"
    click(dock, "use_band")
    docks = viewer.window.dock_widgets.values()
    (magnify_dock,) = [w for w in docks if isinstance(w, MagnifyWidget)]
    assert magnify_dock.layer.value is viewer.layers["fork"]
    assert magnify_dock.mode.value == "temporal"
    assert magnify_dock.filter.value == "butterworth"
    assert magnify_dock.fps.value == pytest.approx(FPS)
    got = (magnify_dock.band_low.value, magnify_dock.band_high.value)
    assert got == pytest.approx(dock.band(), abs=1e-3)
    dock.band_low.value, dock.band_high.value = 5, 6
    click(dock, "use_band")
    assert (magnify_dock.band_low.value, magnify_dock.band_high.value) == (5, 6)
    assert len([w for w in docks if isinstance(w, MagnifyWidget)]) == 1


def test_the_band_waits_for_its_measurement(viewer, dock, click, qtbot):
    dock.marks.value = rectangle(viewer, ROWS, COLUMNS, "moving")
    dock.band_low.value, dock.band_high.value = 5, 6
    click(dock, "measure")
    click(dock, "use_band")
    docks = viewer.window.dock_widgets.values()
    assert [w for w in docks if isinstance(w, MagnifyWidget)] == []
    qtbot.waitUntil(lambda: not dock.working, timeout=60_000)
    (magnify_dock,) = [w for w in docks if isinstance(w, MagnifyWidget)]
    band = magnify_dock.band_low.value, magnify_dock.band_high.value
    assert band[0] < PITCH < band[1]
    assert band == pytest.approx(dock.band(), abs=1e-3)
    click(dock, "measure")
    click(dock, "use_band")
    click(dock, "cancel")
    qtbot.waitUntil(lambda: not dock.working, timeout=20_000)
    dock.band_low.value, dock.band_high.value = 5, 6
    assert magnify_dock.band_low.value == band[0], "a measurement that is cancelled gives no band"


def test_the_band_of_one_movie_is_not_checked_by_the_rate_of_another(viewer, dock, fork, click):
    dock.marks.value = rectangle(viewer, ROWS, COLUMNS, "moving")
    dock()
    slow = viewer.add_image(fork, name="slow", scale=(0.5, 0.5, 0.5), units=("s", "um", "um"))
    dock.layer.value = slow
    click(dock, "use_band")
    assert "up to 1 Hz" in dock.status.value


def test_the_band_of_a_magnified_movie_is_for_its_source(viewer, dock, fork, click, method):
    source = viewer.layers["fork"]
    magnified = viewer.add_layer(magnify_layer(source, 4, method="pixels"))
    source.name = "renamed"
    viewer.add_image(fork, name="fork", scale=source.scale, units=source.units)
    dock.layer.value = magnified
    dock.band_low.value, dock.band_high.value = 5, 6
    click(dock, "use_band")
    docks = viewer.window.dock_widgets.values()
    (magnify_dock,) = [w for w in docks if isinstance(w, MagnifyWidget)]
    assert magnify_dock.layer.value is source


def test_a_band_that_is_none_is_refused(viewer, dock, click, notifications):
    dock.band_low.value, dock.band_high.value = 9, 3
    click(dock, "use_band")
    assert "increasing" in notifications()[-1][1]
    viewer.layers.clear()
    click(dock, "use_band")
    click(dock, "measure")
    assert "Choose a movie" in dock.status.value


def test_without_a_rate(viewer, dock, fork, click, notifications):
    dock.layer.value = viewer.add_image(fork[:, :, :48], name="plain")
    spectrum = dock()
    assert spectrum.peaks()[0].frequency == pytest.approx(PITCH / FPS, abs=0.005)
    assert "cycles/frame" in dock.status.value
    click(dock, "use_band")
    assert "rate" in notifications()[-1][1]
    dock.fps.value = FPS
    assert dock().peaks()[0].frequency == pytest.approx(PITCH, abs=0.5)


def test_cancel_and_leave_while_measuring(viewer, dock, click, qtbot):
    click(dock, "measure")
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    click(dock, "cancel")
    qtbot.waitUntil(lambda: not dock.working, timeout=20_000)
    assert dock.status.value == "Cancelled"
    click(dock, "measure")
    viewer.layers.clear()
    viewer.window.remove_dock_widget(dock.native)
    qtbot.waitUntil(lambda: not dock.working, timeout=20_000)


@pytest.mark.parametrize("shape", [(1, 40, 40), (8, 40, 40), (40, 6, 6)])
def test_movies_that_do_not_do_are_told(viewer, dock, click, qtbot, shape):
    frames = np.random.default_rng(0).uniform(0, 1, shape)
    dock.layer.value = viewer.add_image(frames, name="odd")
    before = dock.status.value
    click(dock, "measure")
    qtbot.waitUntil(lambda: not dock.working, timeout=20_000)
    assert dock.status.value != before or shape[0] == 1
    assert dock._measured is None


def test_script_and_table(viewer, dock, tmp_path):
    with pytest.raises(ValueError, match="Measure"):
        dock.save_to(tmp_path / "spectrum.csv")
    dock.marks.value = rectangle(viewer, ROWS, COLUMNS, "moving")
    spectrum = dock()
    namespace = {"viewer": viewer}
    exec(dock.script(), namespace)
    np.testing.assert_allclose(namespace["spectrum"].density, spectrum.density)
    assert namespace["band"] == pytest.approx(dock.band(), abs=1e-3)
    table = np.loadtxt(dock.save_to(tmp_path / "spectrum.csv"), delimiter=",", skiprows=5)
    np.testing.assert_allclose(table[:, 1], spectrum.amplitude, rtol=1e-6)


def test_the_band_is_dragged_over_the_spectrum(viewer, dock):
    dock.band_low.value, dock.band_high.value = 10, 15
    assert dock.band_slider.value == pytest.approx((10, 15), abs=FPS / 1000)
    assert dock.band_slider.max == FPS / 2
    slider = dock.band_slider.native.findChild(QRangeSlider) or dock.band_slider.native
    slider.setValue((12, 20))
    assert dock.band() == pytest.approx((12, 20), abs=FPS / 1000)
    (gains,) = dock.canvas.figure.axes
    at = gains.lines[0].get_xdata()[np.argmax(gains.lines[0].get_ydata())]
    assert 12 < at < 20
    dock.layer.value = viewer.add_image(np.zeros((20, 48, 48)), name="no rate")
    dock.band_low.value = 3
    assert dock.band_slider.native.isHidden()


def test_the_band_is_selected_by_the_mouse_in_the_figure(dock, qtbot):
    dock.band_low.value, dock.band_high.value = 10, 15
    (axes,) = dock.canvas.figure.axes
    canvas = dock.canvas.figure.canvas
    canvas.draw()

    def at(frequency):
        x, y = axes.transData.transform((frequency, 0.5))
        return QPoint(round(x / canvas.devicePixelRatioF()), round(canvas.height() - y))

    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(5))
    qtbot.mouseMove(canvas, at(7))
    qtbot.mouseMove(canvas, at(8))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(8))
    assert dock.band() == pytest.approx((5, 8), abs=0.3)


def test_all_filters_are_compared(dock):
    dock.band_low.value, dock.band_high.value = 10, 15
    dock.all_filters.value = True
    (gains,) = dock.canvas.figure.axes
    labels = [line.get_label() for line in gains.lines]
    assert labels == ["FIR", "Butterworth", "Difference of IIR", "Acceleration"]
