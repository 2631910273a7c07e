"""Presets on the command line: they fill in what is not given."""

import json

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from napari_motionmag import magnify, presets
from napari_motionmag.cli import main as cli
from napari_motionmag.io import open_movie, save_movie


@pytest.fixture
def film(tmp_path):
    """Write a small movie of 200 frames a second."""
    path = tmp_path / "film.tif"
    frames = gaussian_filter(np.random.default_rng(0).normal(size=(8, 24, 28)), (1, 3, 3))
    save_movie(path, (2000 + 9000 * frames).astype(np.uint16), fps=200)
    return path


def run(capsys, *argv):
    code = cli.main([str(argument) for argument in argv])
    out, err = capsys.readouterr()
    return code, out, err


def magnified(capsys, film, *options):
    """Return the movie that the command writes, and its recipe."""
    target = film.with_name("out.ome.tif")
    common = ("--method", "linear", "--quiet", "--overwrite")
    code, _, err = run(capsys, "magnify", film, target, *common, *options)
    assert code == 0, err
    with tifffile.TiffFile(target) as tiff:
        text = tiff.ome_metadata
    recipe = text[text.index("{") : text.rindex("}") + 1].replace("&quot;", '"')
    return tifffile.imread(target), json.loads(recipe)


@pytest.mark.parametrize("name", ["cilia", "gun", "drum_static", "camera"])
@pytest.mark.filterwarnings("ignore:linear")
def test_a_preset_is_its_arguments(capsys, film, name):
    found, recipe = magnified(capsys, film, "--preset", name)
    expected = magnify(open_movie(film), method="linear", **presets.get(name).arguments)
    assert np.array_equal(found, expected.compute())
    assert recipe["preset"] == name
    assert recipe["factor"] == presets.get(name).factor


def test_what_is_given_wins(capsys, film):
    options = ("--preset", "camera", "--factor", 0.5, "--band", 20, 40, "--filter", "fir")
    found, recipe = magnified(capsys, film, *options)
    expected = magnify(open_movie(film), 0.5, method="linear", mode="temporal", band=(20, 40))
    assert np.array_equal(found, expected.compute())
    operator = recipe["operator"]
    assert (recipe["factor"], operator["low"], operator["high"]) == (0.5, 20, 40)
    assert operator["operator"] == "fir"


def test_another_mode_leaves_the_band_out(capsys, film):
    options = ("--preset", "drum", "--mode", "static", "--factor", "0")
    found, recipe = magnified(capsys, film, *options)
    assert recipe["operator"] == {"operator": "static", "reference": 0, "fps": 200}
    expected = magnify(open_movie(film), 0, method="linear")
    assert np.array_equal(found, expected.compute())


def test_an_impossible_band_is_one_clear_line(capsys, film):
    target = film.with_name("out.npy")
    slow = ("magnify", film, target, "--preset", "drum", "--fps", 30)
    code, _, err = run(capsys, *slow)
    assert code == 2
    assert "preset 'drum' needs at least 156 fps" in err
    assert "1900 fps): --fps" in err
    assert err.count("\n") == 1
    assert not target.exists()


def test_wrong_names_and_nothing_given(capsys, film):
    code, _, err = run(capsys, "magnify", film, "out.npy", "--preset", "violin")
    assert (code, "preset must be one of crane" in err) == (2, True)
    code, _, err = run(capsys, "magnify", film, "out.npy")
    assert (code, "--factor, --preset or --recipe is needed" in err) == (2, True)


def test_the_list(capsys):
    code, out, _ = run(capsys, "presets")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Oh et al. 2018"
    assert all(any(line.split()[:1] == [name] for line in lines) for name in presets.NAMES)
    assert any(line.split()[:4] == ["drum", "x11,", "74-78", "Hz,"] for line in lines)
    code, out, _ = run(capsys, "presets", "cilia")
    assert out.splitlines()[0] == "Cilia (Microscopy)"
    code, _, _ = run(capsys, "presets", "violin")
    assert code == 2
