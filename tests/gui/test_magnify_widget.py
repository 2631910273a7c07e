"""The dock widget in a real window: a movie goes in, a magnified layer comes out."""

import dask.array as da
import numpy as np
import pytest
from frame_walk import called_files, walk
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_motionmag import magnify
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.methods.learned import kernels
from napari_motionmag.widgets.magnify.dock import MagnifyWidget


def test_magnify_adds_a_lazy_calibrated_layer(viewer, movie, widget, method, magnified, frames):
    movie.translate = (1, 2, 3)
    movie.colormap = "viridis"
    movie.gamma = 0.8
    movie.interpolation2d = "linear"
    movie.contrast_limits_range = (0, 9000)
    widget.factor.value = 3
    layer = magnified()
    assert layer.name == "x3 cell pixels static"
    assert isinstance(layer.data, da.Array)
    assert (layer.data.shape, layer.data.dtype) == (frames.shape, frames.dtype)
    for name in ("scale", "translate", "rotate", "shear", "units", "axis_labels", "gamma"):
        assert np.array_equal(getattr(layer, name), getattr(movie, name)), name
    for name in ("contrast_limits", "contrast_limits_range", "interpolation2d", "rgb"):
        assert getattr(layer, name) == getattr(movie, name), name
    assert layer.colormap.name == "viridis"
    assert layer.projection_mode == "none"
    about = layer.metadata["napari_motionmag"]
    assert about["source"] == "cell"
    assert about["recipe"]["factor"] == 3
    # x3 of the difference from frame 0, by arithmetic
    expected = frames[5] + 2 * (frames[5].astype(int) - frames[0])
    assert np.abs(np.asarray(layer.data[5]).astype(int) - expected).max() <= 1
    assert widget.layer.value is movie, "the choice of the movie stays"


def test_only_the_frame_that_is_shown_is_drawn(viewer, widget, method, magnified, qtbot):
    viewer.dims.set_current_step(0, 4)
    magnified()
    assert method.drawn == [4]
    viewer.dims.set_current_step(0, 7)
    assert method.drawn == [4, 7]
    viewer.dims.set_current_step(0, 4)  # kept
    assert method.drawn == [4, 7]


def test_a_change_redraws_only_the_frame_that_is_shown(
    viewer, widget, method, magnified, qtbot, frames
):
    viewer.dims.set_current_step(0, 4)
    layer = magnified()
    method.drawn.clear()
    widget.factor.value = 20
    qtbot.waitUntil(lambda: layer.name == "x20 cell pixels static", timeout=10_000)
    assert method.drawn == [4]
    assert len(viewer.layers) == 2
    assert layer.metadata["napari_motionmag"]["recipe"]["factor"] == 20
    expected = frames[4] + 19 * (frames[4].astype(int) - frames[0])
    assert np.abs(layer._data_view.astype(int) - np.clip(expected, 0, 65535)).max() <= 1


def test_many_changes_in_a_row_draw_once(viewer, widget, method, magnified, qtbot):
    layer = magnified()
    method.drawn.clear()
    for factor in range(2, 30):
        widget.factor.value = factor
    qtbot.waitUntil(lambda: layer.name == "x29 cell pixels static", timeout=10_000)
    assert len(method.drawn) == 1


def test_the_slider_and_the_number_follow_each_other(widget, magnified, qtbot):
    row = widget._fields.factor_row
    layer = magnified()
    row.slider.value = row.slider.max
    assert widget.factor.value == 1000
    qtbot.waitUntil(lambda: layer.name == "x1000 cell pixels static", timeout=10_000)
    widget.factor.value = 0
    assert row.slider.value == 0
    widget.factor.value = -5
    assert (widget.factor.value, row.slider.value) == (-5, 0)


def test_changes_while_a_frame_is_drawn_end_with_the_last(widget, method, magnified, qtbot):
    layer = magnified()
    method.gate.clear()
    widget.factor.value = 5
    qtbot.waitUntil(lambda: widget._drawing.live.working, timeout=10_000)
    for factor in (6, 7):
        widget.factor.value = factor
        qtbot.waitUntil(lambda: not widget._timer.isActive(), timeout=5000)
    assert layer.name == "x10 cell pixels static"  # still free to be used
    method.gate.set()
    qtbot.waitUntil(lambda: layer.name == "x7 cell pixels static", timeout=10_000)


def test_not_live_waits_for_the_button(widget, method, magnified, qtbot, click, settled):
    layer = magnified()
    widget.live.value = False
    method.drawn.clear()
    widget.factor.value = 4
    settled(widget)
    assert method.drawn == []
    click(widget, "magnify")
    qtbot.waitUntil(lambda: layer.name == "x4 cell pixels static", timeout=10_000)


