"""Recipes in files: of both formats that keep them, and of JSON."""

import json

import numpy as np
import pytest

from napari_motionmag import recipes
from napari_motionmag.io import save_movie
from napari_motionmag.io.recipe_file import read_recipe
from napari_motionmag.magnification.magnification import plan

MOVIE = np.random.default_rng(0).integers(0, 99, (40, 32, 32)).astype("u2")


@pytest.fixture
def recipe():
    motion = {"mode": "temporal", "band": (3, 5), "fps": 20}
    return plan(MOVIE, 7, method="linear", device="cpu", **motion).recipe


@pytest.mark.parametrize("name", ["film.ome.tif", "film.zarr", "recipe.json"])
def test_the_recipe_is_read_back(tmp_path, recipe, name):
    path = tmp_path / name
    if path.suffix == ".json":
        path.write_text(json.dumps(recipe))
    else:
        if path.suffix == ".zarr":
            pytest.importorskip("zarr")
        save_movie(path, MOVIE, fps=20, recipe=recipe)
    found = read_recipe(path)
    assert found == json.loads(json.dumps(recipe))
    again = plan(MOVIE, **recipes.arguments_for_another(found))
    assert again.recipe == recipe


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("film.tif", b"II*\0", "film.tif: holds no recipe"),
        ("recipe.json", b"{", "recipe.json: holds no recipe"),
        ("recipe.json", b"[1]", "recipe.json: holds no recipe: a factor is missing"),
        ("recipe.json", b'{"method": "linear"}', "a factor is missing"),
        ("recipe.json", b"\xff\xfe\x00", "recipe.json: holds no recipe"),
    ],
)
def test_a_file_without_one_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as refused:
        read_recipe(path)
    assert "\n" not in str(refused.value)


def test_a_movie_that_was_not_magnified_has_none(tmp_path):
    save_movie(tmp_path / "film.ome.tif", MOVIE, fps=20)
    with pytest.raises(ValueError, match=r"film\.ome\.tif: holds no recipe"):
        read_recipe(tmp_path / "film.ome.tif")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_recipe(tmp_path / "none.tif")
