"""Comparing methods side by side in a real window."""

import dask.array as da
import numpy as np
import pytest
from napari._app_model import get_app_model

from napari_motionmag.methods.base import METHODS
from napari_motionmag.widgets.compare.grid import canvas_of, scene_of
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

METHODS_COMPARED = ("pixels", "still", "mirror")


class Shifted:
    """The other methods: the frame itself plus a constant; may be told to fail."""

    smallest_frame = 8

    def __init__(self, name, plus):
        self.name, self.plus = name, plus
        self.drawn, self.factors = [], []
        self.error = None

    def magnify(self, frames, operator, times, factor):
        if self.error is not None:
            raise self.error
        self.drawn += list(times)
        self.factors.append(factor)
        return np.stack([frames[t] + self.plus for t in times]).astype(np.float32)


@pytest.fixture
def others(method, monkeypatch):
    """Two more quick methods beside ``"pixels"``."""
    made = {name: Shifted(name, n / 10) for n, name in enumerate(("still", "mirror"))}
    for name, one in made.items():
        monkeypatch.setitem(METHODS, name, lambda *_, one=one: one)
    return made


@pytest.fixture
def widget(viewer, movie, method, others):
    made = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(made, name="Magnify motion")
    made._fields.compare_row.choose_methods(["original", *METHODS_COMPARED])
    return made


@pytest.fixture
def compared(widget, click, settled):
    """Press the button and wait for the layers."""

    def press():
        click(widget, "compare")
        settled(widget)
        return widget._comparison.layers()

    return press


def grid(viewer):
    return canvas_of(viewer).grid


def test_methods_are_shown_side_by_side(viewer, movie, method, others, compared, frames):
    viewer.dims.set_current_step(0, 4)
    layers = compared()
    assert [layer.name for layer in layers] == [
        "pixels x10: cell",
        "still x10: cell",
        "mirror x10: cell",
    ]
    assert list(viewer.layers) == [movie, *layers]
    assert all(layer.visible for layer in viewer.layers)
    assert all(isinstance(layer.data, da.Array) for layer in layers)
    assert grid(viewer).enabled
    assert grid(viewer).stride == 1
    cells = {grid(viewer).position(n, viewer.layers) for n in range(4)}
    assert len(cells) == 4, "a cell for each"
    assert [layer.name_overlay.visible for layer in viewer.layers] == [True] * 4
    # only the frame that is shown, and by each method what that method draws
    assert method.drawn == others["still"].drawn == others["mirror"].drawn == [4]
    assert np.array_equal(layers[1]._data_view, frames[4])
    assert not np.array_equal(layers[0]._data_view, frames[4])
    assert layers[2].metadata["napari_motionmag"]["recipe"]["method"] == "mirror"
    viewer.dims.set_current_step(0, 7)
    assert method.drawn == others["mirror"].drawn == [4, 7]


def test_the_look_is_one(viewer, movie, compared):
    layers = compared()
    movie.contrast_limits = (500, 2000)
    movie.gamma = 0.5
    layers[1].colormap = "magma"
    for layer in viewer.layers:
        assert tuple(layer.contrast_limits) == (500, 2000)
        assert layer.gamma == 0.5
        assert layer.colormap.name == "magma"


def test_a_change_comes_to_all(viewer, widget, method, others, compared, settled):
    layers = compared()
    for factor in (3, 4, 5):
        widget.factor.value = factor
    settled(widget)
    assert widget._comparison.layers() == layers
    assert [layer.name.split(":")[0] for layer in layers] == ["pixels x5", "still x5", "mirror x5"]
    assert others["still"].factors == [10, 5], "only the last of many changes is drawn"
    widget.mode.value = "dynamic"
    settled(widget)
    for layer in layers:
        operator = layer.metadata["napari_motionmag"]["recipe"]["operator"]
        assert operator["operator"] == "dynamic"