def test_frames_are_drawn_outside_the_main_thread(widget, method, magnified):
    import threading

    magnified()
    assert threading.get_ident() not in method.threads


def test_from_a_script(viewer, widget, method, frames):
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = 1, 3
    widget.factor.value = 8
    layer = widget()
    assert layer in viewer.layers
    assert layer.name == "x8 cell pixels 1-3 Hz"
    widget.factor.value = 9
    assert widget() is layer
    widget.band_high.value = 500
    with pytest.raises(ValueError, match="band"):
        widget()
    assert layer.metadata["napari_motionmag"]["recipe"]["factor"] == 9


def test_same_as_magnify(viewer, movie, widget, frames):
    kernels.available()  # while they are loaded, the dock's first frame is drawn without
    widget.method.value = "learned"
    widget.mode.value = "dynamic"
    widget.factor.value = 6
    layer = widget()
    expected = magnify(frames, 6, mode="dynamic")
    assert np.array_equal(layer.data[5].compute(), expected[5].compute())


def test_fields_that_do_not_apply_are_hidden(viewer, widget):
    def shown():
        return {name for name in vars(widget._fields) if _visible(widget, name)}

    assert not {"mean_row", "filter", "device"} & shown(), "these are folded at first"
    widget._fields.more.opened = True
    static = shown()
    assert {"layer", "factor_row", "mode", "reference_row", "mean_row", "method"} <= static
    assert not {"band_row", "fps", "filter", "axes", "model", "model_file"} & static
    widget.mode.value = "temporal"
    assert {"band_row", "fps", "filter"} <= shown()
    assert not {"reference_row", "mean_row"} & shown()
    widget.method.value = "learned"
    assert "model" in shown()
    assert "model_file" not in shown()
    widget.model.value = "file"
    assert "model_file" in shown()


@pytest.mark.parametrize("mode", ["static", "dynamic", "temporal"])
def test_eight_fields_at_most_are_shown_at_first(widget, mode):
    widget.mode.value, widget.method.value = mode, "learned"
    fields = widget._fields
    rows = [*fields.movie_form, *fields.form]
    shown = [row.name for row in rows if row.native.isVisibleTo(widget.native)]
    assert len(shown) <= 8, shown
    assert {"layer", "preset", "mode", "factor_row", "method"} <= set(shown)


def test_a_rate_that_is_in_doubt_can_be_filled_in_for_every_motion(viewer, widget, movie):
    assert widget.mode.value == "static"
    assert not _visible(widget, "fps")
    plain = viewer.add_image(np.zeros((5, 20, 20), np.uint8), name="plain")
    widget.layer.value = plain
    assert _visible(widget, "fps")
    widget.fps.value = 500
    assert _visible(widget, "fps"), "so that it can be corrected"
    widget.layer.value = movie
    assert not _visible(widget, "fps")
    plain.metadata = {"fps_note": "25 fps may be only the playback speed"}
    plain.scale, plain.units = (0.04, 1, 1), ("s", "um", "um")
    widget.layer.value = plain
    assert widget.fps.value == pytest.approx(25)
    assert _visible(widget, "fps")


def test_a_video_without_a_rate_is_refused_in_words_of_the_dock(
    viewer, widget, method, click, qtbot, tmp_path, settled, notifications
):
    widget.layer.value = viewer.add_image(np.zeros((5, 20, 20), np.uint8), name="plain")
    click(widget, "magnify")
    settled(widget)
    widget.save_to(tmp_path / "film.mp4")
    settled(widget)
    assert ("error", "fps is needed to write a video: fill in “Rate”") in notifications()


def _visible(widget, name):
    native = getattr(getattr(widget._fields, name), "native", None)
    return isinstance(native, QWidget) and native.isVisible()


def test_fields_are_filled_from_the_layer(viewer, widget, movie):
    assert widget.fps.value == pytest.approx(10)
    assert widget.reference.max == 11
    movie.scale = (0.05, 0.5, 0.5)
    assert widget.fps.value == pytest.approx(20)
    plain = viewer.add_image(np.zeros((5, 20, 20), np.uint8), name="plain")
    widget.layer.value = plain
    assert widget.fps.value == 0
    assert widget.reference.max == 4


def test_what_a_sample_suggests_is_filled_in(viewer, widget, movie):
    suggestion = {"factor": 25.0, "mode": "temporal", "band": (1.5, 2.5)}
    sample = viewer.add_image(movie.data, scale=movie.scale, units=movie.units)
    sample.metadata = {"suggestion": suggestion}
    widget.layer.value = sample
    assert (widget.factor.value, widget.mode.value) == (25, "temporal")
    assert (widget.band_low.value, widget.band_high.value) == (1.5, 2.5)
    sample.metadata = {"suggestion": {"mode": "static", "reference": slice(2, 6)}}
    widget.layer.value = movie
    widget.layer.value = sample
    assert (widget.reference.value, widget.reference_frames.value) == (2, 4)


