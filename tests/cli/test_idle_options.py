"""Options that would have no effect are refused, in one line, before anything is written."""

import numpy as np
import pytest

from napari_motionmag.cli import main as cli
from napari_motionmag.io import save_movie

MAGNIFY = "magnify film.tif o.tif --factor 2"
BATCH = "batch film.tif o --factor 2 --method linear"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("idle")
    frames = np.random.default_rng(0).integers(0, 200, (6, 32, 40)).astype("u2")
    save_movie(folder / "film.tif", frames, fps=50)
    save_movie(folder / "color.avi", np.zeros((4, 32, 40, 3), "u1"), fps=50)
    return folder


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (f"{MAGNIFY} --playback-fps 5", "--playback-fps is for .mp4, .mov, .avi only"),
        (f"{MAGNIFY} --band 5 10", "--band is for --mode temporal"),
        (f"{MAGNIFY} --filter iir", "--filter is for --mode temporal"),
        (f"{MAGNIFY} --mode dynamic --reference 3", "--reference is for --mode static"),
        (f"{MAGNIFY} --preset throat --fps 1900 --reference 3", "--reference is for --mode static"),
        (f"{MAGNIFY} --method lagrangian --device cuda", "--device is not for --method lagrangian"),
        (
            f"{MAGNIFY} --method lagrangian --precision float64",
            "--precision is not for --method lagrangian",
        ),
        (f"{MAGNIFY} --method linear --option level=2", "level is for --option what=color"),
        (
            f"{MAGNIFY} --method linear --option what=color --option residual=yes",
            "residual is for --option what=motion",
        ),
        ("interpolate film.tif o.tif --times 2 --playback-fps 5", "--playback-fps is for .mp4"),
        (
            "interpolate film.tif o.tif --times 2 --method lagrangian --device cuda",
            "--device is not for --method lagrangian",
        ),
        ("export film.tif o.gif --scale-bar 5 --no-scale-bar", "not allowed with"),
        ("export film.tif o.gif --label a --no-labels", "not allowed with"),
        ("export film.tif o.gif --band 5 10", "--band needs --factor, --preset or --recipe"),
        ("export film.tif o.gif --map-rest 0", "--map-rest needs --factor, --preset or --recipe"),
        ("export film.tif o.gif --option draw=no", "--option needs --factor, --preset or --recipe"),
        ("export film.tif o --loops 3", "loops, how often it is shown, is for videos"),
        ("export color.avi o.gif --colormap viridis", "--colormap is for gray movies"),
        (f"{BATCH} --speed 1/2", "--speed needs --film"),
        (f"{BATCH} --no-measure --measure-region 0 9 0 9", "--measure-region is not for --no-m"),
        (f"{BATCH} --resume --overwrite", "not allowed with"),
        ("measure film.tif o.csv --segments 3", "--segments is for two regions or more"),
        ("measure film.tif o.tif --map phase --band 5 10", "--band is for --mode temporal"),
        ("measure film.tif o.tif --map phase --filter iir", "--filter is for --mode temporal"),
        (
            "measure film.tif o.tif --map phase --mode dynamic --reference 1",
            "--reference is for --mode static",
        ),
        ("evaluate --paper o --seeds 3", "--seeds is not for --paper"),
        ("evaluate --paper o --out o", "--out is not for --paper"),
        ("demo --gui --out-dir o", "--out-dir is not for --gui"),
    ],
)
def test_an_option_without_effect_is_refused(folder, capsys, monkeypatch, argv, message):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    try:
        code = cli.main(argv.split())
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err
    assert sorted(folder.iterdir()) == before
