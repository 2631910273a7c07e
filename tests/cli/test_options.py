"""Options of methods and of stabilisation on the command line."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_motionmag import magnify
from napari_motionmag.cli import main as cli
from napari_motionmag.methods.options import OPTIONS, STABILISE


@pytest.fixture
def film(tmp_path):
    rng = np.random.default_rng(0)
    still = np.kron(rng.random((10, 12)), np.ones((4, 4)))
    frames = np.stack([np.roll(still, (t, -t), (0, 1)) for t in range(4)])
    path = tmp_path / "film.npy"
    np.save(path, frames.astype(np.float32))
    return path


def run(capsys, *argv):
    """Return exit code and the lines of standard error."""
    try:
        code = cli.main([str(argument) for argument in argv])
    except SystemExit as leaving:
        code = leaving.code
    return code, capsys.readouterr().err.splitlines()


def made(film, capsys, *argv):
    target = film.with_name("out.tif")
    start = ("magnify", film, target, "--factor", 3, "--axes", "TYX", "--intensity-range", 0, 1)
    code, said = run(capsys, *start, "--quiet", "--overwrite", *argv)
    assert (code, said) == (0, [])
    with tifffile.TiffFile(target) as file:
        told = ElementTree.fromstring(file.ome_metadata).find(".//{*}Description").text
    return tifffile.imread(target), json.loads(told)


@pytest.mark.parametrize("frames", ["-2:", "-1", "-3:-1"])
def test_frames_are_counted_from_the_end(film, capsys, frames):
    _, recipe = made(film, capsys, "--method", "linear", "--factor", 1, "--reference", frames)
    reference = recipe["operator"]["reference"]
    ends = {"-2:": [-2, None, None], "-3:-1": [-3, -1, None]}
    assert reference == ({"slice": ends[frames]} if frames in ends else -1)


@pytest.mark.parametrize("black", ["-1e-1", "-.1", "-0.1"])
def test_negative_numbers_are_values(film, capsys, black):
    options = ("--method", "linear", "--factor", 1, "--intensity-range", black, "1.")
    assert made(film, capsys, *options)[1]["intensity_range"] == [-0.1, 1]


def test_options_of_the_method_are_used(film, capsys):
    frames = np.load(film)
    wanted = {"axes": "TYX", "intensity_range": (0, 1), "device": "cpu"}
    options = ("--method", "linear", "--option", "what=color", "--option", "level=2")
    out, recipe = made(film, capsys, *options)
    expected = magnify(frames, 3, method="linear", what="color", level=2, **wanted).compute()
    np.testing.assert_array_equal(out, expected)
    other = magnify(frames, 3, method="linear", what="color", level=3, **wanted).compute()
    assert np.abs(out - other).max() > 0.01
    assert recipe["options"] == {"what": "color", "level": 2}


def test_another_method_than_that_of_a_recipe_has_its_own_options(film, capsys):
    first, _ = made(film, capsys, "--method", "linear", "--option", "what=color")
    recipe = film.with_name("recipe.tif")
    film.with_name("out.tif").rename(recipe)
    out, kept = made(film, capsys, "--recipe", recipe, "--method", "lagrangian")
    plain, _ = made(film, capsys, "--method", "lagrangian")
    assert kept["options"] == {}
    np.testing.assert_array_equal(out, plain)
    again, _ = made(film, capsys, "--recipe", recipe, "--method", "linear")
    np.testing.assert_array_equal(again, first)


def test_stabilisation_with_a_mask_is_used(film, capsys):
    frames = np.load(film)
    mask = np.zeros(frames.shape[1:], bool)
    mask[8:36, 8:44] = True
    tifffile.imwrite(film.with_name("mask.tif"), mask.astype("u1"))
    out, recipe = made(
        film, capsys, "--method", "linear", "--stabilise", "translation",
        "--stabilise-mask", film.with_name("mask.tif"), "--stabilise-option", "feather=2",
        "--option", "lambda_c=0",
    )  # fmt: skip
    alignment = {"model": "translation", "feather": 2.0}
    expected = magnify(
        frames, 3, method="linear", lambda_c=0, stabilise=alignment, mask=mask, axes="TYX",
        intensity_range=(0, 1),
    ).compute()  # fmt: skip
    np.testing.assert_array_equal(out, expected)
    # what is written with it makes it again
    assert alignment.items() <= recipe["stabilise"].items()
    assert recipe["mask"]["name"] == "mask.tif"
    again = magnify(
        frames, 3, method="linear", axes="TYX", intensity_range=(0, 1),
        **{key: recipe[key] for key in ("stabilise", "mask")}, **recipe["options"],
    ).compute()  # fmt: skip
    np.testing.assert_array_equal(again, expected)


def test_help_lists_every_option(capsys):
    with pytest.raises(SystemExit):
        cli.main(["magnify", "--help"])
    text = capsys.readouterr().out
    for options in (*OPTIONS.values(), STABILISE[1:]):
        for option in options:
            assert f"    {option.name:<12}" in text
    words = " ".join(text.split())
    for option in OPTIONS["phase"]:
        assert option.help in words
    assert max(map(len, text.split("options of the methods")[1].splitlines()[:-1])) < 80


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--option pyramid=octave", "--option pyramid: method 'learned' has draw"),
        ("--method phase --option lambda_c=2", "method 'phase' has pyramid, sigma, chroma"),
        ("--method phase --option pyramid=third", "got 'third'"),
        ("--method phase --option sigma", "--option must be NAME=VALUE, got 'sigma'"),
        ("--method linear --option what=sound", "what must be 'motion' or 'color', got 'sound'"),
        ("--stabilise-option smooth=2", "--stabilise-option needs --stabilise translation|rigid"),
        ("--stabilise-mask mask.tif", "--stabilise-mask needs --stabilise translation|rigid"),
        ("--stabilise rigid --stabilise-option speed=2", "alignment has reference, align_to"),
        ("--stabilise rigid --stabilise-option smooth=-2", "smooth must be a number >= 0"),
        ("--stabilise rigid --stabilise-mask none.npy", "none.npy"),
        ("--stabilise wobbly", "invalid choice: 'wobbly'"),
    ],
)
def test_mistakes_are_told_in_one_line(film, capsys, argv, message):
    target = film.with_name("out.npy")
    code, said = run(capsys, "magnify", film, target, "--factor", 3, "--axes", "TYX", *argv.split())
    assert code == 2
    assert len(said) == 1
    assert message in said[0]
    assert not target.exists()
