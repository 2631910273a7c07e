"""The frames of a video are those of a linear decode, and what is amiss with them is said."""

import random
import re
import threading
import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from damage import damaged

from napari_motionmag.io import open_movie
from napari_motionmag.io.video_frames import VideoFrames

av = pytest.importorskip("av")

RNG = np.random.default_rng(0)


def moving(n=40, height=48, width=64):
    """Return a texture that moves and flickers, so that each frame differs from all others."""
    y, x = np.mgrid[:height, :width]
    waves = [
        128 + 60 * np.sin(x / 5 + t / 3) + 40 * np.cos(y / 7 - t / 5) + 10 * np.sin(t)
        for t in range(n)
    ]
    return np.clip(np.stack(waves) + RNG.normal(0, 2, (n, height, width)), 0, 255).astype("u1")


def write(path, frames, codec="libx264", pixels="yuv420p", stamps=None, rate=25, **options):
    """Write grey frames with PyAV alone; `setup` gets the stream, `tags` go to the container."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    setup, tags = options.pop("setup", None), options.pop("tags", {})
    mux = options.pop("mux", {})
    with av.open(str(path), "w", options=mux) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = 10
        if setup is not None:
            setup(stream)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format=pixels)
            picture.pts = number if stamps is None else stamps[number]
            picture.time_base = Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def linear(frames):
    """Decode all frames of an open reader's file one after another."""
    with av.open(str(frames.path)) as container:
        stream = container.streams[frames._index.stream]
        return [frames._pixels(frame) for frame in container.decode(stream)]


def palettes(path, n=6):
    """Write an AVI of raw pictures with a palette, as ImageJ does: only the first packet has it."""
    index = (np.arange(n)[:, None, None] * 7 + np.indices((20, 24)).sum(0)).astype("u1")
    palette = np.repeat(np.arange(255, -1, -1, dtype="u1")[:, None], 4, 1)
    palette[:, 3] = 255
    _avi(path, 24, 20, palette.tobytes(), [frame[::-1].tobytes() for frame in index])
    return 255 - index


def _avi(path, width, height, palette, pictures, index_is_right=True):
    from struct import pack

    def chunk(name, content):
        return name + pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def lists(name, *content):
        return chunk(b"LIST", name + b"".join(content))

    size = width * height
    main = pack("<14I", 50000, 0, 0, 0x10, len(pictures), 0, 1, size, width, height, 0, 0, 0, 0)
    head = b"vidsDIB " + pack(
        "<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, 20, 0, len(pictures), size, 0, 0, 0, 0, width, height
    )
    bitmap = pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, size, 0, 0, 256, 0) + palette
    movie = lists(b"movi", *(chunk(b"00db", picture) for picture in pictures))
    stream = lists(b"strl", chunk(b"strh", head), chunk(b"strf", bitmap))
    entries, at = b"", 4
    for number, picture in enumerate(pictures):
        entries += b"00db" + pack("<III", 16, at, len(picture))
        at = at + 8 + len(picture) if index_is_right else 4 + (number + 1) * (size + 8)
    content = b"AVI " + lists(b"hdrl", chunk(b"avih", main), stream) + movie
    path.write_bytes(chunk(b"RIFF", content + chunk(b"idx1", entries)))


