"""Exported files: they hold the frames that were drawn and play everywhere, or are not there."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_motionmag import Movie, export, magnify
from napari_motionmag.io import open_movie

av = pytest.importorskip("av")


@pytest.fixture
def composition():
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (12, 6, 8)).astype(np.uint8)
    frames = np.repeat(np.repeat(coarse, 8, 1), 8, 2)
    movie = Movie(frames, fps=100, scale=(1, 0.5, 0.5), units=("s", "um", "um"))
    return export.compose({"original": movie, "other": movie}, speed=1 / 5, zoom=2)


def drawn(composition, fastest=60):
    return np.stack(list(export.Film(composition, fastest).frames()))


def decoded(path):
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def top_boxes(path):
    content, at, found = path.read_bytes(), 0, []
    while at < len(content):
        found.append(content[at + 4 : at + 8].decode())
        at += int.from_bytes(content[at : at + 4], "big")
    return found


@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_videos_play_in_powerpoint_and_browsers(tmp_path, composition, extension):
    path = export.export_movie(tmp_path / f"film.{extension}", composition)
    with av.open(str(path)) as file:
        (track,) = file.streams
        context = track.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert context.width % 2 == context.height % 2 == 0
        assert track.average_rate == 20
        assert float(track.duration * track.time_base) == pytest.approx(12 / 20)
        assert context.color_range == 1  # 16..235, as all players take it
        about = json.loads(file.metadata["comment"].removeprefix("exported movie "))
    assert about["labels"] == ["original", "other"]
    boxes = top_boxes(path)
    assert boxes.index("moov") < boxes.index("mdat")  # plays while it loads
    found, wanted = decoded(path).astype(int), drawn(composition).astype(int)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).mean() < 1.5


def test_a_video_holds_its_loops(tmp_path, composition):
    once = export.export_movie(tmp_path / "once.mp4", composition)
    path = export.export_movie(tmp_path / "film.mp4", composition, loops=3)
    with av.open(str(path)) as file:
        times = [frame.pts * frame.time_base for frame in file.decode(video=0)]
    assert np.allclose(np.array(times, float), np.arange(36) / 20)
    found, single = decoded(path), decoded(once)
    assert (found == np.concatenate([single] * 3)).all()


def test_loops_are_bounded(tmp_path, composition):
    for name in ("film.mp4", "film.gif"):
        with pytest.raises(ValueError, match="loops must be a whole number from 0 to 65535"):
            export.export_movie(tmp_path / name, composition, loops=65536)
    assert list(tmp_path.iterdir()) == []


def test_a_movie_that_is_shown_is_not_replaced(tmp_path, composition):
    path = export.export_movie(tmp_path / "film.mp4", composition)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"film\.mp4: the movie is read from .*film\.mp4"):
        export.export_movie(path, open_movie(path), overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("loops", "shown"), [(None, 0), (1, None), (3, 2)])
def test_gif(tmp_path, composition, loops, shown):
    path = export.export_movie(tmp_path / "film.gif", composition, loops=loops)
    with Image.open(path) as picture:
        assert picture.info.get("loop") == shown
        frames, durations = [], []
        for k in range(picture.n_frames):
            picture.seek(k)
            frames.append(np.asarray(picture.convert("RGB")).astype(int))
            durations.append(picture.info["duration"])
    assert durations == [50] * 12
    assert np.abs(np.stack(frames) - drawn(composition, 50)).mean() < 1.5


@pytest.mark.parametrize(("loops", "shown"), [(None, 0), (3, 3)])
def test_webp(tmp_path, composition, loops, shown):
    path = export.export_movie(tmp_path / "film.webp", composition, loops=loops)
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.info["loop"]) == (12, shown)
        picture.seek(7)
        picture.load()
        assert picture.info["duration"] == 50
        found = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(found - drawn(composition)[7]).mean() < 4


def test_a_gif_is_not_faster_than_browsers(tmp_path):
    movie = Movie(np.zeros((10, 20, 20), "u1"), fps=60)
    with pytest.warns(UserWarning, match="players show 50: one frame of 2"):
        path = export.export_movie(tmp_path / "film.gif", movie, zoom=1)
    with Image.open(path) as picture:
        assert picture.info["duration"] >= 20


def test_png_frames_are_exact(tmp_path, composition):
    path = export.export_movie(tmp_path / "frames", composition)
    files = sorted(path.iterdir())
    assert [file.name for file in files][:2] == ["frame_00000.png", "frame_00001.png"]
    found = np.stack([np.asarray(Image.open(file)) for file in files])
    assert (found == drawn(composition)).all()
    with pytest.raises(FileExistsError, match="exists already"):
        export.export_movie(path, composition)
    export.export_movie(path, composition, overwrite=True)
    (path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no output of this kind"):
        export.export_movie(path, composition, overwrite=True)


def test_the_recipe_is_kept(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 32)).astype("u1")
    result = magnify(frames, 7, method="linear", fps=20, device="cpu")
    path = export.export_movie(tmp_path / "film.mp4", [Movie(frames, fps=20), result], zoom=1)
    with av.open(str(path)) as file:
        about = json.loads(file.metadata["comment"].removeprefix("exported movie "))
    assert [made and made["factor"] for made in about["recipes"]] == [None, 7.0]


@pytest.mark.parametrize("name", ["film.mp4", "film.gif", "film.webp", "frames"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_of_what_was_cancelled(tmp_path, composition, name, error):
    def stop(done, total):
        if done == 7:
            raise error

    with pytest.raises(error):
        export.export_movie(tmp_path / name, composition, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_all_steps(tmp_path, composition):
    steps = []
    export.export_movie(tmp_path / "f.gif", composition, progress=lambda *n: steps.append(n))
    assert steps == [(k + 1, 12) for k in range(12)]


FULL = """
import resource, signal, sys
import numpy as np
from napari_motionmag import Movie, export
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = np.random.default_rng(0)
movie = Movie(rng.integers(0, 255, (40, 200, 200)).astype("u1"), fps=20)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000,) * 2)
for path in sys.argv[1:]:
    try:
        export.export_movie(path, movie, zoom=1)
    except OSError as error:
        print(error)
"""


def test_a_full_disk_is_one_line(tmp_path):
    paths = [tmp_path / name for name in ("film.mp4", "film.gif", "frames")]
    argv = [sys.executable, "-c", FULL, *map(str, paths)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    for path, line in zip(paths, done.stdout.splitlines(), strict=True):
        assert f"{path} cannot be written to its end" in line
    assert list(tmp_path.iterdir()) == []


def test_bad_paths_are_one_line(tmp_path, composition):
    with pytest.raises(ValueError, match=r"cannot export to '.wmv'; can be .mp4, .mov, .gif"):
        export.export_movie(tmp_path / "film.wmv", composition)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export.export_movie(tmp_path / "none" / "film.mp4", composition)
    (tmp_path / "film.gif").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="exists already"):
        export.export_movie(tmp_path / "film.gif", composition)
    assert (tmp_path / "film.gif").read_bytes() == b"mine"
    with pytest.raises(ValueError, match=r"loops=0, forever, is for \.gif and \.webp"):
        export.export_movie(tmp_path / "film.mp4", composition, loops=0)


def test_an_unwritable_folder_is_one_line(tmp_path, composition, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(PermissionError, match=f"the folder {tmp_path} is not writable"):
        export.export_movie(tmp_path / "film.mp4", composition)
