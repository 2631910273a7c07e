"""Slice views against the formula of the picture, scipy and napari's transforms."""

import csv
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from scipy.ndimage import map_coordinates

from napari_motionmag import Movie, views


def ramp_movie(frames=4, height=30, width=40):
    """Intensity 2 y + 3 x + 100 t: linear interpolation is exact."""
    t, y, x = np.ogrid[:frames, :height, :width]
    return (2.0 * y + 3 * x + 100 * t).astype(np.float32)


def random_movie(shape, dtype="u2", seed=0):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


class Counting:
    """An array that remembers what was read."""

    def __init__(self, data):
        self.array, self.shape, self.dtype = data, data.shape, data.dtype
        self.pixels = 0

    def __getitem__(self, index):
        part = self.array[index]
        self.pixels += part.size
        return part


def test_rows_and_columns_are_the_rows_and_columns():
    movie = random_movie((5, 20, 30))
    np.testing.assert_array_equal(views.xt(movie, 7), movie[:, 7])
    np.testing.assert_array_equal(views.yt(movie, 11), movie[:, :, 11])


def test_an_oblique_path_with_corners_is_exact_on_a_ramp():
    path = [(2.5, 3.25), (20.0, 3.25), (8.0, 30.5)]
    view = views.slice_view(ramp_movie(), path)
    length = 17.5 + np.hypot(12, 27.25)
    assert view.shape == (4, int(length) + 1)
    # the 10th sample is 10 px down; the 30th lies on the second leg
    np.testing.assert_allclose(view[2, 10], 2 * 12.5 + 3 * 3.25 + 200, rtol=1e-6)
    along = (30 - 17.5) / np.hypot(12, 27.25)
    y, x = 20 - 12 * along, 3.25 + 27.25 * along
    np.testing.assert_allclose(view[1, 30], 2 * y + 3 * x + 100, rtol=1e-6)


@pytest.mark.parametrize("order", range(6))
def test_interpolation_is_that_of_scipy(order):
    movie = np.random.default_rng(1).normal(size=(2, 60, 80))
    line = [(3.2, 5.7), (55.1, 71.3)]
    view = views.slice_view(movie, line, order=order)
    n = view.shape[1]
    length = np.hypot(55.1 - 3.2, 71.3 - 5.7)
    along = np.arange(n) / length
    points = [3.2 + along * (55.1 - 3.2), 5.7 + along * (71.3 - 5.7)]
    for frame, row in zip(movie, view, strict=True):
        expected = map_coordinates(frame, points, order=order, mode="mirror")
        np.testing.assert_allclose(row, expected, atol=3e-6)


def test_spline_at_the_border_is_that_of_scipy():
    movie = np.random.default_rng(2).normal(size=(2, 24, 24))
    view = views.slice_view(movie, [(0.4, 0.3), (0.4, 23)], order=3)
    points = [np.full(23, 0.4), 0.3 + np.arange(23)]
    expected = map_coordinates(movie[1], points, order=3, mode="mirror")
    np.testing.assert_allclose(view[1], expected, atol=1e-6)


def test_width_averages_across_the_line():
    movie = random_movie((3, 20, 30))
    view = views.slice_view(movie, [(10, 0), (10, 29)], width=5)
    np.testing.assert_allclose(view, movie[:, 8:13].mean(axis=1), rtol=1e-6)
    # at the border only what lies inside is averaged
    edge = views.slice_view(movie, [(0, 0), (0, 29)], width=3)
    np.testing.assert_allclose(edge, movie[:, 0:2].mean(axis=1), rtol=1e-6)


def test_step_sets_the_distance_between_samples():
    view = views.slice_view(ramp_movie(), [(5, 2), (5, 12)], step=0.25)
    assert view.shape[1] == 41
    np.testing.assert_allclose(np.diff(view[0]), 0.75, rtol=1e-5)


def test_rgb_channels_and_further_axes():
    rgb = random_movie((3, 20, 30, 4), "u1")
    view = views.slice_view(rgb, [(4, 0), (4, 29)])
    assert view.dtype == np.float32
    np.testing.assert_array_equal(view, rgb[:, 4, :, :3])
    channels = random_movie((3, 2, 20, 30))
    view = views.slice_view(channels, [(4, 0), (4, 29)], axes="TCYX", at={"C": 1})
    np.testing.assert_array_equal(view, channels[:, 1, 4])
    with pytest.raises(ValueError, match="at must say which place along C"):
        views.slice_view(channels, [(4, 0), (4, 29)], axes="TCYX")
    turned = random_movie((20, 30, 3))  # time last
    view = views.xt(turned, 4, axes="YXT")
    np.testing.assert_array_equal(view, turned[4].T)


