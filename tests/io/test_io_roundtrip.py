"""Every format: what is written is read back, axes and calibration too."""

import threading
from fractions import Fraction
from xml.etree import ElementTree

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_motionmag import Movie
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.io.frame_stream import FrameStream

ALL = [".tif", ".ome.tif", ".npy", ".zarr", ".avi", ".mp4"]


def noise(shape, dtype="u2", seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


@pytest.fixture(autouse=True)
def _formats_there():
    pytest.importorskip("zarr")
    pytest.importorskip("av")


def reordered(data, axes, target):
    return np.einsum(f"{axes.lower()}->{target.lower()}", data)


@st.composite
def movies(draw):
    """Draw a movie of any legal axes, and its axes; none but T has to be longer than 1."""
    letters = draw(st.permutations("TYX" + "".join(draw(st.sets(st.sampled_from("ZC"))))))
    axes = "".join(letters)
    # readers leave out axes of length 1 that are not Y or X
    sizes = {letter: draw(st.integers(1 if letter in "YX" else 2, 4)) for letter in axes}
    shape = tuple(sizes[letter] for letter in axes)
    if draw(st.booleans()):
        axes, shape = axes + "S", (*shape, draw(st.sampled_from([3, 4])))
    dtype = draw(st.sampled_from(["u1", "i1", "u2", "i2", ">u2", "u4", "i4", "f4", "f8"]))
    return noise(shape, dtype, draw(st.integers(0, 99))), axes


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(movies(), st.sampled_from([".tif", ".npy", ".zarr"]), st.booleans())
def test_lossless_formats_give_back_every_pixel(tmp_path, case, extension, lazy):
    data, axes = case
    if extension == ".zarr" and "C" in axes and "S" in axes:
        return  # refused; see below
    path = tmp_path / f"film{extension}"
    source = da.from_array(data, chunks=2) if lazy else data
    assert save_movie(path, source, axes, overwrite=True) == path
    # .npy keeps no axes but their order; the others tell them
    movie = open_movie(path, axes=axes if extension == ".npy" else None)
    if extension == ".npy":
        assert movie.axes == axes
    elif extension == ".zarr":
        assert movie.axes == "".join(letter for letter in "TCZYXS" if letter in axes)
    else:
        leading = "".join(letter for letter in axes if letter not in "YXS")
        assert movie.axes == leading + ("YXS" if "S" in axes else "YX")
    found = movie.as_dask().compute(scheduler="synchronous")
    assert found.dtype.newbyteorder("=") == data.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, reordered(data, axes, movie.axes))
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []


@pytest.mark.parametrize("extension", ALL)
def test_calibration_comes_back(tmp_path, extension):
    path = tmp_path / f"film{extension}"
    data = noise((4, 16, 18), "u1")
    save_movie(path, data, fps=24, scale=(1 / 24, 0.2, 0.1), units=("s", "um", "um"))
    movie = open_movie(path)
    assert movie.axes in ("TYX", "TYXS")
    assert movie.name == "film"
    if extension == ".npy":
        assert movie.fps is None
        return
    assert movie.fps == pytest.approx(24)
    steps = dict(zip(movie.axes, zip(movie.scale, movie.units, strict=True), strict=False))
    assert steps["T"] == (pytest.approx(1 / 24), "s")
    assert steps["Y"] == (pytest.approx(0.2), "um")
    assert steps["X"] == (pytest.approx(0.1), "um")


@pytest.mark.parametrize("extension", [".tif", ".zarr"])
def test_volumes_keep_their_spacing(tmp_path, extension):
    path = tmp_path / f"film{extension}"
    movie = Movie(
        noise((3, 2, 4, 5, 6)),
        "TCZYX",
        scale=(20, 1, 2, 0.5, 0.25),
        units=("ms", "pixel", "um", "nm", "nm"),
    )
    save_movie(path, movie)
    found = open_movie(path)
    assert found.axes == "TCZYX"
    assert found.fps == pytest.approx(50)
    assert found.scale == pytest.approx((0.02, 1, 2, 0.5, 0.25))
    assert found.units == ("s", "pixel", "um", "nm", "nm")