KINDS = {
    "b_frames.mp4": {"bf": "3"},
    "open_gop.mp4": {"x264-params": "open-gop=1:bframes=3:keyint=10:scenecut=0"},
    "intra_refresh.mkv": {"x264-params": "intra-refresh=1:keyint=10"},
    "full_color.mp4": {"pixels": "yuv444p", "bf": "2"},
    "hevc.mp4": {"codec": "libx265", "x265-params": "keyint=10:bframes=3:log-level=none"},
    "mpeg2.mkv": {"codec": "mpeg2video", "bf": "2"},
    "mpeg4.avi": {"codec": "mpeg4", "bf": "2"},
    "h264.avi": {"bf": "2"},
    "stream.mts": {"x264-params": "open-gop=1:bframes=3:keyint=10:scenecut=0"},
    "stream.mpg": {"codec": "mpeg2video", "bf": "2"},
    "intra.wmv": {"codec": "wmv2"},
    "hidden_frames.webm": {
        "codec": "libvpx",
        "auto-alt-ref": "1",
        "lag-in-frames": "8",
        "deadline": "good",
    },
    "vp9.webm": {"codec": "libvpx-vp9", "lag-in-frames": "8", "cpu-used": "5"},
    "deep.mkv": {"codec": "ffv1", "pixels": "yuv420p10le"},
}


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_a_linear_decode_in_any_order_and_thread(tmp_path, name):
    path = tmp_path / name
    write(path, moving(), **KINDS[name])
    frames = VideoFrames(path)
    expected = linear(frames)
    assert len(frames) == len(expected) == 40
    for order in ([1, 0, 2], [39, 20, 21, 3, 38], RNG.permutation(40)):
        fresh = VideoFrames(path)
        for t in order:
            np.testing.assert_array_equal(fresh.read(int(t)), expected[t], err_msg=f"{name} {t}")
    wrong = []

    def read(seed):
        for t in np.random.default_rng(seed).permutation(40)[:20]:
            if not np.array_equal(frames.read(int(t)), expected[t]):
                wrong.append(t)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_wrong_time_stamps_are_given_up(tmp_path, monkeypatch):
    path = tmp_path / "film.mp4"
    write(path, moving(), bf="2")
    expected = linear(VideoFrames(path))
    frames = VideoFrames(path)
    order = sorted(frames._index.numbers, key=lambda stamp: frames._index.numbers[stamp] ^ 1)
    numbers = {stamp: number for number, stamp in enumerate(order)}
    frames._index = replace(frames._index, numbers=numbers)
    with pytest.warns(UserWarning, match="do not come in the order of their time stamps"):
        frames.read(20)
    for t in (5, 38, 21):
        np.testing.assert_array_equal(frames.read(t), expected[t])


def test_a_palette_in_the_first_packet_holds_for_all(tmp_path):
    path = tmp_path / "film.avi"
    expected = palettes(path)
    for order in ([1, 0, 2, 5, 3, 4], [5, 4, 3, 2, 1, 0]):
        frames = VideoFrames(path)
        assert frames.shape == (6, 20, 24)  # its colors are greys
        for t in order:
            np.testing.assert_array_equal(frames.read(t), expected[t])


def test_an_edit_list_leaves_out_what_it_leaves_out(tmp_path):
    whole, path = tmp_path / "whole.mp4", tmp_path / "film.mp4"
    write(whole, moving(), bf="2")
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        track = source.streams.video[0]
        copy = target.add_stream_from_template(track)
        shift = 13 * int(Fraction(1, 25) / track.time_base)
        for packet in source.demux(track):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = (
                    packet.pts - shift,
                    packet.dts - shift,
                    copy,
                )
                target.mux(packet)
    frames = VideoFrames(path)
    expected = linear(frames)
    assert len(frames) == len(expected) == 27
    np.testing.assert_array_equal(frames.read(0), VideoFrames(whole).read(13))
    for t in (26, 3, 14, 0, 13):
        np.testing.assert_array_equal(frames.read(t), expected[t])


@pytest.mark.parametrize("size", [(24, 64), (24, 65), (25, 64), (25, 65)])
@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p12le", "yuv420p"])
def test_colors_are_right_at_any_size(tmp_path, size, pixels):
    path, (height, width) = tmp_path / "film.mkv", size
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x / width, y / height, (x + y) / (height + width)], -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        for number in range(2):
            picture = av.VideoFrame.from_ndarray((ramp * 65535).astype("u2"), "rgb48le")
            picture = picture.reformat(format="gbrp16le")
            picture = picture.reformat(format=pixels, threads=1)  # more disturb each other
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    found = VideoFrames(path).read(1)
    top = np.iinfo(found.dtype).max
    assert np.abs(found / top - ramp).mean() < (0.012 if pixels == "yuv420p" else 0.003)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", ["", "hflip", "vflip"])