def test_dask_in_dask_out_and_little_is_read():
    data = random_movie((6, 50, 60))
    counting = Counting(data)
    movie = Movie(counting, "TYX")
    line = [(20, 10), (20, 40)]
    eager = views.slice_view(movie, line)
    assert counting.pixels <= 6 * 4 * 34  # the rows around the line only
    computed = []

    def source(block, block_info=None):
        computed.append(block_info[0]["chunk-location"][0])
        return block

    lazy_data = da.from_array(data, chunks=(2, 25, 25)).map_blocks(source, dtype=data.dtype)
    lazy = views.slice_view(lazy_data, line, axes="TYX")
    assert isinstance(lazy, da.Array)
    computed.clear()
    np.testing.assert_array_equal(lazy[2:3].compute(), eager[2:3])
    assert set(computed) == {1}
    np.testing.assert_array_equal(lazy.compute(), eager)
    rgb = da.from_array(random_movie((4, 20, 30, 3), "u1"), chunks=(1, 20, 30, 3))
    lazy = views.slice_view(rgb, [(4, 0), (9, 20)])
    assert lazy.shape == lazy.compute().shape == (4, 21, 3)


def test_a_line_that_leaves_the_frame():
    movie = ramp_movie()
    line = [(10, -5), (10, 35)]
    with pytest.raises(ValueError, match=r"line leaves the frame of 30 x 40.*outside='nan'"):
        views.slice_view(movie, line)
    gaps = views.slice_view(movie, line, outside="nan")
    assert np.isnan(gaps[:, :4]).all()
    assert np.isfinite(gaps[:, 5:]).all()
    np.testing.assert_allclose(gaps[0, 5:], 20 + 3.0 * np.arange(36), rtol=1e-6)
    nearest = views.slice_view(movie, line, outside="nearest")
    np.testing.assert_allclose(nearest[0, :5], 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line": [(1, 2)]}, "line must be two or more points"),
        ({"line": [(1, 2), (1, 2)]}, "line must have a length above 0"),
        ({"line": [(1, 2), (np.nan, 2)]}, "line must be finite"),
        ({"line": [(1, 2), (5, 2)], "width": 0}, "width"),
        ({"line": [(1, 2), (5, 2)], "order": 6}, "order must be a whole number from 0 to 5"),
        ({"line": [(1, 2), (5, 2)], "outside": "wrap"}, "outside must be one of"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        views.slice_view(ramp_movie(), **arguments)


def test_half_precision_is_sampled():
    movie = random_movie((3, 20, 30)).astype(np.float16)
    line = [(3, 3), (16, 25)]
    expected = views.slice_view(movie.astype(np.float32), line)
    np.testing.assert_array_equal(views.slice_view(movie, line), expected)
    np.testing.assert_array_equal(views.slice_view(da.from_array(movie), line), expected)


def test_nan_is_reported_with_its_frame():
    movie = ramp_movie()
    movie[2, 5, 5] = np.nan
    with pytest.raises(ValueError, match="frame t=2"):
        views.xt(movie, 5)
    lazy = views.xt(da.from_array(movie, chunks=(2, -1, -1)), 5)
    assert np.array_equal(lazy[:2].compute(), views.xt(movie[:2], 5))
    with pytest.raises(ValueError, match="frame t=2"):
        lazy.compute()


def test_comparison_stacks_views_of_the_same_line():
    movie = random_movie((3, 20, 30))
    line = [(3, 3), (16, 25)]
    stacked = views.compare_slices({"input": movie, "inverted": 255 - movie}, line)
    np.testing.assert_allclose(stacked.sum(axis=0), 255, rtol=1e-6)
    lazy = views.compare_slices([movie, da.from_array(movie)], line)
    assert isinstance(lazy, da.Array)
    with pytest.raises(ValueError, match=r"movies\[1\] gives"):
        views.compare_slices([movie, movie[:2]], line)


def test_export_is_calibrated(tmp_path):
    movie = Movie(
        random_movie((5, 20, 30)), fps=20, scale=(0.05, 0.5, 0.25), units=("s", "um", "um")
    )
    line = [(4, 2), (4, 12)]
    view = views.slice_view(movie, line)
    path = views.save_slice(tmp_path / "slice.csv", view, movie, line)
    with open(path, encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    assert rows[0][:3] == ["time (s)", "0", "0.25"]
    assert [float(row[0]) for row in rows[1:]] == [0, 0.05, 0.1, 0.15, 0.2]
    np.testing.assert_allclose(np.array(rows[1:], float)[:, 1:], view)

    path = views.save_slice(tmp_path / "slice.tif", view, movie, line)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        np.testing.assert_allclose(page.asarray(), view)
        assert file.imagej_metadata["unit"] == "um"
        assert file.imagej_metadata["yunit"] == "sec"
        x, y = (page.tags[name].value for name in ("XResolution", "YResolution"))
        assert x[0] / x[1] == pytest.approx(4)
        assert y[0] / y[1] == pytest.approx(20)
    with pytest.raises(ValueError, match="path must end in"):
        views.save_slice(tmp_path / "slice.png", view, movie, line)
    with pytest.raises(ValueError, match="view must have the shape"):
        views.save_slice(tmp_path / "slice.csv", view[:, 1:], movie, line)
    oblique = views.slice_calibration(movie, [(0, 0), (3, 4)])
    np.testing.assert_allclose(oblique["positions"][-1], np.hypot(1.5, 1.0))


def test_positions_follow_the_path_around_its_corners():
    path = [(0, 0), (0, 10.5), (10.5, 10.5)]  # the corner lies between two samples
    pixels = views.slice_calibration(ramp_movie(), path)["positions"]
    assert np.allclose(pixels, np.arange(22))
    movie = Movie(ramp_movie(), "TYX", scale=(1, 0.2, 0.1), units=("s", "um", "um"))
    positions = views.slice_calibration(movie, path)["positions"]
    assert np.allclose(positions[:11], 0.1 * np.arange(11))
    assert np.allclose(positions[11:], 1.05 + 0.2 * (np.arange(11, 22) - 10.5))


def test_intensity_of_points():
    movie = ramp_movie()
    trace = views.intensity_trace(movie, [(3.5, 4), (29, 39)])
    t = np.arange(4)
    np.testing.assert_allclose(trace, np.stack([19 + 100 * t, 175 + 100 * t], axis=1))
    noise = np.random.default_rng(0).normal(size=(2, 50, 60))
    cubic = views.intensity_trace(noise, (20.3, 30.6), order=3)
    expected = [map_coordinates(frame, [[20.3], [30.6]], order=3, mode="mirror") for frame in noise]
    np.testing.assert_allclose(cubic, expected, atol=1e-5)
    with pytest.raises(ValueError, match="points must lie within the frame of 30 x 40"):
        views.intensity_trace(movie, (30, 0))


def test_lines_and_regions_of_napari_shapes(plain_napari):
    layers = pytest.importorskip("napari.layers")
    image = layers.Image(np.zeros((3, 40, 60)), scale=(1, 0.5, 0.25), translate=(0, 10, 20))
    shapes = layers.Shapes(ndim=2)
    shapes.add_lines(np.array([[12.0, 21.0], [15.0, 30.0]]))
    np.testing.assert_allclose(views.line_from_shapes(shapes, image), [(4, 4), (10, 40)])
    np.testing.assert_allclose(views.line_from_shapes(shapes), [(12, 21), (15, 30)])
    # in three dimensions, rotated image
    turned = layers.Image(np.zeros((3, 40, 60)), rotate=[[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    path = layers.Shapes([[[1, -5, 3], [1, -9, 3], [1, -9, 8]]], shape_type="path")
    np.testing.assert_allclose(
        views.line_from_shapes(path, turned), [(3, 5), (3, 9), (8, 9)], atol=1e-9
    )
    with pytest.raises(ValueError, match="has no rectangle, polygon or ellipse"):
        views.region_from_shapes(path, turned)
    shapes.add_rectangles(np.array([[11.0, 21.0], [14.9, 29.9]]))
    mask = views.region_from_shapes(shapes, image)
    expected = np.zeros((40, 60), bool)
    expected[2:10, 4:40] = True
    np.testing.assert_array_equal(mask, expected)
    shapes.add_ellipses(np.array([[12.0, 22], [12, 24], [16, 24], [16, 22]]))
    mask = views.region_from_shapes(shapes, image)
    assert mask.sum() == pytest.approx(np.pi * 4 * 4, rel=0.1)
    with pytest.raises(ValueError, match="shape 1 is a rectangle; it must be a line or path"):
        views.line_from_shapes(shapes, image, index=1)


def test_every_public_name_is_there():
    # a module of the same name would hide it once imported
    modules = {path.stem for path in Path(views.__file__).parent.glob("*.py")}
    assert not modules & set(views.__all__)
    for name in views.__all__:
        assert callable(getattr(views, name))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        views.nothing  # noqa: B018


def test_views_are_imported_without_torch_or_qt():
    code = (
        "import sys, napari_motionmag.views as v; v.slice_view; v.line_from_shapes\n"
        "v.displacement_trace, v.motion_spectrum, v.noise_floor, v.motionless_surrogate\n"
        "bad = {'torch', 'qtpy', 'napari', 'matplotlib', 'scipy.signal'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bad_pixel_is_an_error_that_says_what_to_do():
    data, line = random_movie((3, 12, 14), "f4"), [(2, 3), (9, 11)]
    data[1, 5, 6] = np.nan
    with pytest.raises(ValueError, match=r"frame t=1 of the movie has 1 pixel .*put numbers"):
        views.slice_view(data, line, axes="TYX")