@pytest.mark.parametrize("extension", [".tif", ".npy", ".zarr", ".avi"])
def test_few_frames_are_in_memory_and_none_is_computed_twice(tmp_path, extension, monkeypatch):
    monkeypatch.setattr("napari_motionmag.io.frame_stream.os.cpu_count", lambda: 3)
    computed, ahead, written = [], [], [0]
    lock = threading.Lock()

    def block(block_id):
        with lock:
            computed.append(block_id[0])
            ahead.append(len(computed) - written[0])
        return np.full((1, 8, 10), block_id[0], "u2")

    data = da.map_blocks(
        block, chunks=((1,) * 20, (8,), (10,)), dtype="u2", meta=np.empty((0, 0, 0), "u2")
    )
    computed.clear()

    def progress(done, total):
        written[0] = done
        assert total == 20

    path = tmp_path / f"film{extension}"
    save_movie(path, data, fps=5, progress=progress)
    assert sorted(computed) == list(range(20))
    assert max(ahead) <= 4
    assert written[0] == 20
    found = open_movie(path, axes="TYX").data
    np.testing.assert_array_equal(np.asarray(found)[:, 0, 0], np.arange(20))


@pytest.mark.parametrize("extension", [".tif", ".npy", ".zarr", ".avi", ".mp4"])
def test_opening_reads_single_frames(tmp_path, extension):
    path = tmp_path / f"film{extension}"
    data = noise((6, 16, 18), "u1")
    save_movie(path, data, fps=5)
    movie = open_movie(path)
    frame = movie.read(3)
    frame = frame[..., 0] if movie.is_rgb else frame
    # H.264 loses a little of pure noise
    assert np.abs(frame.astype(int) - data[3]).mean() < (12 if extension == ".mp4" else 1e-9)


@pytest.mark.parametrize("extension", ALL)
def test_an_error_leaves_nothing_behind(tmp_path, extension):
    def fail(block_id):
        if block_id[0] == 5:
            raise RuntimeError("broken")
        return np.zeros((1, 8, 10), "u1")

    data = da.map_blocks(
        fail, chunks=((1,) * 9, (8,), (10,)), dtype="u1", meta=np.empty((0, 0, 0), "u1")
    )
    with pytest.raises(RuntimeError, match="broken"):
        save_movie(tmp_path / f"film{extension}", data, fps=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", ALL)
def test_an_interrupt_leaves_an_existing_output_alone(tmp_path, extension):
    path = tmp_path / f"film{extension}"
    save_movie(path, np.full((4, 16, 18), 77, "u1"), fps=5)
    before = sorted(tmp_path.rglob("*"))

    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_movie(path, np.zeros((4, 16, 18), "u1"), fps=5, overwrite=True, progress=interrupt)
    assert sorted(tmp_path.rglob("*")) == before
    assert abs(float(open_movie(path).read(0).mean()) - 77) < 2


@pytest.mark.parametrize("extension", ALL)
def test_nothing_is_overwritten_unasked(tmp_path, extension):
    path = tmp_path / f"film{extension}"
    data = np.full((4, 16, 18), 77, "u1")
    save_movie(path, data, fps=5)
    with pytest.raises(FileExistsError, match="exists already"):
        save_movie(path, data + 100, fps=5)
    save_movie(path, data + 100, fps=5, overwrite=True)
    assert abs(float(open_movie(path).read(0).mean()) - 177) < 2
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_folders_that_are_no_stores_are_never_replaced(tmp_path):
    for name in ("film.zarr", "film.tif"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("precious")
        with pytest.raises(OSError, match="left alone"):
            save_movie(tmp_path / name, noise((3, 4, 5)), overwrite=True)
        assert (tmp_path / name / "thesis.txt").read_text() == "precious"


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        save_movie(tmp_path / "nowhere" / "film.tif", noise((3, 4, 5)))


@pytest.mark.parametrize("name", ["film", "film.gif", "film.mkv"])
def test_what_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=r"cannot write .*\.tif"):
        save_movie(tmp_path / name, noise((3, 4, 5)))


@pytest.mark.parametrize("name", ["film", "film.doc"])
def test_what_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"unknown extension .*\.tif"):
        open_movie(tmp_path / name)


@pytest.mark.parametrize("extension", ALL)
def test_a_missing_file_is_named(tmp_path, extension):
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_movie(tmp_path / f"film{extension}")