def test_the_current_frame_becomes_the_reference(viewer, widget, click, magnified, frames):
    viewer.dims.set_current_step(0, 3)
    click(widget, "reference_current")
    assert widget.reference.value == 3
    widget.reference_frames.value = 2
    recipe = magnified().metadata["napari_motionmag"]["recipe"]
    expected = magnify(frames, 10, reference=slice(3, 5), fps=10)
    assert recipe["operator"] == _operator_recipe(slice(3, 5))
    assert expected.shape == frames.shape


def _operator_recipe(reference):
    from napari_motionmag.temporal import Static

    return Static(reference, fps=10.0).to_dict()


def test_new_layers_are_offered(viewer, widget, movie):
    other = viewer.add_image(np.zeros((4, 20, 20), np.uint8), name="other")
    viewer.add_labels(np.zeros((4, 20, 20), np.uint8))
    assert list(widget.layer.choices) == [movie, other]
    viewer.layers.remove(movie)
    assert list(widget.layer.choices) == [other]
    viewer.layers.clear()
    assert list(widget.layer.choices) == []


def test_only_movies_are_offered(viewer, widget, movie):
    viewer.add_image(np.zeros((20, 24)), name="picture")
    viewer.add_image(np.zeros((3, 20, 24)), name="channels", axis_labels=("c", "y", "x"))
    unclear = viewer.add_image(np.zeros((2, 5, 20, 24)), name="unclear")
    assert list(widget.layer.choices) == [movie, unclear]


def test_frames_of_a_removed_layer_are_given_back(viewer, widget, magnified, qtbot):
    layer = magnified()
    cache = magnification_behind(layer.data).cache
    np.asarray(layer.data[3])
    assert cache.nbytes > 0
    viewer.layers.remove(layer)
    assert cache.nbytes == 0


def test_the_result_follows_a_layer_that_is_moved_or_calibrated(
    viewer, movie, widget, magnified, settled
):
    layer = magnified()
    movie.translate = (0, 2, 4)
    movie.rotate = 20
    movie.affine = np.diag([1, 2, 1, 1])
    movie.units = ("ms", "nm", "nm")
    movie.axis_labels = ("t", "row", "column")
    settled(widget)
    for name in ("scale", "translate", "rotate", "units", "axis_labels"):
        assert np.array_equal(getattr(layer, name), getattr(movie, name)), name
    assert np.array_equal(layer.affine.affine_matrix, movie.affine.affine_matrix)


def test_what_was_said_of_a_movie_goes_with_it(viewer, widget, movie, settled):
    small = viewer.add_image(np.zeros((9, 5, 6), np.uint8), name="small")
    widget.layer.value = small
    widget.draw()
    settled(widget)
    assert "must be at least 8 x 8 px" in widget.status.value
    viewer.layers.clear()
    assert widget.status.value == "Open a movie"


def test_each_movie_has_a_layer_of_its_own(viewer, widget, method, magnified, frames, qtbot, click):
    first = magnified()
    other = viewer.add_image(frames[:6] + 5, name="other")
    widget.layer.value = other
    click(widget, "magnify")
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=10_000)
    assert viewer.layers[-1].name == "x10 other pixels static"
    assert first.name == "x10 cell pixels static"


def test_a_result_that_was_renamed_or_removed(viewer, widget, magnified, qtbot, result, settled):
    layer = magnified()
    layer.name = "mine"
    widget.factor.value = 4
    qtbot.waitUntil(
        lambda: layer.metadata["napari_motionmag"]["recipe"]["factor"] == 4, timeout=10_000
    )
    assert layer.name == "mine"
    viewer.layers.remove(layer)
    widget.factor.value = 5  # nothing to bring up to date
    settled(widget)
    assert result() is None
    assert magnified().name == "x5 cell pixels static"


def test_time_across_the_picture_hides_the_lazy_layer(
    viewer, widget, method, magnified, notifications, qtbot, settled
):
    layer = magnified()
    drawn = len(method.drawn)
    viewer.dims.order = (1, 0, 2)
    settled(widget)
    assert len(method.drawn) == drawn, "all frames would have been drawn"
    assert not layer.visible
    assert [severity for severity, text in notifications() if "Compute all" in text][:1] == [
        "warning"
    ]
    layer.visible = True
    settled(widget)
    assert not layer.visible, "hidden again"
    viewer.dims.order = (0, 1, 2)
    qtbot.waitUntil(lambda: layer.visible, timeout=5000)
    viewer.dims.ndisplay = 3
    settled(widget)
    assert not layer.visible
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: layer.visible, timeout=5000)
    assert len(method.drawn) <= drawn + 1


