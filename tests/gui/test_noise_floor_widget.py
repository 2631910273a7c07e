"""The dock "Noise floor" in a real window."""

import threading

import dask.array as da
import numpy as np
import pytest
from half_moving import FPS, SHAPE, add_movie, half_moving
from napari.layers import Labels

from napari_motionmag import magnify, magnify_layer, views
from napari_motionmag.widgets.measure.noise_floor import NoiseFloorWidget

BAND = {"mode": "temporal", "band": (1.0, 3.0)}


@pytest.fixture
def viewer(viewer):
    return viewer


@pytest.fixture
def dock(viewer):
    def make():
        widget = NoiseFloorWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Noise floor")
        widget.window.value = 16
        return widget

    return make


@pytest.fixture
def finished(qtbot):
    def wait(widget):
        qtbot.waitUntil(lambda: not widget.working, timeout=20_000)

    return wait


def named(viewer, start):
    return [layer for layer in viewer.layers if layer.name.startswith(start)]


def test_maps_are_those_of_the_science_and_lie_over_the_movie(viewer, dock, finished, click):
    movie = add_movie(viewer)
    movie.translate = (0, 3, 4)
    widget = dock()
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = BAND["band"]
    click(widget, "measure")
    finished(widget)
    floor = views.noise_floor(half_moving(), axes="TYX", fps=FPS, window=16, **BAND)
    (factor,), (above,) = named(viewer, "largest honest"), named(viewer, "motion above")
    assert np.allclose(factor.data, floor.limit_map, rtol=1e-5)
    assert factor.name == "largest honest factor, 1-3 Hz: cell"
    for layer in (factor, above):
        assert layer.data.shape == SHAPE[1:]
        assert np.allclose(layer.scale, (0.2, 0.2))
        assert np.allclose(layer.translate, (3, 4))
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    assert isinstance(above, Labels)
    assert above.data[:, :16].mean() > 0.9
    assert above.data[:, 48:].mean() < 0.1
    assert "Noise alone moves by more than 1 px above x" in widget.status.value
    click(widget, "measure")
    finished(widget)
    assert len(viewer.layers) == 3, "the same map is brought up to date, not added again"


def test_colours_are_even_in_the_logarithm():
    from napari_motionmag.widgets.measure.noise_floor import logarithmic

    colours = logarithmic(10, 1000)
    at = [(value - 10) / 990 for value in (10, 100, 1000)]
    seen = colours.map(np.array(at, np.float32))
    from napari.utils.colormaps import ensure_colormap

    even = ensure_colormap("viridis").map(np.array([0, 0.5, 1], np.float32))
    assert np.allclose(seen, even, atol=0.02)


def test_fading_keeps_the_original_where_nothing_moves(
    viewer, method, dock, finished, click, qtbot
):
    movie = add_movie(viewer)
    magnified = viewer.add_layer(magnify_layer(movie, 8, method="pixels", **BAND))
    widget = dock()
    assert widget.like.value is magnified, "the active layer is chosen"
    before = magnified.data
    click(widget, "fade")
    finished(widget)
    qtbot.waitUntil(lambda: len(named(viewer, magnified.name)) == 2, timeout=20_000)
    faded = named(viewer, magnified.name)[1]
    assert faded.name == f"{magnified.name} faded"
    floor = views.noise_floor(half_moving(), axes="TYX", fps=FPS, window=16, **BAND)
    plain = magnify(half_moving(), 8, method="pixels", axes="TYX", fps=FPS, **BAND)
    original, full = half_moving()[5].astype(float), np.asarray(plain[5]).astype(float)
    expected = original + floor.weights * (full - original)
    assert np.abs(np.asarray(faded.data[5]) - expected).max() <= 0.51
    assert np.array_equal(np.asarray(faded.data[5])[:, 56:], half_moving()[5][:, 56:])
    assert magnified.data is before
    assert not magnified.visible
    assert magnified in viewer.layers
    namespace = {"viewer": viewer}
    exec(widget.script(), namespace)
    assert np.array_equal(np.asarray(namespace["faded"][5]), np.asarray(faded.data[5]))
    assert np.allclose(namespace["limit_map"], floor.limit_map)


def test_the_null_control_is_the_motionless_movie_magnified_alike(
    viewer, method, dock, click, qtbot
):
    movie = add_movie(viewer)
    magnified = viewer.add_layer(magnify_layer(movie, 8, method="pixels", **BAND))
    widget = dock()
    click(widget, "null_control")
    qtbot.waitUntil(lambda: len(named(viewer, magnified.name)) == 2, timeout=20_000)
    control = named(viewer, magnified.name)[1]
    still = views.motionless_surrogate(half_moving(), axes="TYX", fps=FPS)
    expected = magnify(still, 8, method="pixels", **BAND)
    assert np.array_equal(np.asarray(control.data[7]), np.asarray(expected[7]))
    left = np.stack([np.asarray(magnified.data[t])[:, :24] for t in (0, 4)]).astype(float)
    null = np.stack([np.asarray(control.data[t])[:, :24] for t in (0, 4)]).astype(float)
    assert np.abs(null[0] - null[1]).mean() < 0.3 * np.abs(left[0] - left[1]).mean()
    assert magnified.visible
    assert widget.like.value is magnified
    assert [layer for layer in widget.like.choices if layer is control] == []


