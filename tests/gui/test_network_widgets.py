"""The docks "Network kernels" and "Network activations" in a real window."""

import time

import numpy as np
import pytest
from half_moving import add_movie

from napari_motionmag import views
from napari_motionmag.views.activations import LAYERS
from napari_motionmag.widgets.networks.activations import ActivationsWidget
from napari_motionmag.widgets.networks.kernels import KernelsWidget


def movie_data():
    rng = np.random.default_rng(0)
    still = rng.integers(300, 700, (72, 96))
    return np.stack([np.roll(still, t, axis=1) for t in range(6)]).astype(np.uint16)


@pytest.fixture
def viewer(viewer):
    return viewer


@pytest.fixture
def dock(viewer):
    def make(kind):
        widget = kind(viewer)
        viewer.window.add_dock_widget(widget, name="Network")
        return widget

    return make


@pytest.fixture
def finished(qtbot):
    def wait(widget):
        qtbot.waitUntil(lambda: not widget.working, timeout=60_000)

    return wait


def test_kernels_lie_beside_the_movie_with_labels(viewer, dock, finished, click):
    movie = add_movie(viewer, movie_data())
    widget = dock(KernelsWidget)
    assert widget.model.value == "oh2018", "its learned kernels come first"
    widget.count.value = 4
    click(widget, "compute")
    finished(widget)
    assert list(viewer.layers) == [movie], "a figure, and a layer where it is asked for"
    assert len(widget.canvas.figure.axes) >= 4
    widget.as_layer.value = True
    click(widget, "compute")
    finished(widget)
    (made,) = [layer for layer in viewer.layers if layer is not movie]
    assert made.name == "shape kernels of oh2018"
    found = views.encoder_kernels(movie, "oh2018", "shape", n=4)
    labels = views.kernel_labels(found)
    assert [label.split()[0] for label in labels] == [f"#{unit}" for unit in found.units]
    assert np.array_equal(made.data, views.labelled_mosaic(found.kernels, labels, 4, signed=True))
    height = made.scale[0] * made.data.shape[0]
    assert np.isclose(height, movie.scale[1] * movie.data.shape[1])
    assert np.isclose(made.translate[0] - made.scale[0] / 2, -movie.scale[1] / 2)
    assert made.extent.world[0][1] > movie.extent.world[1][2]
    assert f"{found.errors.max():.0%}" in widget.status.value
    namespace = {"viewer": viewer}
    exec(widget.script(), namespace)
    assert np.array_equal(namespace["picture"], made.data)
    click(widget, "compute")
    finished(widget)
    assert len(viewer.layers) == 2


def test_kernels_say_what_does_not_do(viewer, dock, finished):
    widget = dock(KernelsWidget)
    widget.compute()
    assert "no movie" in widget.status.value
    add_movie(viewer, movie_data()[:, :40, :40])
    widget.compute()
    finished(widget)
    assert "64 px" in widget.status.value
    widget.model.value = "file"
    widget.compute()
    finished(widget)
    assert "model must be" in widget.status.value
    assert len(viewer.layers) == 1


def test_kernels_can_be_cancelled(viewer, dock, finished, qtbot, click, monkeypatch):
    def endless(movie, progress, **options):
        for _ in range(2000):
            progress(1, 2)
            time.sleep(0.01)

    monkeypatch.setattr("napari_motionmag.views.kernels.encoder_kernels", endless)
    movie = add_movie(viewer, movie_data())
    widget = dock(KernelsWidget)
    widget.compute()
    qtbot.waitUntil(lambda: not widget.cancel.native.isHidden(), timeout=5_000)
    click(widget, "cancel")
    finished(widget)
    assert widget.status.value == "Cancelled"
    assert list(viewer.layers) == [movie]


@pytest.mark.parametrize("model", sorted(LAYERS))
def test_every_layer_of_each_network_is_offered(viewer, dock, model):
    add_movie(viewer, movie_data())
    widget = dock(ActivationsWidget)
    widget.model.value = model
    assert tuple(widget.part.choices) == LAYERS[model]


def test_activations_at_two_factors(viewer, dock, finished, click):
    movie = add_movie(viewer, movie_data())
    viewer.dims.set_current_step(0, 3)
    widget = dock(ActivationsWidget)
    widget.model.value, widget.part.value = "oh2018", "manipulator"
    widget.units.value = "#4, 9"
    click(widget, "compute")
    finished(widget)
    found = views.unit_activations(
        movie, 3, (2, 5), model="oh2018", layers=["manipulator"], units={"manipulator": [4, 9]}
    )
    maps = found.maps["manipulator"]
    labels = ["#4 x2", "#4 x5", "#9 x2", "#9 x5"]
    expected = views.labelled_mosaic(
        maps.swapaxes(0, 1).reshape(-1, *maps.shape[2:]), labels, 4, side=300, shared=2
    )
    (made,) = [layer for layer in viewer.layers if layer is not movie]
    assert np.array_equal(made.data, expected)
    namespace = {"viewer": viewer}
    exec(widget.script(), namespace)
    assert np.allclose(namespace["maps"], maps)
    viewer.layers.remove(made)
    widget.shown_as.value = "stack"
    click(widget, "compute")
    finished(widget)
    two, five = [layer for layer in viewer.layers if layer is not movie]
    assert np.allclose(two.data[:, 0], maps[0])
    assert np.allclose(five.data[:, 0], maps[1])
    assert two.name.startswith("manipulator x2 of oh2018, frame 3")
    assert np.isclose(two.translate[1], 3 * movie.scale[0]), "seen in its frame only"
    assert five.extent.world[0][3] > movie.extent.world[1][2], "the other factor is beside"
    assert two.contrast_limits == five.contrast_limits


def test_activations_of_wrong_units(viewer, dock, finished):
    add_movie(viewer, movie_data())
    widget = dock(ActivationsWidget)
    widget.model.value, widget.part.value = "oh2018", "texture"
    for wrong, said in (("many", "after a #"), ("3, 4", "after a #"), ("#99", "within 0..31")):
        widget.units.value = wrong
        widget.compute()
        finished(widget)
        assert said in widget.status.value
    assert len(viewer.layers) == 1