def test_channels_and_colour(viewer, method, qtbot):
    rng = np.random.default_rng(0)
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    volume = rng.integers(0, 255, (6, 2, 16, 20)).astype(np.uint8)
    widget.layer.value = viewer.add_image(volume, name="two", axis_labels=("t", "c", "y", "x"))
    viewer.dims.current_step = (3, 1, 0, 0)
    layer = widget()
    assert method.drawn == [3]
    assert layer.data.shape == volume.shape
    method.drawn.clear()
    colour = rng.integers(0, 255, (6, 16, 20, 3)).astype(np.uint8)
    widget.layer.value = viewer.add_image(colour, name="colour", rgb=True)
    assert widget().rgb
    assert isinstance(viewer.layers[-1], Image)


def test_npe2_offers_the_widget(make_napari_viewer, method, frames):
    viewer = make_napari_viewer()
    viewer.add_image(frames, name="cell")
    _, widget = viewer.window.add_plugin_dock_widget("napari-motionmag", "Magnify motion")
    assert isinstance(widget, MagnifyWidget)
    assert widget() in viewer.layers


def test_clearing_the_rate_goes_back_to_the_layer(widget):
    widget.mode.value = "temporal"
    widget.fps.value = 25
    assert widget.fps.value == 25
    widget.fps.value = 0
    assert widget.fps.value == pytest.approx(10)


def test_a_frame_near_an_end_is_said_to_be_less_certain(viewer, widget, movie, magnified, qtbot):
    magnified()
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = 2, 4
    for frame, near in ((0, True), (6, False)):
        viewer.dims.set_current_step(0, frame)
        widget.factor.value = 5 + frame  # drawn at once
        qtbot.waitUntil(lambda t=frame: f"Frame {t} drawn" in widget.status.value, timeout=20_000)
        assert ("near an end of the movie, less certain" in widget.status.value) == near


def test_a_rate_that_may_be_only_that_of_playing_is_said_until_one_is_typed(viewer, widget, movie):
    note = "25 fps may be only the playback speed"
    film = viewer.add_image(movie.data, scale=(0.04, 1, 1), units=("s", "pixel", "pixel"))
    film.metadata = {"fps_note": note}
    widget.layer.value = film
    assert note in widget.status.value
    widget.fps.value = 250
    assert "250 fps" in widget.status.value
    assert note not in widget.status.value
    widget.layer.value = movie
    widget.layer.value = film
    assert "250 fps" in widget.status.value
    assert note not in widget.status.value


def test_the_rate_that_was_typed_counts(widget):
    widget.mode.value = "temporal"
    widget.fps.value = 250
    widget.band_low.value, widget.band_high.value = 20, 60
    assert widget().metadata["napari_motionmag"]["recipe"]["fps"] == 250


@pytest.mark.filterwarnings("always")
def test_warnings_are_told_once(viewer, widget, method, magnified, qtbot, notifications, click):
    from napari.utils.notifications import notification_manager

    layer = magnified()
    method.warns = True
    with notification_manager:  # as in a running napari
        for t in range(6, 12):
            viewer.dims.set_current_step(0, t)
        qtbot.waitUntil(lambda: "frame 11 is doubtful" in widget.status.value, timeout=5000)
        for factor in (2, 3):
            widget.factor.value = factor
            name = f"x{factor} cell pixels static"
            qtbot.waitUntil(lambda name=name: layer.name == name, timeout=10_000)
        told = [text for _, text in notifications() if "doubtful" in text]
        assert len(told) == 1
        click(widget, "compute_all")
        qtbot.waitUntil(lambda: not widget.working, timeout=10_000)
        qtbot.waitUntil(lambda: "doubtful" in widget.status.value, timeout=5000)
        assert len([text for _, text in notifications() if "doubtful" in text]) <= 2


def test_the_walk_from_the_button_is_the_way_of_a_frame(viewer, movie, click, settled):
    """The walk is that of CONTRIBUTING.md, by the network `difference`."""
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    called = set()
    for mode in ("static", "temporal"):
        widget.mode.value = mode
        settled(widget)
        called |= called_files(lambda: (click(widget, "magnify"), settled(widget)))
    missing = walk("**From the button") - called
    assert not missing, sorted(called)


def test_a_gpu_stays_chosen_when_layers_come(viewer, movie, method, frames, monkeypatch):
    devices = "napari_motionmag.widgets.common.devices.device_names"
    monkeypatch.setattr(devices, lambda: ["cpu", "cuda"])
    made = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(made)
    made.device.value = "cuda"
    viewer.add_image(frames, name="another")
    assert made.device.choices == ("auto", "cpu", "cuda")
    assert made.device.value == "cuda"