def test_all_channels_are_measured_when_asked(viewer, dock, finished):
    data = np.stack([half_moving(0), half_moving(1)], axis=1)
    units = ("s", "pixel", "um", "um")
    add_movie(
        viewer, data, scale=(1 / FPS, 1, 0.2, 0.2), units=units, axis_labels=("t", "c", "y", "x")
    )
    widget = dock()
    viewer.dims.set_current_step(1, 1)
    widget.measure()
    finished(widget)
    (one,) = named(viewer, "largest honest factor C1, static")
    assert one.data.shape == SHAPE[1:]
    widget.planes.value = True
    widget.measure()
    finished(widget)
    (every,) = named(viewer, "largest honest factor, static")
    assert every.data.shape == (2, *SHAPE[1:])
    assert np.array_equal(every.data[1], one.data, equal_nan=True)
    assert np.allclose(every.scale, (1, 0.2, 0.2))


def test_cancel_and_a_movie_that_is_closed_meanwhile(
    viewer, dock, finished, qtbot, click, notifications
):
    gate, frames = threading.Event(), half_moving()

    def block(block_id=None):
        if block_id[0] > 2:
            assert gate.wait(20)
        return frames[block_id[0]][np.newaxis]

    chunks = ((1,) * SHAPE[0], (SHAPE[1],), (SHAPE[2],))
    slow = da.map_blocks(block, chunks=chunks, dtype=frames.dtype, meta=frames[:0, :0, :0])
    gate.set()
    movie = add_movie(viewer, slow)
    viewer.dims.set_current_step(0, 0)
    widget = dock()
    for end in ("cancel", "close"):
        gate.clear()
        widget.measure()
        qtbot.waitUntil(lambda: not widget.cancel.native.isHidden(), timeout=5_000)
        if end == "cancel":
            click(widget, "cancel")
        else:
            viewer.layers.remove(movie)
        gate.set()
        finished(widget)
        if end == "cancel":
            assert widget.status.value == "Cancelled"
        assert notifications() == []
        assert named(viewer, "largest") == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda data: np.full_like(data, 7), "Nothing in the frame has structure"),
        (lambda data: np.full(data.shape, 0.5, np.float32), "Nothing in the frame has structure"),
        (lambda data: np.where(data == data.max(), np.nan, data), "NaN"),
        (lambda data: data[:1], "at least 2 frames"),
        (lambda data: data.astype(np.float32), "Noise alone"),
        (lambda data: da.from_array(data, chunks=(5, 20, 20)), "Noise alone"),
    ],
)
def test_odd_movies(viewer, dock, finished, make, said):
    add_movie(viewer, make(half_moving()))
    widget = dock()
    widget.measure()
    finished(widget)
    assert said in widget.status.value


def test_a_small_movie_does_not_change_the_windows_of_the_next(viewer, dock):
    large = add_movie(viewer)
    widget = dock()
    small = add_movie(viewer, half_moving()[:, :9, :9], name="small")
    widget.layer.value = small
    assert widget.window.value == 9
    widget.layer.value = large
    assert widget.window.value == 16


def test_without_a_rate_or_a_movie(viewer, dock, notifications):
    widget = dock()
    widget.measure()
    assert "no movie" in widget.status.value
    with pytest.raises(ValueError, match="no movie"):
        widget.script()
    add_movie(viewer, units=None, scale=(1, 1, 1))
    widget.reset_choices()
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = 1, 3
    widget.measure()
    assert "fps is missing" in widget.status.value
    assert "fill in “Rate”" in widget.status.value
    assert [severity for severity, _ in notifications()] == ["error", "error"]


def test_colour_and_a_source_that_was_closed(viewer, method, dock, finished):
    data = half_moving(dtype=np.float32)[..., np.newaxis] / 1000 * np.ones(3, np.float32)
    movie = add_movie(viewer, data, rgb=True, contrast_limits=None)
    widget = dock()
    widget.measure()
    finished(widget)
    assert named(viewer, "largest")[0].data.shape == SHAPE[1:]
    widget.like.value = viewer.add_layer(magnify_layer(movie, 4, method="pixels"))
    viewer.layers.remove(movie)
    widget.measure()
    assert "is not open" in widget.status.value


def test_the_source_is_known_whatever_its_name(viewer, method, dock, finished):
    movie = add_movie(viewer)
    magnified = viewer.add_layer(magnify_layer(movie, 4, method="pixels"))
    movie.name = "renamed"
    other = add_movie(viewer, half_moving(1))  # has the name that the source had
    widget = dock()
    widget.like.value = magnified
    assert widget.request().layer is movie
    viewer.layers.remove(movie)
    with pytest.raises(ValueError, match="not open"):
        widget.request()
    assert other in viewer.layers


def test_a_stabilised_layer_is_measured_and_a_copy_names_its_source(viewer, method, dock, finished):
    movie = add_movie(viewer)
    magnified = viewer.add_layer(
        magnify_layer(movie, 4, method="pixels", stabilise={"model": "translation"})
    )
    copied = viewer.add_image(magnified.data, name="copy", metadata=dict(magnified.metadata))
    widget = dock()
    widget.like.value = magnified
    widget.measure()
    finished(widget)
    assert named(viewer, "largest")
    assert "stabilised" in widget.status.value
    widget.like.value = copied
    assert widget.request().layer is movie
    assert "not made in this session" in widget.status.value