def test_pictures_are_shown_as_they_are_meant(tmp_path, degrees, mirror):
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this version of PyAV cannot write a rotation")
    path, plain = tmp_path / "film.mp4", tmp_path / "plain.mp4"
    frames = moving(3)

    def turn(stream):
        stream.set_display_rotation(degrees, **{mirror: True} if mirror else {})

    write(path, frames, setup=turn)
    write(plain, frames)
    expected = np.rot90(VideoFrames(plain).read(1), degrees // 90)
    if mirror:
        expected = expected[:, ::-1] if mirror == "hflip" else expected[::-1]
    np.testing.assert_array_equal(VideoFrames(path).read(1), expected)


def test_interlaced_frames_are_said(tmp_path):
    path = tmp_path / "film.mkv"
    write(path, moving(4), "mpeg2video", flags="+ildct+ilme")
    with av.open(str(path)) as container:
        if not next(container.decode(video=0)).interlaced_frame:
            pytest.skip("this PyAV cannot write interlaced frames")
    with pytest.warns(UserWarning, match=r"film\.mkv: is interlaced"):
        assert len(VideoFrames(path)) == 4


def test_wide_pixels_are_calibration(tmp_path):
    path = tmp_path / "film.mp4"

    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    write(path, moving(3), setup=wide)
    movie = open_movie(path)
    assert movie.scale == pytest.approx((1 / 25, 1, 4 / 3))
    assert movie.units == ("s", "pixel", "pixel")


def two_streams(path, sizes, counts, rate=25):
    """Write several video streams, each of a size and a number of frames."""
    with av.open(str(path), "w") as container:
        streams = []
        for height, width in sizes:
            stream = container.add_stream("mjpeg", rate=rate)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuvj420p"
            streams.append(stream)
        for stream, count in zip(streams, counts, strict=True):
            for number, frame in enumerate(moving(count, stream.height, stream.width)):
                picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format="yuvj420p")
                picture.pts, picture.time_base = number, Fraction(1, rate)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))


def test_the_stream_that_is_the_movie_is_read(tmp_path):
    path = tmp_path / "film.mkv"
    two_streams(path, [(24, 32), (48, 64)], [1, 12])
    with pytest.warns(UserWarning, match=r"single picture; stream 1 is read \(64 x 48, 12 frames"):
        movie = open_movie(path)
    assert movie.shape == (12, 48, 64, 3)
    two_streams(path, [(24, 32), (48, 64), (24, 32)], [9, 9, 12])
    with pytest.warns(UserWarning, match=r"3 video streams; stream 1 is read"):
        assert open_movie(path).shape == (9, 48, 64, 3)


def test_the_rate_is_that_of_most_frames(tmp_path):
    slow, fast = tmp_path / "slow.mp4", tmp_path / "stall.mp4"
    stamps = [*range(0, 80, 8), *range(80, 120)]  # 30 fps, then 240
    write(slow, moving(len(stamps)), stamps=stamps, rate=240)
    with pytest.warns(UserWarning, match=r"unevenly: 80% .*240 frames per second.*frame 1, 2, 3"):
        movie = open_movie(slow)
    assert movie.fps == 240
    write(fast, moving(30), stamps=[*range(15), *range(315, 330)], rate=30)
    with pytest.warns(UserWarning, match=r"30 frames per second.*10.03 s .before frame 15\)"):
        movie = open_movie(fast)
    assert movie.fps == 30
    times = movie.times
    np.testing.assert_allclose(np.diff(times)[[0, 13, 14, 15]], [1 / 30, 1 / 30, 301 / 30, 1 / 30])
    np.testing.assert_allclose(movie.replace(fps=300).times, times / 10)


def test_dropped_frames_are_said(tmp_path):
    path, frames = tmp_path / "film.avi", moving(8, 20, 24)
    palette = np.repeat(np.arange(256, dtype="u1")[:, None], 4, 1).tobytes()
    pictures = [frame[::-1].tobytes() for frame in frames]
    pictures[3] = b""  # as recorders write that could not keep up
    _avi(path, 24, 20, palette, pictures)
    with pytest.warns(UserWarning, match=r"unevenly.*rate of 20 .*0.1 s .before frame 3\)") as said:
        movie = open_movie(path)
    assert (movie.n_frames, movie.fps, len(said)) == (7, 20, 1)
    np.testing.assert_array_equal(movie.read(3), frames[4])
    np.testing.assert_allclose(movie.times, np.delete(np.arange(8), 3) / 20)


