"""The dock "Slice view" in a real window."""

import dask.array as da
import napari
import numpy as np
import pytest
import tifffile

from napari_motionmag import magnify_layer, views
from napari_motionmag.widgets.common import jobs
from napari_motionmag.widgets.slices import dock as slice_dock
from napari_motionmag.widgets.slices import layers as slice_layers
from napari_motionmag.widgets.slices.dock import SliceViewWidget


@pytest.fixture
def viewer(viewer):
    return viewer


@pytest.fixture
def dock(viewer, movie):
    made = SliceViewWidget(viewer)
    viewer.window.add_dock_widget(made, name="Slice view")
    return made


def shown(dock):
    """Slices that are drawn, as (name, time x position array)."""
    return [(cut.layer.name, picture.view) for cut, picture in dock._pictures()]


def test_starts_with_the_middle_row(viewer, dock, settled, frames):
    settled(dock)
    ((name, view),) = shown(dock)
    assert name == "cell"
    np.testing.assert_allclose(view, frames[:, 10])
    (axes,) = dock.canvas.figure.axes
    assert axes.get_xlabel() == "time (s)"
    assert axes.get_ylabel() == "position (µm)"
    assert dock.status.value == "Line of 11.5 µm over 1.2 s"


def test_columns_and_width(dock, settled, frames):
    dock.along.value = "y"
    assert dock.position.max == 23
    dock.position.value = 7
    dock.line_width.value = 3
    settled(dock)
    ((_, view),) = shown(dock)
    np.testing.assert_allclose(view, frames[:, :, 6:9].mean(axis=-1), rtol=1e-6)


def test_a_line_is_added_and_followed_while_it_is_dragged(viewer, movie, dock, settled, frames):
    shapes = dock.add_line()
    settled(dock)
    assert shapes.mode == "direct"
    assert viewer.layers.selection.active is shapes
    assert shapes.units == movie.units[1:]
    # world coordinates: um, 0.5 um a pixel
    shapes.data = [np.array([[2, 1], [2, 11]])]
    settled(dock)
    ((_, view),) = shown(dock)
    np.testing.assert_allclose(view, frames[:, 4, 2:23], rtol=1e-6)
    # as napari does while a corner is dragged: the data change and the layer is drawn again
    shapes._data_view.edit(0, np.array([[3, 1], [3, 11]]))
    shapes.refresh()
    settled(dock)
    ((_, view),) = shown(dock)
    np.testing.assert_allclose(view, frames[:, 6, 2:23], rtol=1e-6)


def test_paths_and_rotated_layers(viewer, movie, dock, settled, frames):
    movie.rotate = 30
    movie.translate = (0, 3, -2)
    world = [movie.data_to_world((0, *corner))[1:] for corner in [(4, 2), (4, 12), (14, 12)]]
    shapes = viewer.add_shapes([np.array(world)], shape_type="path", ndim=2)
    dock.along.value, dock.lines.value = "line", shapes
    settled(dock)
    ((_, view),) = shown(dock)
    assert view.shape == (12, 21)
    np.testing.assert_allclose(view[:, :11], frames[:, 4, 2:13], atol=0.05)
    np.testing.assert_allclose(view[:, 11:], frames[:, 5:15, 12], atol=0.05)


def test_the_added_line_fits_a_rotated_layer(movie, dock, settled):
    movie.rotate = 40
    dock.add_line()
    settled(dock)
    cut, _ = dock._shown[0]
    np.testing.assert_allclose(cut.line, [(9.5, 3.45), (9.5, 19.55)], atol=1e-6)


