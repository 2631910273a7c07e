"""``napari-motionmag export``: the same pixels as in a script, and messages of one line."""

import numpy as np
import pytest
from PIL import Image

from napari_motionmag import export, magnify
from napari_motionmag.cli import main as cli
from napari_motionmag.io import open_movie, save_movie


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.ome.tif"
    rng = np.random.default_rng(0)
    frames = rng.integers(100, 3000, (8, 32, 40)).astype("u2")
    save_movie(path, frames, fps=50, scale=(1, 0.5, 0.5), units=("s", "um", "um"))
    return path


def run(capsys, *argv):
    try:
        code = cli.main([str(argument) for argument in argv])
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


def pixels(folder):
    return np.stack([np.asarray(Image.open(file)) for file in sorted(folder.iterdir())])


def test_the_same_pixels_as_in_a_script(capsys, film, tmp_path):
    options = (
        "--factor 3 --method linear --device cpu --speed 1/5 --layout split --line 4 6 30 6 "
        "--colormap viridis --gamma 0.8 --scale-bar 5 --frames 1:7 --zoom 2 --contrast 200 2500"
    )
    code, out, err = run(capsys, "export", film, tmp_path / "a", *options.split())
    assert (code, out, len(err)) == (0, "", 1), err
    assert "wrote" in err[0]
    movie = open_movie(film)
    result = magnify(movie, 3, method="linear", device="cpu")
    look = export.Look((200, 2500), "viridis", 0.8)
    export.export_movie(
        tmp_path / "b",
        {"original": movie, "motion ×3 (linear)": result},
        looks=[look, look],
        speed=1 / 5,
        layout="split",
        line=[(4, 6), (30, 6)],
        scale_bar=5,
        frames=slice(1, 7),
        zoom=2,
    )
    assert (pixels(tmp_path / "a") == pixels(tmp_path / "b")).all()


def test_movies_without_a_magnification_and_a_trim(capsys, film, tmp_path):
    argv = ("export", film, film, tmp_path / "o", "--trim", 0.04, 0.08, "--label", "a", "--label")
    code, _, _ = run(capsys, *argv, "b", "--quiet")
    assert code == 0
    wanted = export.Film(export.compose([film_of(film)] * 2, labels=["a", "b"], trim=(0.04, 0.08)))
    assert (pixels(tmp_path / "o") == np.stack(list(wanted.frames()))).all()


def film_of(path):
    return open_movie(path)


def test_a_recipe_of_a_file_is_used(capsys, film, tmp_path):
    made = tmp_path / "made.ome.tif"
    magnifying = ("--factor", 4, "--method", "linear", "--device", "cpu", "--quiet")
    assert run(capsys, "magnify", film, made, *magnifying)[0] == 0
    assert run(capsys, "export", film, tmp_path / "a", "--recipe", made, "--quiet")[0] == 0
    assert run(capsys, "export", film, tmp_path / "b", *magnifying)[0] == 0
    assert (pixels(tmp_path / "a") == pixels(tmp_path / "b")).all()
    again = tmp_path / "again.ome.tif"
    argv = ("magnify", film, again, "--recipe", made, "--factor", 2, "--quiet")
    assert run(capsys, *argv)[0] == 0
    wanted = magnify(open_movie(film), 2, method="linear", device="cpu").compute()
    assert (np.asarray(open_movie(again).data) == wanted).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--speed fast", "--speed: must be a number above 0, as 1/20, got 'fast'"),
        ("--frames 3", "--frames: must be frames A:B"),
        ("--at C", "--at: must be AXIS=N"),
        ("--colormap rainbows", "colormap must be one of"),
        ("--divider 0.5", "divider is for layout='split'"),
        ("--scale-bar 100", "scale_bar of 100 is longer than the frame is wide, 20 um"),
        ("--recipe none.tif", "none.tif: there is no such file"),
        ("--preset cilia", "beyond the Nyquist frequency fps / 2 = 25 Hz"),
        ("--playback-fps 0", "--playback-fps must be a finite number above 0"),
        ("--results-only", "--results-only needs --factor, --preset or --recipe"),
    ],
)
def test_bad_options_are_one_line(capsys, film, tmp_path, options, message):
    code, out, err = run(capsys, "export", film, tmp_path / "o.gif", *options.split())
    assert (code, out, len(err)) == (2, "", 1), err
    assert message in err[0]
    assert [item.name for item in tmp_path.iterdir()] == [film.name]


def test_what_is_unknown_of_a_movie_is_one_line(capsys, tmp_path):
    path = tmp_path / "film.npy"
    np.save(path, np.zeros((5, 32, 32), "u1"))
    for options, message in (
        ([], "the frame rate of 'film' is unknown: give --fps"),
        (["--speed", "1/20"], "speed: the frame rate of 'film' is unknown: give --fps"),
        (["--fps", 10, "--scale-bar", 5], "the pixel size of 'film' is unknown: give pixel_size"),
    ):
        code, _, err = run(capsys, "export", path, tmp_path / "o.mp4", *options)
        assert (code, len(err)) == (2, 1)
        assert message in err[0]
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"method": "linear"}')
    code, _, err = run(capsys, "export", path, tmp_path / "o.mp4", "--recipe", wrong)
    assert (code, len(err)) == (2, 1)
    assert "wrong.json: holds no recipe" in err[0]


def test_an_output_that_is_there_stays(capsys, film, tmp_path):
    target = tmp_path / "o.gif"
    target.write_bytes(b"mine")
    code, _, err = run(capsys, "export", film, target)
    assert (code, len(err)) == (2, 1)
    assert "exists already" in err[0]
    assert target.read_bytes() == b"mine"
    assert run(capsys, "export", film, target, "--overwrite", "--quiet") == (0, "", [])
    assert target.read_bytes()[:3] == b"GIF"
