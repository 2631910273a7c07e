"""The dock that magnifies another layer as a magnified layer was."""

import numpy as np
import pytest

from napari_motionmag import magnify, magnify_layer
from napari_motionmag.widgets.magnify.repeat import NONE_YET, RepeatWidget


@pytest.fixture
def other(viewer, movie, frames):
    """A second movie, 20 frames a second and of another look."""
    return viewer.add_image(
        frames[::-1].copy(),
        name="other",
        scale=(0.05, 0.5, 0.5),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        colormap="magenta",
    )


@pytest.fixture
def made(viewer, movie, other):
    """A magnified layer of the first movie."""
    said = {"method": "linear", "mode": "temporal", "band": (1, 3)}
    return viewer.add_layer(magnify_layer(movie, 0, **said))


@pytest.fixture
def repeating(viewer, made):
    widget = RepeatWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Repeat")
    return widget


def newest(viewer):
    return viewer.layers[-1]


def test_the_other_movie_is_magnified_in_the_same_way(
    viewer, repeating, made, movie, other, click, qtbot
):
    assert list(repeating.made.choices) == [made]
    assert list(repeating.on.choices) == [other], "not the movie that the layer was made of"
    assert repeating.recipe.value.startswith("x0, linear, ")
    repeating.on.value = other
    click(repeating, "repeat")
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=20_000)
    layer = newest(viewer)
    assert layer.name == "x0 other linear 1-3 Hz"
    assert layer.colormap.name == "magenta"
    expected = magnify(other.data, 0, method="linear", mode="temporal", band=(1, 3), fps=20)
    assert np.array_equal(layer.data[4].compute(), expected[4].compute())
    assert (repeating.made.value, repeating.on.value) == (made, other), "the choices stay"


def test_the_movie_that_it_came_from_is_never_offered(viewer, repeating, made, movie, other):
    movie.name = "renamed"
    assert list(repeating.on.choices) == [other]
    second = viewer.add_layer(magnify_layer(other, 2, method="linear"))
    repeating.made.value = second
    assert list(repeating.on.choices) == [movie]
    viewer.layers.remove(movie)
    with pytest.raises(ValueError, match="no other movie"):
        repeating()


def test_each_time_another_layer(viewer, repeating, other):
    repeating.on.value = other
    first, second = repeating(), repeating()
    assert first is not second
    assert {first, second} <= set(viewer.layers)


def test_the_script_makes_the_layer(viewer, repeating, other):
    repeating.on.value = other
    layer = repeating()

    class Viewer:
        layers = {"other": other}  # noqa: RUF012

    namespace = {"viewer": Viewer}
    exec(repeating.script(), namespace)
    assert np.array_equal(namespace["magnified"][3].compute(), layer.data[3].compute())


def test_what_does_not_fit_is_told_once_and_adds_nothing(
    viewer, repeating, other, click, notifications
):
    other.scale, other.units = (1, 1, 1), ("pixel",) * 3
    repeating.on.value = other
    click(repeating, "repeat")
    told = [text for severity, text in notifications() if severity == "error"]
    assert len(told) == 1
    assert "does not fit 'other': fps is missing" in told[0]
    assert told[0] == repeating.status.value
    assert len(viewer.layers) == 3


def test_without_a_magnified_layer_it_says_so(viewer, movie, made, repeating):
    viewer.layers.remove(made)
    assert repeating.status.value == NONE_YET
    assert not repeating.repeat.enabled
    with pytest.raises(ValueError, match="no magnified layer yet"):
        repeating()