def test_the_added_line_crosses_what_moves_in_the_band_of_a_result(viewer, movie, qtbot, click):
    t, at = np.arange(96) / 48, np.arange(48)
    slow = 1 / (1 + np.exp(at - 12 - 2 * np.sin(2 * np.pi * 2 * t)[:, None]))  # 2 Hz, along y
    fast = 1 / (1 + np.exp(36 + 0.3 * np.sin(2 * np.pi * 12 * t)[:, None] - at))  # 12 Hz, along x
    frames = np.random.default_rng(3).normal(0, 2, (96, 48, 48))
    frames[:, :, :20] += 3000 * slow[:, :, None]
    frames[:, :, 28:] += 3000 * fast[:, None, 28:]
    layer = viewer.add_image(frames.astype(np.float32), name="bars", scale=(1 / 48, 1, 1))
    layer.units = ("s", "um", "um")
    viewer.add_layer(magnify_layer(layer, 5, method="linear", mode="temporal", band=(10, 14)))
    dock = SliceViewWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Slice view")
    click(dock, "draw_line")
    ((_, x0), (_, x1)) = dock.lines.value.data[0]
    assert x0 < 36 < x1


def test_layers_are_compared(viewer, movie, dock, settled, frames):
    other = viewer.add_image(frames[:8] // 2, name="shorter", scale=movie.scale, units=movie.units)
    dock.layers.value = [movie, other]
    settled(dock)
    (_, first), (name, second) = shown(dock)
    assert (name, len(first), len(second)) == ("shorter", 12, 8)
    np.testing.assert_allclose(second, frames[:8, 10] // 2)
    assert len(dock.canvas.figure.axes) == 2
    dock.frame_beside.value = True
    settled(dock)
    assert len(dock.canvas.figure.axes) == 4


def test_magnified_layers_come_coarse_first_and_can_be_cancelled(
    viewer, movie, dock, settled, method, click, qtbot, monkeypatch
):
    monkeypatch.setattr(jobs, "UPDATE_SECONDS", 0)
    method.seconds = 0.05
    layer = magnify_layer(movie, 5, method="pixels")
    layer.visible = False
    viewer.add_layer(layer)
    method.drawn.clear()  # napari draws a frame of a new layer
    dock.layers.value = [layer]
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    click(dock, "cancel")
    settled(dock)
    assert "Cancelled" in dock.status.value
    assert dock.cancel.native.isHidden()
    drawn = len(method.drawn)
    assert drawn < 12
    dock.position.value = 4
    settled(dock)
    assert sorted(set(method.drawn)) == list(range(12))
    assert len(method.drawn) == 12, "what was drawn before the cancel was kept"
    dock.position.value = 5
    settled(dock)
    assert len(method.drawn) == 12, "another line needs no frame again"
    ((_, view),) = shown(dock)
    np.testing.assert_allclose(view, layer.data[:, 5].compute())


def test_a_change_of_the_factor_is_followed(viewer, movie, dock, settled, method):
    layer = magnify_layer(movie, 5, method="pixels")
    viewer.add_layer(layer)
    dock.layers.value = [layer]
    settled(dock)
    before = shown(dock)[0][1]
    layer.data = magnify_layer(movie, 9, method="pixels").data
    settled(dock)
    assert np.abs(shown(dock)[0][1] - before).max() > 1


def test_removing_the_layer_while_computing(viewer, movie, dock, settled, method, qtbot):
    method.seconds = 0.05
    layer = magnify_layer(movie, 5, method="pixels")
    layer.visible = False
    viewer.add_layer(layer)
    dock.layers.value = [layer]
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    viewer.layers.remove(layer)
    settled(dock)
    assert dock.layers.value == [movie]
    assert [name for name, _ in shown(dock)] == ["cell"]
    viewer.layers.clear()
    settled(dock)
    assert shown(dock) == []
    assert "Choose a movie" in dock.status.value


def test_leaving_while_computing(viewer, movie, dock, method, qtbot):
    method.seconds = 0.05
    layer = magnify_layer(movie, 5, method="pixels")
    layer.visible = False
    viewer.add_layer(layer)
    dock.layers.value = [layer]
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    viewer.window.remove_dock_widget(dock.native)
    qtbot.waitUntil(lambda: not dock.working, timeout=10_000)
    assert len(method.drawn) < 12
    movie.scale = (1, 1, 1)
    viewer.dims.set_current_step(0, 3)
    viewer.theme = "light"
    viewer.layers.clear()


def test_lines_that_leave_the_frame(viewer, movie, dock, settled, frames):
    shapes = dock.add_line()
    shapes.data = [np.array([[2, -2], [2, 20]])]
    settled(dock)
    ((_, view),) = shown(dock)
    assert np.isnan(view[:, 0]).all()
    assert "blank where the line leaves the frame" in dock.status.value
    shapes.data = [np.array([[50, 50], [60, 60]])]
    settled(dock)
    assert "outside the frame" in dock.status.value
    shapes.data = []
    settled(dock)
    assert "There is no line yet" in dock.status.value


@pytest.mark.parametrize("kind", ["rgb", "TCYX", "TZYX", "one", "multiscale", "nan"])
def test_unusual_layers(viewer, dock, settled, kind):
    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, (6, 2, 16, 20)).astype(np.uint8)
    if kind == "rgb":
        layer = viewer.add_image(np.stack([data[:, 0]] * 3, axis=-1), rgb=True)
        expected = np.stack([data[:, 0, 4]] * 3, axis=-1)
    elif kind in ("TCYX", "TZYX"):
        layer = viewer.add_image(data, axis_labels=tuple(kind.lower()))
        viewer.dims.set_point(1, 1)
        expected = data[:, 1, 4]
    elif kind == "multiscale":
        layer = viewer.add_image([data[:, 0], data[:, 0, ::2, ::2]], multiscale=True)
        expected = data[:, 0, 4]
    elif kind == "nan":
        layer = viewer.add_image(np.full((5, 16, 20), np.nan, np.float32), contrast_limits=(0, 1))
        expected = None
    else:
        layer = viewer.add_image(data[:1, 0])
        expected = None
    dock.layers.value = [layer]
    dock.position.value = 4
    settled(dock)
    if expected is None:
        assert shown(dock) == []
        assert dock.status.value
    else:
        np.testing.assert_allclose(shown(dock)[0][1], expected)


def test_only_movies_are_offered(viewer, movie, dock):
    viewer.add_image(np.zeros((16, 20)), name="picture")
    viewer.add_image(np.zeros((16, 20, 3), np.uint8), name="colors", rgb=True)
    viewer.add_image(np.zeros((3, 16, 20)), name="channels", axis_labels=("c", "y", "x"))
    unclear = viewer.add_image(np.zeros((2, 5, 16, 20)), name="unclear")
    assert list(dock.layers.choices) == [movie, unclear]


def test_a_line_that_is_drawn_is_cut(viewer, movie, dock, settled, frames):
    shapes = viewer.add_shapes(ndim=2, name="mine", units=movie.units[1:])
    assert dock.along.value == "x", "nothing is drawn in it yet"
    shapes.add_lines([np.array([[2, 1], [2, 11]])])
    settled(dock)
    ((_, view),) = shown(dock)
    np.testing.assert_allclose(view, frames[:, 4, 2:23], rtol=1e-6)


def test_axes_that_cannot_be_told(viewer, dock, settled):
    layer = viewer.add_image(np.zeros((6, 2, 16, 20), np.uint8))
    dock.layers.value = [layer]
    settled(dock)
    assert "axes" in dock.status.value
    assert not dock.axes.native.isHidden()
    dock.axes.value = "TCYX"
    settled(dock)
    assert shown(dock)[0][1].shape == (6, 20)


def test_no_rate_is_said(viewer, dock, settled):
    layer = viewer.add_image(np.random.default_rng(0).uniform(0, 1, (9, 16, 20)))
    dock.layers.value = [layer]
    settled(dock)
    assert "rate unknown" in dock.status.value
    assert dock.canvas.figure.axes[0].get_xlabel() == "time (frames)"
    dock.fps.value = 3
    settled(dock)
    assert dock.canvas.figure.axes[0].get_xlabel() == "time (s)"


def test_ten_thousand_lazy_frames(viewer, dock, settled, qtbot):
    chunks = ((1,) * 10_000, (16,), (20,))
    data = da.map_blocks(_block, chunks=chunks, dtype=np.uint8, meta=np.zeros((0, 0, 0), np.uint8))
    layer = viewer.add_image(data, name="long", contrast_limits=(0, 255), visible=False)
    dock.layers.value = [layer]
    qtbot.waitUntil(lambda: bool(dock._shown), timeout=5000)
    coarse = shown(dock)[0][1]
    known = ~np.isnan(coarse[:, 0])
    assert known[:5000].any()
    dock.cancel.changed.emit(True)
    settled(dock)


def _block(block_id=None):
    return np.full((1, 16, 20), block_id[0] % 250, np.uint8)


def test_save(dock, settled, tmp_path, viewer, movie, frames):
    settled(dock)
    (path,) = dock.save_to(tmp_path / "slice.csv")
    lines = path.read_text().splitlines()
    header = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    assert lines[header].startswith("time (s),0,0.5,1,")
    table = np.loadtxt(path, delimiter=",", skiprows=header + 1)
    np.testing.assert_allclose(table[:, 0], np.arange(12) / 10)
    np.testing.assert_allclose(table[:, 1:], frames[:, 10])
    other = viewer.add_image(frames, name="a/b", scale=movie.scale, units=movie.units)
    dock.layers.value = [movie, other]
    settled(dock)
    paths = dock.save_to(tmp_path / "slice.tif")
    assert [path.name for path in paths] == ["slice 1 cell.tif", "slice 2 a_b.tif"]
    with tifffile.TiffFile(paths[0]) as file:
        np.testing.assert_allclose(file.asarray(), frames[:, 10])
        assert file.imagej_metadata["unit"] == "um"
    with pytest.raises(ValueError, match="docx"):
        dock.save_to(tmp_path / "slice.docx")


def test_saving_nothing_is_told(viewer, dock, settled, click, notifications):
    viewer.layers.clear()
    settled(dock)
    for button in ("save", "as_layers", "draw_line", "copy_script"):
        click(dock, button)
    assert {severity for severity, _ in notifications()} == {"error"}


@pytest.mark.parametrize(
    ("units", "scale", "names"),
    [
        ("s", (0.1, 0.5), ("second", "micrometer")),
        ("fit", (0.1, 0.5), ("second", "micrometer")),
        ("px", (1, 1), ("pixel", "pixel")),
    ],
)
def test_layers_sit_right_in_space_and_time(movie, dock, settled, frames, units, scale, names):
    movie.contrast_limits, movie.colormap = (500, 2500), "magma"
    dock.layer_units.value = units
    settled(dock)
    ((cut, picture),) = dock._pictures()
    layer = slice_layers.slice_layer(cut.layer, picture, slice_dock._metadata(cut), units)
    np.testing.assert_allclose(layer.data, frames[:, 10])
    np.testing.assert_allclose(layer.scale, scale)
    assert tuple(str(unit) for unit in layer.units) == names
    assert layer.axis_labels == ("t", "distance")
    assert layer.contrast_limits == [500, 2500]
    assert layer.colormap.name == "magma"
    assert layer.metadata["napari_motionmag_slice"]["source"] == "cell"


def test_time_in_ms_where_s_would_be_a_stripe():
    # 600 frames a second, 200 of them, 100 um: 1/3 s by 100 um; in ms 333 by 100
    assert slice_layers.fitting_time(1 / 600, 200, 100) == (pytest.approx(1 / 0.6), "ms")
    assert slice_layers.fitting_time(60, 1000, 20)[1] == "h"
    assert slice_layers.fitting_time(0.1, 100, 20) == (0.1, "s")


def test_open_as_layers(viewer, movie, dock, settled, make_napari_viewer, monkeypatch):
    monkeypatch.setattr(napari, "Viewer", lambda **_: make_napari_viewer())
    settled(dock)
    opened = dock.open_layers()
    assert opened is not viewer
    assert [layer.name for layer in opened.layers] == ["slice of cell"]
    assert list(viewer.layers) == [movie], "time and place cannot share the movie's window"
    assert "s and µm" in dock.status.value


def test_script_makes_the_same(viewer, movie, dock, settled, method):
    layer = magnify_layer(movie, 5, method="pixels")
    viewer.add_layer(layer)
    dock.layers.value = [movie, layer]
    dock.line_width.value = 3
    dock.add_line()
    settled(dock)
    namespace = {"viewer": viewer}
    exec(dock.script(), namespace)
    (_, first), (_, second) = shown(dock)
    np.testing.assert_allclose(namespace["view"], first, rtol=1e-4)
    np.testing.assert_allclose(namespace["view_2"], second, rtol=1e-4)
    views_of_call = dock()
    np.testing.assert_array_equal(views_of_call[0], first)


def test_not_live_waits(dock, settled):
    settled(dock)
    dock.live.value = False
    before = shown(dock)[0][1]
    dock.position.value = 2
    settled(dock)
    assert shown(dock)[0][1] is before
    dock.live.value = True
    settled(dock)
    assert shown(dock)[0][1] is not before


def test_the_slider_moves_the_mark(viewer, dock, settled):
    settled(dock)
    viewer.dims.set_current_step(0, 7)
    settled(dock)
    (axes,) = dock.canvas.figure.axes
    assert axes.lines[0].get_xdata()[0] == pytest.approx(0.7)


def test_npe2_offers_the_widget(viewer, movie):
    _, made = viewer.window.add_plugin_dock_widget("napari-motionmag", "Slice view")
    assert isinstance(made, SliceViewWidget)
    assert views.slice_view(movie, [(10, 0), (10, 23)]).shape == made()[0].shape


@pytest.mark.parametrize(
    ("typed", "kind", "written"),
    [
        ("mine", "CSV (*.csv)", "mine.csv"),
        ("mine", "TIFF (*.tif)", "mine.tif"),
        ("mine.csv", "TIFF (*.tif)", "mine.csv"),
        ("", "", None),  # cancelled
    ],
)
def test_saving_by_the_button(dock, settled, click, monkeypatch, tmp_path, typed, kind, written):
    settled(dock)
    monkeypatch.setattr(
        "napari_motionmag.widgets.common.ask_file.QFileDialog.getSaveFileName",
        lambda *_: (str(tmp_path / typed) if typed else "", kind),
    )
    click(dock, "save")
    assert [path.name for path in tmp_path.iterdir()] == ([written] if written else [])


def test_a_file_that_cannot_be_written_is_said(dock, settled, click, monkeypatch, tmp_path):
    settled(dock)
    monkeypatch.setattr(
        "napari_motionmag.widgets.common.ask_file.QFileDialog.getSaveFileName",
        lambda *_: (str(tmp_path / "nowhere" / "mine.csv"), "CSV (*.csv)"),
    )
    click(dock, "save")
    assert "nowhere" in dock.status.value
    assert list(tmp_path.iterdir()) == []


def test_the_movie_and_all_its_results_are_sliced(viewer, movie, frames):
    results = [viewer.add_layer(magnify_layer(movie, m, method="linear")) for m in (2, 3)]
    another = viewer.add_image(frames, name="another")
    viewer.layers.selection.active = results[1]
    dock = SliceViewWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Slice view")
    assert list(dock.layers.value) == [movie, *results]
    newest = viewer.add_layer(magnify_layer(movie, 4, method="linear"))
    assert list(dock.layers.value) == [movie, *results, newest]
    viewer.add_layer(magnify_layer(another, 4, method="linear"))
    assert list(dock.layers.value) == [movie, *results, newest]