def test_all_methods_follow_while_the_factor_is_dragged(widget, compared, qtbot):
    layers = compared()
    widget._timer.setInterval(60_000)  # it does not rest
    for factor in (3, 4):
        widget.factor.value = factor
        qtbot.waitUntil(
            lambda x=f" x{factor}:": all(x in layer.name for layer in layers), timeout=20_000
        )
    assert widget._timer.isActive()


def test_what_is_saved_while_comparing_is_what_the_fields_say(
    widget, method, compared, settled, click, tmp_path, monkeypatch
):
    click(widget, "magnify")
    settled(widget)
    layers = compared()
    widget.factor.value = 4
    settled(widget)
    asked = []
    monkeypatch.setattr(
        "napari_motionmag.widgets.common.dock.ask_file",
        lambda parent, title, suggested, kinds: asked.append(suggested) or tmp_path / "saved.npy",
    )
    click(widget, "save")
    settled(widget)
    assert asked == ["pixels x4 cell.ome.tif"]
    assert np.array_equal(np.load(tmp_path / "saved.npy"), layers[0].data.compute())


def test_slow_methods_are_coarse_while_dragging_and_fine_at_rest(
    widget, others, compared, settled, monkeypatch
):
    results = compared() and widget._comparison.results()
    monkeypatch.setattr(widget._drawing._pace, "reduction", lambda kind, side: 2)
    heights = []

    def draw(frames, operator, times, factor, draw=others["still"].magnify):
        heights.append(frames[times[0]].shape[0])
        return draw(frames, operator, times, factor)

    monkeypatch.setattr(others["still"], "magnify", draw)
    widget.factor.value = 4
    settled(widget)
    assert heights == [10, 20]
    assert all(result.coarse is None for result in results)


def test_long_names_lose_their_middle(viewer, movie, widget, compared):
    movie.name = "a long name of a movie, such as microscopes write, with a number at the end 0042"
    layers = compared()
    for layer in layers:
        start, name = layer.name.split(": ")
        assert start.endswith(" x10")
        assert len(name) < len(movie.name)
        assert name.startswith("a long")
        assert "…" in name
        assert name.endswith("0042")
    assert len({layer.name_overlay.font_size for layer in viewer.layers}) == 1


def test_comparing_again_replaces(viewer, widget, movie, compared):
    first = compared()
    widget._fields.compare_row.choose_methods(["still", "mirror"])
    second = compared()
    assert len(second) == 2
    assert not set(first) & set(viewer.layers)
    assert list(viewer.layers) == [movie, *second]
    assert not movie.visible, "the original was not chosen"


def test_the_way_back(viewer, widget, movie, compared, click, frames, settled):
    other = viewer.add_image(frames, name="other", visible=False)
    labels = viewer.add_labels(np.ones((20, 24), int), name="mask")
    widget.layer.value = movie
    grid(viewer).stride, grid(viewer).shape, grid(viewer).spacing = 2, (1, 3), 0.1
    scene_of(viewer).camera.zoom = 3.5
    viewer.layers.selection.active = labels
    compared()
    assert not labels.visible
    compared()
    click(widget, "end_comparison")
    assert list(viewer.layers) == [movie, other, labels]
    assert [layer.visible for layer in viewer.layers] == [True, False, True]
    assert not grid(viewer).enabled
    assert (grid(viewer).stride, grid(viewer).shape, grid(viewer).spacing) == (2, (1, 3), 0.1)
    assert scene_of(viewer).camera.zoom == 3.5
    assert viewer.layers.selection.active is labels
    assert not movie.name_overlay.visible
    movie.contrast_limits = (700, 900)  # nothing is linked any more
    assert tuple(other.contrast_limits) != (700, 900)
    assert not widget._fields.compare_row.end.native.isVisible()


def test_layers_can_be_kept(viewer, widget, movie, compared, click):
    layers = compared()
    widget._fields.compare_row.keep.value = True
    click(widget, "end_comparison")
    assert list(viewer.layers) == [movie, *layers]
    assert [layer.visible for layer in viewer.layers] == [True, False, False, False]
    layers[0].visible = True
    viewer.dims.set_current_step(0, 9)
    assert layers[0]._data_view.shape == (20, 24)


