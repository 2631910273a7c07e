"""A drift beside the band is found at rest, and followed by a button."""

import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter

from napari_motionmag import views
from napari_motionmag.widgets.magnify import stabilisation
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

FPS, FRAMES = 30.0, 60


def movie_of(drifting: float) -> np.ndarray:
    """A texture that vibrates by 0.3 px at 5 Hz while it drifts to and fro, px, at 0.5 Hz."""
    texture = gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 2, mode="wrap")
    spectrum = np.fft.fft2(2000 + 400 * texture / texture.std())
    t = np.arange(FRAMES) / FPS
    shift = 0.3 * np.sin(2 * np.pi * 5 * t) + drifting * np.sin(2 * np.pi * 0.5 * t)
    frames = np.stack([np.fft.ifft2(fourier_shift(spectrum, (0, d))).real for d in shift])
    noise = np.random.default_rng(1).normal(0, 4, frames.shape)
    return (frames + noise).astype(np.uint16)


@pytest.mark.parametrize(("drifting", "low", "high"), [(0.0, 0, 0.3), (1.0, 1.6, 2.2)])
def test_drift_is_measured_beside_the_band(drifting, low, high):
    found = views.slow_drift(movie_of(drifting), (4, 6), fps=FPS, axes="TYX")
    assert low <= found <= high


def test_where_nothing_moves_in_the_band_nothing_drifts():
    still = np.repeat(movie_of(0.0)[:1], FRAMES, axis=0)
    noisy = still + np.random.default_rng(2).integers(0, 9, still.shape)
    assert views.slow_drift(noisy.astype(np.uint16), (4, 6), fps=FPS, axes="TYX") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter": "acceleration"}, "filter must select a band of frequencies; 'acceleration'"),
        ({"most_frames": -3}, "most_frames must be a whole number from 2 up; got -3"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        views.slow_drift(movie_of(0.0), (4, 6), fps=FPS, axes="TYX", **options)


@pytest.fixture
def dock(viewer, method, monkeypatch):
    monkeypatch.setattr(stabilisation, "_REST_MS", 50)

    def opened(drifting):
        layer = viewer.add_image(movie_of(drifting), name="tissue", scale=(1 / FPS, 1, 1))
        made = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(made, name="Magnify motion")
        made.layer.value, made.mode.value, made.fps.value = layer, "temporal", FPS
        made.band_low.value, made.band_high.value = 4, 6
        return made

    return opened


def test_a_drift_is_followed_by_a_button(dock, click, qtbot, settled):
    widget = dock(1.0)
    row = widget._fields.drift_row
    click(widget, "magnify")
    qtbot.waitUntil(lambda: row.visible, timeout=20_000)
    assert "drift by 1.9 px" in row.words.value or "drift by 2 px" in row.words.value
    click(widget, "follow_drift")
    assert not row.visible
    assert widget.stabilise.value == "dense"
    settled(widget)
    qtbot.waitUntil(lambda: not widget._drift._timer.isActive(), timeout=5_000)
    assert not row.visible  # nor is it offered again


def test_without_a_drift_nothing_is_offered(dock, click, qtbot, settled):
    widget = dock(0.0)
    click(widget, "magnify")
    settled(widget)
    qtbot.waitUntil(lambda: widget._drift._measured is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not widget._drift._job.working, timeout=20_000)
    assert not widget._fields.drift_row.visible
    widget.mode.value = "dynamic"  # nor where there is no band
    settled(widget)
    assert not widget._drift._timer.isActive()


def test_what_drifts_beside_the_region_is_not_offered(
    viewer, dock, click, settled, qtbot, plain_napari
):
    halves = [np.concatenate([movie_of(d) for d in (left, 1 - left)], axis=2) for left in (0, 1)]
    widget = dock(0.0)
    box = np.array([[0.0, 0.0], [64.0, 64.0]])
    shapes = viewer.add_shapes([box], shape_type="rectangle", name="left")
    for frames, drifts in zip(halves, (False, True), strict=True):
        widget.layer.value = viewer.add_image(frames, scale=(1 / FPS, 1, 1))
        widget.fps.value, widget.region.value = FPS, shapes
        click(widget, "magnify")
        settled(widget)
        qtbot.waitUntil(lambda: widget._drift._measured is not None, timeout=20_000)
        qtbot.waitUntil(lambda: not widget._drift._job.working, timeout=20_000)
        assert widget._drift._measured[0][-1] is not None
        assert widget._fields.drift_row.visible == drifts


def test_what_is_drawn_of_one_movie_offers_nothing_for_another(dock, viewer, click, settled, qtbot):
    widget = dock(0.0)
    click(widget, "magnify")
    settled(widget)
    drawn = widget._drift._drawn
    widget.layer.value = viewer.add_image(movie_of(1.0), name="other", scale=(1 / FPS, 1, 1))
    widget._drift.note_drawn(*drawn)  # as of a frame that was still in progress
    qtbot.wait(300)
    assert not widget._drift._job.working
    assert not widget._fields.drift_row.visible
    assert widget._drift._drawn is None
    assert widget._drift._measured is None


def test_what_was_found_is_forgotten_with_its_movie(viewer, dock, click, qtbot, settled):
    widget = dock(1.0)
    click(widget, "magnify")
    qtbot.waitUntil(lambda: widget._fields.drift_row.visible, timeout=20_000)
    viewer.layers.clear()
    assert not widget._fields.drift_row.visible
    assert widget._drift._drawn is None
    widget._drift._look()  # as when its timer had just run out
    assert not widget._drift._job.working
