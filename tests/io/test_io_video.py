"""Videos: the right frame wherever one jumps, rates, and what players and napari get."""

import pickle
import sys
import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from napari_motionmag import Movie
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.io.napari_reader import get_reader
from napari_motionmag.io.video_decoder import Decoder
from napari_motionmag.io.video_frames import VideoFrames

av = pytest.importorskip("av")


def noise(shape, dtype="u1"):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


def steps(n):
    """Return frames that show their number as six black or white columns, for any codec."""
    bits = np.arange(n)[:, None] >> np.arange(6) & 1
    return np.broadcast_to(np.repeat(255 * bits, 8, 1)[:, None], (n, 32, 48)).astype("u1")


def number_of(frame):
    columns = frame.reshape(32, 6, 8, -1).mean((0, 2, 3)) > 127
    return int(columns @ (1 << np.arange(6)))


def encode(path, frames, codec="libx264", stamps=None, rate=25, rotation=None, **options):
    """Write grey frames with PyAV alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if "bf" in options:
            stream.codec_context.max_b_frames = int(options["bf"])
        stream.codec_context.gop_size = 12
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format=pixels)
            picture.pts = number if stamps is None else stamps[number]
            picture.time_base = Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b_frames.mp4", "libx264", {"bf": "3"}),
        ("b_frames.mkv", "libx264", {"bf": "3"}),
        ("b_frames.mov", "libx264", {"bf": "3"}),
        ("no_stamps.avi", "mpeg4", {"bf": "2"}),
        ("motion.avi", "mjpeg", {}),
    ],
)
def test_every_frame_is_found_in_any_order(tmp_path, name, codec, options):
    path = tmp_path / name
    encode(path, steps(60), codec, **options)
    frames = VideoFrames(path)
    assert frames.shape == (60, 32, 48, 3)
    assert frames.fps == 25
    order = np.random.default_rng(3).permutation(60)
    assert [number_of(frames.read(t)) for t in order] == order.tolist()
    assert [number_of(frames.read(t)) for t in range(59, -1, -1)] == list(range(59, -1, -1))
    assert [number_of(frame) for frame in frames[5:50:7]] == list(range(5, 50, 7))


def test_without_stamps_frames_are_counted(tmp_path):
    path = tmp_path / "film.mp4"
    encode(path, steps(30), bf="3")
    frames = VideoFrames(path)
    frames._index = frames._index.counted()
    assert [number_of(frames.read(t)) for t in (7, 3, 29, 0, 8)] == [7, 3, 29, 0, 8]


def test_an_index_that_leads_astray_is_mended(tmp_path):
    path = tmp_path / "film.mp4"
    encode(path, steps(30), bf="3")
    frames = VideoFrames(path)
    wrong = tuple(stamp + 10**6 for stamp in frames._index.stamps)
    frames._index = replace(frames._index, stamps=wrong)
    assert number_of(frames.read(20)) == 20


def test_going_back_decodes_each_frame_once(tmp_path, monkeypatch):
    path = tmp_path / "film.mp4"
    encode(path, steps(60))
    frames = VideoFrames(path)
    seeks = []
    seek = Decoder.seek
    monkeypatch.setattr(
        Decoder, "seek", lambda self, start: seeks.append(start) or seek(self, start)
    )
    for t in range(59, -1, -1):
        frames.read(t)
    assert seeks == list(frames._index.starts[::-1])
    assert 1 < len(seeks) < 30


def test_frames_do_not_change_when_the_caller_writes_to_them(tmp_path):
    path = tmp_path / "film.avi"
    save_movie(path, noise((4, 8, 10)), fps=5)
    frames = VideoFrames(path)
    frames.read(1)[:] = 0
    np.testing.assert_array_equal(frames.read(1), noise((4, 8, 10))[1])


def test_readers_can_be_pickled(tmp_path):
    path = tmp_path / "film.avi"
    save_movie(path, noise((4, 8, 10)), fps=5)
    movie = open_movie(path)
    movie.read(2)
    copy = pickle.loads(pickle.dumps(movie))
    np.testing.assert_array_equal(copy.read(3), movie.read(3))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((5, 9, 11), "u1"), ((5, 9, 11), "u2"), ((5, 9, 11), ">u2")),
        *(((5, 9, 11, 3), "u1"), ((5, 9, 11, 3), "u2"), ((5, 9, 11, 3), ">u2")),
    ],
)
def test_avi_loses_nothing(tmp_path, shape, dtype):
    native = np.dtype(dtype).newbyteorder("=")
    data = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, native, endpoint=True)
    save_movie(tmp_path / "film.avi", data.astype(dtype), fps=10)
    movie = open_movie(tmp_path / "film.avi")
    assert movie.dtype == native
    np.testing.assert_array_equal(movie.as_dask().compute(scheduler="synchronous"), data)


def test_mp4_keeps_grey_levels_and_colours(tmp_path):
    path = tmp_path / "film.mp4"
    ramp = np.broadcast_to(np.linspace(0, 255, 256).astype("u1"), (6, 32, 256))
    save_movie(path, ramp, fps=30)
    found = open_movie(path).as_dask().compute(scheduler="synchronous")
    assert found.shape == (6, 32, 256)
    assert np.abs(found.astype(int) - ramp).max() <= 3
    colours = np.zeros((6, 32, 32, 3), "u1")
    for t, colour in enumerate(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 100), (20, 90, 40), (255, 255, 255)]
    ):
        colours[t] = colour
    save_movie(tmp_path / "colours.mp4", colours, fps=30)
    found = open_movie(tmp_path / "colours.mp4").as_dask().compute(scheduler="synchronous")
    assert np.abs(found.astype(int) - colours).max() <= 8


def test_odd_sizes_are_padded_and_said(tmp_path):
    with pytest.warns(UserWarning, match="31 x 47 is repeated"):
        save_movie(tmp_path / "film.mp4", steps(4)[:, :31, :47], fps=30)
    assert open_movie(tmp_path / "film.mp4").shape == (4, 32, 48)


def test_fast_movies_are_shown_slowly_and_know_their_rate(tmp_path):
    path = tmp_path / "film.mp4"
    with pytest.warns(UserWarning, match="shown at 30 .* 15000"):
        save_movie(path, steps(4), fps=15000)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 30
    assert open_movie(path).fps == 15000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_movie(path, steps(4), fps=15000, playback_fps=12, overwrite=True)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 12


def test_a_rate_is_needed(tmp_path):
    with pytest.raises(ValueError, match="fps is needed"):
        save_movie(tmp_path / "film.mp4", steps(4))
    with pytest.raises(ValueError, match="playback_fps must be"):
        save_movie(tmp_path / "film.mp4", steps(4), playback_fps=-1)
    save_movie(tmp_path / "film.mp4", steps(4), playback_fps=10)
    assert list(tmp_path.iterdir()) == [tmp_path / "film.mp4"]


@pytest.mark.parametrize("dtype", ["u2", "f4", "i4"])
def test_deep_movies_are_shown_by_their_range(tmp_path, dtype):
    data = np.broadcast_to(np.linspace(0, 700, 64).astype(dtype), (4, 32, 64))
    path = tmp_path / "film.mp4"
    save_movie(path, data, fps=10, intensity_range=(100, 600))
    found = open_movie(path).as_dask().compute(scheduler="synchronous")
    expected = np.clip((data - 100.0) / 500, 0, 1) * 255
    assert np.abs(found - expected).max() <= 4
    with pytest.warns(UserWarning, match="are shown as"):
        save_movie(path, data, fps=10, overwrite=True)


def test_series_and_alpha_have_no_place_in_a_video(tmp_path):
    with pytest.raises(ValueError, match=r"holds one series; .*'TCYX'"):
        save_movie(tmp_path / "film.mp4", noise((4, 2, 8, 10)), "TCYX", fps=10)
    with pytest.warns(UserWarning, match="no alpha"):
        save_movie(tmp_path / "film.avi", noise((4, 8, 10, 4)), fps=10)
    assert open_movie(tmp_path / "film.avi").shape == (4, 8, 10, 3)


@pytest.mark.parametrize("ending", ["avi", "mp4"])
def test_pixels_that_are_not_finite_are_not_black(tmp_path, ending):
    frames = np.zeros((4, 16, 16), "f4")
    frames[2, 3, 3] = np.nan
    with pytest.raises(ValueError, match="frame t=2 of the movie has 1 pixel that is NaN"):
        save_movie(tmp_path / f"film.{ending}", frames, fps=10, intensity_range=(0, 1))


def test_uneven_frames_are_said(tmp_path):
    path = tmp_path / "film.mp4"
    encode(path, steps(20), stamps=[*range(10), *range(20, 30)])
    with pytest.warns(UserWarning, match="unevenly"):
        movie = open_movie(path)
    assert [number_of(movie.read(t)) for t in (3, 9, 10, 19)] == [3, 9, 10, 19]


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_turned_videos_are_upright(tmp_path, rotation):
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this version of PyAV cannot write a rotation")
    path = tmp_path / "film.mp4"
    frames = np.zeros((4, 32, 48), "u1")
    frames[:, :16, :24] = 200  # the upper left quarter
    encode(path, frames, rotation=rotation)
    movie = open_movie(path)
    found = movie.read(2)[..., 0]
    np.testing.assert_allclose(found, np.rot90(frames[2], rotation // 90), atol=40)


def test_a_damaged_video_is_reported(tmp_path):
    path = tmp_path / "film.mkv"
    encode(path, np.random.default_rng(0).integers(0, 255, (40, 32, 48), "u1"))
    frames = VideoFrames(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="frame 39 cannot be decoded"):
        frames.read(39)
    assert frames.read(0).shape == (32, 48, 3)


def test_sound_is_no_video(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "f4"), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="holds no video"):
        open_movie(path)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "film.avi"
    save_movie(path, noise((4, 8, 10)), fps=5)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"napari-motionmag\[video\]"):
        open_movie(path)
    with pytest.raises(ImportError, match=r"napari-motionmag\[video\]"):
        save_movie(tmp_path / "film.mp4", noise((4, 8, 10)), fps=5)


def test_napari_reads_videos_by_their_extension(tmp_path):
    path = tmp_path / "film.MP4"
    data = steps(6)
    save_movie(path, Movie(data, fps=24, scale=(1, 0.5, 0.5), units=("s", "um", "um")))
    assert get_reader("film.tif") is None
    assert get_reader([str(path), str(path)]) is None
    ((lazy, arguments, kind),) = get_reader(str(path))(str(path))
    assert kind == "image"
    assert lazy.chunksize == (1, 32, 48)
    assert not arguments["rgb"]
    layer = pytest.importorskip("napari.layers").Image(lazy, **arguments)
    assert layer.axis_labels == ("t", "y", "x")
    assert layer.contrast_limits == [0, 255]
    movie = Movie.from_any(layer)
    assert (movie.axes, movie.fps) == ("TYX", pytest.approx(24))
    assert movie.units == ("s", "um", "um")


@pytest.mark.parametrize(
    ("rate", "tags", "hinted"),
    [
        (25, {}, True),
        (30, {}, True),
        (100, {}, False),
        (30, {"com.android.capture.fps": "240"}, False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*was taken at 240")
def test_a_rate_of_players_may_not_be_that_of_the_camera(tmp_path, capsys, rate, tags, hinted):
    from napari_motionmag.cli.main import main

    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 24, 20, "gray"
        for frame in np.random.default_rng(0).integers(0, 255, (6, 20, 24)).astype("u1"):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray")))
        container.mux(stream.encode(None))
    note = f"{rate} fps may be only the playback speed; give the rate of the camera if it differs"
    ((_, arguments, _),) = get_reader(str(path))(str(path))
    assert arguments["metadata"].get("fps_note") == (note if hinted else None)
    argv = ["magnify", str(path), str(tmp_path / "out.tif"), "--factor", "1", "--method", "linear"]
    assert main(argv) == 0
    assert (f"{path}: {note} (--fps)" in capsys.readouterr().err) == hinted
    assert main([*argv, "--overwrite", "--fps", "500"]) == 0
    assert note not in capsys.readouterr().err


def test_the_rate_of_a_video_of_ours_is_known(tmp_path):
    save_movie(tmp_path / "film.mp4", np.zeros((4, 16, 16), "u1"), fps=25)
    assert open_movie(tmp_path / "film.mp4").data.rate_note == ""