def test_layers_that_the_user_named_are_kept(viewer, movie, widget, compared, click):
    layers = compared()
    layers[1].name = "the good one"
    click(widget, "end_comparison")
    assert list(viewer.layers) == [movie, layers[1]]


def test_a_method_that_fails(viewer, widget, others, compared, notifications, settled):
    others["still"].error = ValueError("the movie is too calm")
    layers = compared()
    assert [layer.name for layer in layers] == ["pixels x10: cell", "mirror x10: cell"]
    assert [text for _, text in notifications()] == ["Still: the movie is too calm"]
    widget.factor.value = 3
    settled(widget)
    assert len(notifications()) == 1, "told already"
    others["still"].error = None
    others["mirror"].error = RuntimeError("out of order")
    widget.factor.value = 4
    settled(widget)
    names = {layer.name: layer.visible for layer in viewer.layers}
    assert names["still x4: cell"]
    assert not names["mirror x3: cell"], "what is shown is by the settings of now"
    assert "Mirror: RuntimeError: out of order" in notifications()[-1][1]
    others["mirror"].error = None
    widget.factor.value = 5
    settled(widget)
    assert {layer.name: layer.visible for layer in viewer.layers}["mirror x5: cell"]


def test_what_befalls_all_is_told_once_and_changes_nothing(
    viewer, widget, movie, compared, notifications
):
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = 30, 40
    assert compared() == []
    assert len(notifications()) == 1
    assert "band" in notifications()[0][1]
    assert not grid(viewer).enabled
    assert list(viewer.layers) == [movie]


def test_nothing_chosen(widget, compared, notifications):
    widget._fields.compare_row.choose_methods(["original"])
    assert compared() == []
    assert "at least one method" in notifications()[0][1]
    with pytest.raises(ValueError, match="phaze"):
        widget.compare(["phaze"])


def test_the_movie_is_removed(viewer, widget, movie, compared, settled, click):
    layers = compared()
    viewer.layers.remove(movie)
    widget.factor.value = 3
    settled(widget)
    assert list(viewer.layers) == layers
    assert all(layer.name.split(":")[0].endswith("x10") for layer in layers)
    viewer.dims.set_current_step(0, 8)
    assert layers[0]._data_view.shape == (20, 24)
    click(widget, "end_comparison")
    assert len(viewer.layers) == 0
    assert not grid(viewer).enabled


def test_the_movie_is_removed_before_anything_is_drawn(
    viewer, widget, movie, method, frames, click, settled
):
    other = viewer.add_image(frames, name="other")
    widget.layer.value = movie
    method.gate.clear()
    click(widget, "compare")
    assert not other.visible
    viewer.layers.remove(movie)
    method.gate.set()
    settled(widget)
    assert list(viewer.layers) == [other]
    assert other.visible
    assert not grid(viewer).enabled
    assert not widget._comparison.active


def test_another_movie_is_chosen(viewer, widget, movie, compared, frames, settled):
    layers = compared()
    other = viewer.add_image(frames[:6], name="other")
    widget.layer.value = other
    widget.factor.value = 3
    settled(widget)
    assert [layer.name.split(":")[0].split("x")[-1] for layer in layers] == ["10"] * 3
    again = compared()
    assert [layer.name for layer in again] == [f"{m} x3: other" for m in METHODS_COMPARED]
    assert list(viewer.layers) == [movie, other, *again]


def test_compared_layers_are_removed(viewer, widget, movie, compared, settled, qtbot):
    layers = compared()
    viewer.layers.remove(layers[0])
    widget.factor.value = 3
    settled(widget)
    assert list(viewer.layers) == [movie, *layers[1:]], "it does not come back"
    viewer.layers.selection = set(layers[1:])
    viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: not widget._comparison.active, timeout=5000)
    assert not grid(viewer).enabled