def test_a_wrong_index_does_not_lead_astray(tmp_path):
    path, frames = tmp_path / "film.avi", moving(8, 20, 24)
    palette = np.repeat(np.arange(256, dtype="u1")[:, None], 4, 1).tobytes()
    pictures = [frame[::-1].tobytes() for frame in frames]
    pictures[3] = b""
    _avi(path, 24, 20, palette, pictures, index_is_right=False)
    with pytest.warns(UserWarning, match="unevenly"):
        movie = open_movie(path)
    for t in (3, 6, 4, 1):
        np.testing.assert_array_equal(movie.read(t), frames[t + (t >= 3)])


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(30, 30), (Fraction(30000, 1001), 29.97002997), (1000, 1000), (960, 960), (240, 240)],
)
@pytest.mark.parametrize("name", ["film.mkv", "film.mp4"])
def test_rounded_times_are_even(tmp_path, rate, expected, name):
    path = tmp_path / name  # Matroska counts milliseconds
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        for number, frame in enumerate(moving(40)):
            picture = av.VideoFrame.from_ndarray(frame, "gray").reformat(format="yuvj420p")
            picture.pts, picture.time_base = number, 1 / Fraction(rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_movie(path).fps == pytest.approx(expected, rel=1e-6)


def test_the_rate_of_the_camera_is_the_rate(tmp_path):
    path = tmp_path / "film.mp4"
    tags, mux = {"com.android.capture.fps": "240.0"}, {"movflags": "use_metadata_tags"}
    write(path, moving(12), rate=30, tags=tags, mux=mux)
    with pytest.warns(UserWarning, match="taken at 240 .* shown at 30"):
        movie = open_movie(path)
    assert movie.fps == 240
    with pytest.warns(UserWarning, match="taken at 240"):
        frames = VideoFrames(path)
    np.testing.assert_allclose(frames.times, np.arange(12) / 240, atol=1e-9)


def cine(path, frames, rate):
    """Write a Phantom cine file of grey frames."""
    from struct import pack

    depth, (height, width) = 8 * frames.dtype.itemsize, frames.shape[1:]
    setup = bytearray(0x163C + 4000)
    setup[140:144] = pack("<HH", 0x5453, 0x163C)
    setup[768:772] = pack("<I", rate)
    setup[892:896] = pack("<I", depth)
    size = frames[0].nbytes
    bitmap = pack("<IiiHHIIiiII", 40, width, height, 1, depth, 0, size, 0, 0, 0, 0)
    at_bitmap, at_setup = 44, 44 + len(bitmap)
    at_offsets = at_setup + len(setup)
    first = at_offsets + 8 * len(frames)
    head = b"CI" + pack(
        "<HHHiIiIIII8x", 44, 0, 1, 0, len(frames), 0, len(frames), at_bitmap, at_setup, at_offsets
    )
    offsets = b"".join(pack("<Q", first + k * (size + 8)) for k in range(len(frames)))
    body = b"".join(pack("<II", 8, size) + frame[::-1].tobytes() for frame in frames)
    path.write_bytes(head + bitmap + setup + offsets + body)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_high_speed_camera_says_its_rate(tmp_path, dtype):
    path = tmp_path / "film.cine"
    frames = moving(9).astype(dtype) * np.array(1 if dtype == "u1" else 250, dtype)
    cine(path, frames, 15000)
    movie = open_movie(path)
    assert (movie.axes, movie.fps, movie.dtype) == ("TYX", 15000, dtype)
    for t in (0, 8, 3):
        np.testing.assert_array_equal(movie.read(t), frames[t])


def test_a_comment_that_is_damaged_costs_no_frames(tmp_path):
    path = tmp_path / "film.mp4"
    for comment in ("{", "[1]", '{"steps": 3}', '{"fps": "x", "steps": {}}'):
        write(path, moving(4), tags={"comment": f"napari-motionmag {comment}"})
        with pytest.warns(UserWarning, match=r"film\.mp4: .* left out"):
            assert open_movie(path).fps == 25


def test_a_file_that_ends_early_says_so(tmp_path):
    avi, mkv, mov = (tmp_path / f"film.{extension}" for extension in ("avi", "mkv", "mov"))
    for path in (avi, mkv, mov):
        write(path, moving(), "mjpeg", "yuvj420p", mux={"movflags": "faststart"})
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.warns(UserWarning, match=r"ends after \d+ of the 40 frames"):
        assert 20 < len(VideoFrames(avi)) < 30
    with pytest.warns(UserWarning, match=r"ends after \d+ of the 40 frames"):
        assert 20 < len(VideoFrames(mov)) < 30
    with pytest.warns(UserWarning, match="ends after .* of the 1.6 s"):
        assert 20 < len(VideoFrames(mkv)) < 30


def test_a_damaged_packet_is_said_with_its_frame(tmp_path):
    path = tmp_path / "film.mp4"
    write(path, moving(), bf="0")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        position, size = packets[23].pos, packets[23].size
    content = bytearray(path.read_bytes())
    content[position + 4 : position + size] = bytes(size - 4)
    path.write_bytes(content)
    frames = VideoFrames(path)
    clean = [19, 22, 30, 39]  # key frames are 0, 10, 20, 30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for t in clean:
            frames.read(t)
    with pytest.warns(UserWarning, match="frame 25 is damaged"):
        frames.read(25)
    with pytest.raises(ValueError, match=r"film\.mp4: frame 23 cannot be decoded"):
        frames.read(23)
    assert frames.read(35).shape == (48, 64, 3)


@pytest.mark.parametrize("order", [range(40), range(39, -1, -1)])
def test_a_damaged_key_frame_damages_those_that_refer_to_it(tmp_path, order):
    path = tmp_path / "film.mp4"
    write(path, moving(), bf="2")
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    key = [packet for packet in packets if packet.is_keyframe][2]
    expected = linear(VideoFrames(path))
    content = bytearray(path.read_bytes())
    content[key.pos + key.size // 2 : key.pos + key.size // 2 + 40] = b"\x55" * 40
    path.write_bytes(content)
    frames, told = VideoFrames(path), set()
    for t in order:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                pixels = frames.read(t)
            except ValueError:
                told.add(t)
            else:
                if not np.array_equal(pixels, expected[t]):
                    assert t in frames._reported
        told |= {t for entry in caught if f"frame {t} is damaged" in str(entry.message)}
    assert set(range(21, 29)) <= (told | frames._reported) <= set(range(17, 31))


def test_reading_ahead_does_not_hold_up_a_jump(tmp_path):
    """Readers elsewhere use decoders of their own, and frames nearby are decoded once."""
    path = tmp_path / "film.mp4"
    write(path, moving(60))
    frames = VideoFrames(path)
    frames.read(12)
    (first,) = frames._decoders
    first.busy = True  # someone decodes on from frame 13
    jumped = []
    thread = threading.Thread(target=lambda: jumped.append(frames.read(45)))
    thread.start()
    thread.join(20)
    assert len(jumped) == 1
    assert len(frames._decoders) == 2
    waiting = threading.Thread(target=lambda: jumped.append(frames.read(14)))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()  # the busy decoder is about to pass there
    with frames._changed:
        first.busy = False
        frames._changed.notify_all()
    waiting.join(20)
    assert len(jumped) == 2
    assert len(frames._decoders) == 2


def told_and_read(path, order):
    """Read all frames in an order; return them, and the numbers that warnings name."""
    frames, read = VideoFrames(path), {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for t in order(len(frames)):
            try:
                read[t] = frames.read(int(t)).tobytes()
            except ValueError:
                read[t] = None
    names = (re.search(r"frame (\d+) is damaged", str(entry.message)) for entry in caught)
    return read, {int(name[1]) for name in names if name} | {t for t in read if read[t] is None}


@pytest.mark.parametrize("name", ["b_frames.mp4", "full_color.mp4", "hevc.mp4"])
@pytest.mark.filterwarnings("ignore")
def test_what_damage_does_to_frames_depends_on_no_order_without_a_word(tmp_path, name):
    path = tmp_path / name
    write(path, moving(), **KINDS[name])
    whole, rng = path.read_bytes(), random.Random(name)
    compared = 0
    for number in range(26):
        path.write_bytes(damaged(whole, rng))
        try:
            forward, said = told_and_read(path, range)
            backward, also_said = told_and_read(path, lambda n: range(n)[::-1])
        except ValueError:  # refused
            continue
        differ = {t for t in forward if forward[t] != backward.get(t)}
        assert differ <= said | also_said, f"{name}, damage {number}"
        compared += 1
    assert compared > 10


def test_a_frame_that_decodes_otherwise_the_second_time_is_said(tmp_path):
    path = tmp_path / "film.mkv"
    write(path, moving())
    frames = VideoFrames(path)
    frames.read(12)
    frames._traces[11] += 1
    frames._cache.clear()
    with pytest.warns(UserWarning, match="frame 11 is damaged"):
        frames.read(11)
