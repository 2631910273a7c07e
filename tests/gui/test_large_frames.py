"""A region and a lower resolution, chosen in the widget."""

import numpy as np
import pytest

DRAWS_CANVAS = True


def _made(viewer):
    return [layer for layer in viewer.layers if "napari_motionmag" in layer.metadata]


def test_a_rectangle_is_magnified_where_it_lies_and_moves_along(
    viewer, movie, widget, method, magnified, qtbot, frames
):
    movie.translate = (0, 3, 4)
    widget.factor.value = 3
    # world: 0.5 a pixel; rows 4..11, columns 6..17
    corner, end = np.array([4, 6]) * 0.5 + (3, 4), np.array([11, 17]) * 0.5 + (3, 4)
    shapes = viewer.add_shapes([np.array([corner, end])], shape_type="rectangle", name="here")
    widget.region.value = shapes
    viewer.dims.set_current_step(0, 5)
    layer = magnified()
    assert layer.metadata["napari_motionmag"]["recipe"]["region"] == (4, 12, 6, 18)
    assert layer.data.shape == (12, 8, 12)
    expected = frames[5] + 2 * (frames[5].astype(int) - frames[0])
    assert np.abs(np.asarray(layer.data[5]).astype(int) - expected[4:12, 6:18]).max() <= 1
    assert np.allclose(layer.data_to_world((5, 0, 0)), movie.data_to_world((5, 4, 6)))

    shapes.data = [np.array([corner, end]) + (1, 0)]  # two pixels down
    qtbot.waitUntil(
        lambda: layer.metadata["napari_motionmag"]["recipe"]["region"] == (6, 14, 6, 18),
        timeout=10_000,
    )
    assert _made(viewer) == [layer]
    assert np.allclose(layer.data_to_world((5, 0, 0)), movie.data_to_world((5, 6, 6)))

    widget.region.value = None
    qtbot.waitUntil(lambda: layer.data.shape == frames.shape, timeout=10_000)
    assert _made(viewer) == [layer]
    assert np.allclose(layer.translate, movie.translate)


def test_an_edit_in_place_is_seen_after_refresh(
    viewer, movie, widget, method, magnified, click, qtbot, frames
):
    widget.factor.value = 3
    layer = magnified()
    token = layer.data.name
    movie.data[0] += 100  # the reference
    click(widget, "refresh")
    qtbot.waitUntil(lambda: layer.data.name != token, timeout=10_000)
    expected = frames[5] + 2 * (frames[5].astype(int) - movie.data[0].astype(int))
    assert np.abs(np.asarray(layer.data[5]).astype(int) - np.clip(expected, 0, None)).max() <= 1


def test_half_the_resolution_covers_the_same_place(viewer, movie, widget, method, magnified, qtbot):
    widget.preview.value = 2
    layer = magnified()
    assert layer.data.shape == (12, 10, 12)
    assert np.allclose(layer.scale, (0.1, 1, 1))
    for mine, its in (((0, -0.5, -0.5), (0, -0.5, -0.5)), ((0, 9.5, 11.5), (0, 19.5, 23.5))):
        assert np.allclose(layer.data_to_world(mine), movie.data_to_world(its))
    widget.preview.value = 1
    qtbot.waitUntil(lambda: layer.data.shape == movie.data.shape, timeout=10_000)
    assert np.allclose(layer.scale, movie.scale)


def test_no_shape_yet_is_said(viewer, movie, widget, qtbot):
    widget.region.value = viewer.add_shapes(name="empty")
    with pytest.raises(ValueError, match="draw a rectangle"):
        widget()


def test_a_shape_beside_the_movie_is_said(viewer, movie, widget, qtbot):
    beside = np.array([[100, 100], [120, 120]])
    widget.region.value = viewer.add_shapes([beside], shape_type="rectangle")
    with pytest.raises(ValueError, match="no pixel"):
        widget()


def test_asynchronous_slicing(viewer, movie, widget, method, magnified, qtbot, frames):
    from napari.settings import get_settings

    get_settings().experimental.async_ = True
    try:
        widget.factor.value = 4
        layer = magnified()
        for t in (1, 2, 3, 4, 5, 9, 10, 11, 0, 7):
            viewer.dims.set_current_step(0, t)
            widget.factor.value = 4 + t / 10
            qtbot.wait(15)
        qtbot.waitUntil(lambda: layer.name.startswith("x4.7 cell "), timeout=10_000)
        expected = frames[7] + 3.7 * (frames[7].astype(float) - frames[0])
        expected = np.clip(expected, 0, 65535)
        qtbot.waitUntil(
            lambda: np.abs(np.asarray(layer._data_view, float) - expected).max() <= 1,
            timeout=10_000,
        )
    finally:
        get_settings().experimental.async_ = False