def test_a_layer_that_is_hidden_costs_nothing(viewer, widget, others, compared, settled):
    layers = compared()
    layers[1].visible = False
    drawn = list(others["still"].drawn)
    widget.factor.value = 3
    settled(widget)
    assert others["still"].drawn == drawn
    assert layers[1].name == "still x3: cell"
    assert not layers[1].visible


def test_three_dimensions(viewer, widget, compared, qtbot, notifications, settled):
    layers = compared()
    viewer.dims.ndisplay = 3
    settled(widget)
    assert not any(layer.visible for layer in layers)
    assert len([text for _, text in notifications() if "Compute all" in text]) == 1
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: all(layer.visible for layer in layers), timeout=5000)


def test_the_grid_is_left_by_hand(viewer, widget, compared, click, settled):
    compared()
    grid(viewer).enabled = False
    widget.factor.value = 2
    settled(widget)
    click(widget, "end_comparison")
    assert not grid(viewer).enabled
    assert len(viewer.layers) == 1


def test_two_widgets(viewer, widget, movie, compared, settled):
    second = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(second, name="Another")
    compared()
    second.layer.value = movie
    second.compare(["still"])
    settled(second)
    assert not widget._comparison.active
    assert [layer.name for layer in viewer.layers] == ["cell", "still x10: cell"]
    second.end_comparison()
    assert not grid(viewer).enabled
    assert movie.visible


@pytest.mark.parametrize("keep", [False, True])
def test_the_widget_is_closed(viewer, widget, movie, compared, qtbot, keep):
    layers = compared()
    widget._fields.compare_row.keep.value = keep
    viewer.window.remove_dock_widget(widget.native)
    qtbot.waitUntil(lambda: not widget._comparison.active, timeout=5000)
    assert not grid(viewer).enabled
    assert movie.visible
    assert all(layer in viewer.layers for layer in layers)
    viewer.dims.set_current_step(0, 3)


def test_the_viewer_is_closed_meanwhile(make_napari_viewer, frames, method, others, qtbot):
    viewer = make_napari_viewer()
    viewer.add_image(frames, name="cell")
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    method.seconds = 0.05
    widget.compare(["pixels", "still"])
    viewer.close()
    qtbot.waitUntil(lambda: not widget._comparison._frame_runner.working, timeout=10_000)


@pytest.mark.parametrize(
    ("shape", "axes", "rgb"),
    [
        ((6, 2, 3, 16, 20), "TZCYX", False),
        ((6, 16, 20, 3), "TYXS", True),
        ((6, 8, 8), "TYX", False),
    ],
)
def test_other_movies(viewer, widget, others, compared, shape, axes, rgb):
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    labels = tuple(axes.lower().replace("s", ""))
    widget.layer.value = viewer.add_image(data, name="bad", rgb=rgb, axis_labels=labels)
    layers = compared()
    assert [layer.data.shape for layer in layers] == [shape] * 3
    assert all(layer.rgb == rgb for layer in layers)


@pytest.mark.parametrize("shape", [(1, 20, 20), (6, 5, 20)])
def test_movies_that_do_not_do(viewer, widget, compared, notifications, shape):
    layer = viewer.add_image(np.zeros(shape, np.uint8), name="bad")
    widget.layer.value = layer
    before = [layer.visible for layer in viewer.layers]
    assert compared() == []
    assert len([text for severity, text in notifications() if severity == "error"]) == 1
    assert [layer.visible for layer in viewer.layers] == before
    assert not grid(viewer).enabled


def test_the_menu_compares_the_active_layer(make_napari_viewer, frames, method, others, settled):
    viewer = make_napari_viewer()
    cell = viewer.add_image(frames, name="cell")
    viewer.add_image(frames, name="other")
    _, widget = viewer.window.add_plugin_dock_widget("napari-motionmag", "Magnify motion")
    widget._fields.compare_row.choose_methods(["still"])
    viewer.layers.selection.active = cell
    get_app_model().commands.execute_command("napari-motionmag.compare").result()
    settled(widget)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["still x10: cell"]