@pytest.mark.parametrize("extension", [".tif", ".npy", ".mp4", ".avi"])
@pytest.mark.parametrize("content", [b"", b"not a movie at all, really not one" * 30])
def test_files_of_rubbish_are_refused_by_name(tmp_path, extension, content):
    path = tmp_path / f"film{extension}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a readable") as error:
        open_movie(path)
    assert str(path) in str(error.value)


def test_what_the_user_says_goes_before_what_the_file_says(tmp_path):
    path = tmp_path / "film.tif"
    save_movie(path, noise((4, 5, 6)), fps=24)
    movie = open_movie(path, axes="YTX", fps=600, intensity_range=(3, 9))
    assert (movie.axes, movie.fps, movie.intensity_range) == ("YTX", 600, (3, 9))
    assert movie.scale[1] == pytest.approx(1 / 600)


@pytest.mark.parametrize("fps", [0, -3, float("nan")])
def test_a_wrong_rate_is_refused(tmp_path, fps):
    save_movie(tmp_path / "film.npy", noise((4, 5, 6)))
    with pytest.raises(ValueError, match="fps must be"):
        open_movie(tmp_path / "film.npy", fps=fps)


def test_an_unclear_array_asks_for_axes_and_names_the_file(tmp_path):
    path = tmp_path / "film.npy"
    np.save(path, noise((4, 2, 5, 6)))
    with pytest.raises(ValueError, match="axes") as error:
        open_movie(path)
    assert str(path) in str(error.value)
    assert open_movie(path, axes="TCYX").n_frames == 4


def test_memory_mapped_arrays_stay_on_disk(tmp_path):
    np.save(tmp_path / "film.npy", noise((4, 5, 6)))
    assert isinstance(open_movie(tmp_path / "film.npy").data, np.memmap)


def test_a_file_cut_off_has_the_frames_before_the_cut(tmp_path):
    path, data = tmp_path / "film.npy", noise((6, 7, 8))
    np.save(path, data)
    path.write_bytes(path.read_bytes()[:-150])
    with pytest.warns(UserWarning, match=r"film\.npy: promises 6 frames and has 4 whole ones"):
        movie = open_movie(path)
    np.testing.assert_array_equal(movie.as_dask().compute(), data[:4])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="not a readable"):
        open_movie(path)


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "film.npy"
    np.save(path, np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a readable"):
        open_movie(path)


def test_frames_are_counted_over_all_series():
    stream = FrameStream(Movie(noise((4, 2, 3, 5, 6)), "TCZYX"))
    assert stream.total == 24
    assert len(list(stream.frames("TCZ"))) == 24


@pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr", ".mp4"])
def test_wide_pixels_stay_wide(tmp_path, ending):
    frames = np.random.default_rng(0).integers(0, 200, (4, 16, 18)).astype("u1")
    units = ("s", "pixel", "pixel")
    path = save_movie(tmp_path / f"film{ending}", frames, scale=(0.1, 1, 1.25), units=units)
    movie = open_movie(path)
    assert movie.scale == pytest.approx((0.1, 1, 1.25))
    assert (movie.units, movie.fps) == (units, pytest.approx(10))


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".avi"])
@pytest.mark.parametrize("unit", ["pixel", "um"])
def test_players_show_wide_pixels_wide(tmp_path, ending, unit):
    av = pytest.importorskip("av")
    frames = np.random.default_rng(0).integers(0, 200, (4, 16, 18)).astype("u1")
    scale, units = (0.1, 0.6, 0.7), ("s", unit, unit)
    path = save_movie(tmp_path / f"film{ending}", frames, scale=scale, units=units)
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(7, 6)
    assert open_movie(path).scale == pytest.approx(scale)


def test_other_readers_learn_both_sizes_of_wide_pixels(tmp_path):
    units = ("s", "pixel", "pixel")
    path = save_movie(
        tmp_path / "film.ome.tif", noise((4, 16, 18)), scale=(1, 1, 1.25), units=units
    )
    with tifffile.TiffFile(path) as file:
        pixels = ElementTree.fromstring(file.ome_metadata).find(".//{*}Pixels")
    assert (pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")) == ("1.0", "1.25")
    assert pixels.get("PhysicalSizeYUnit") == "pixel"
