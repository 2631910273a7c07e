"""A factor for each pixel: painted parts, cinemagraphs, and what stays to the last bit."""

import json

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture
from napari.layers import Image, Labels, Shapes
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_motionmag import magnify, magnify_layer, recipes, samples
from napari_motionmag.cli.main import main
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.magnification.factor_map import factor_map_of, pack, unpack
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.movie.movie import Movie

METHODS = ["learned", "oh2018", "phase", "riesz", "linear", "lagrangian"]


def moving(n=4, size=128, step=(0.15, 0.25)):
    """A texture that moves evenly, on the unit scale."""
    texture = smooth_texture(size)
    return np.stack([fourier_shift(texture, t * step[0], t * step[1]) for t in range(n)])


def options_for(name):
    return {"model": name} if name == "oh2018" else {"method": name}


@pytest.mark.parametrize("name", METHODS)
def test_an_even_map_is_that_factor(name):
    movie = moving(2, 64).astype("f4")
    fixed = {"intensity_range": (0, 1), **options_for(name)}
    number = magnify(movie, 3, **fixed)[1].compute()
    drawn = magnify(movie, 7, factor_map=np.full((64, 64), 3.0), **fixed)[1].compute()
    assert drawn == pytest.approx(number, abs=1e-6)


@pytest.mark.filterwarnings("ignore:linear. the displacement:UserWarning")
@pytest.mark.parametrize(("name", "most"), [*zip(METHODS, [2, 8, 8, 8, 14, 6], strict=True)])
def test_each_place_moves_by_its_own_factor(name, most):
    movie = moving(2).astype("f4")
    smooth = gaussian_filter(np.where(np.arange(128) < 64, 0.0, 5.0), 6)
    factors = np.broadcast_to(smooth, (128, 128))
    drawn = magnify(movie, 1, factor_map=factors, intensity_range=(0, 1), **options_for(name))
    y, x = np.indices((128, 128), dtype=float)
    # what lies at a place was displaced by its own factor
    at = [y - 0.15 * factors, x - 0.25 * factors]
    truth = map_coordinates(movie[0], at, order=5, mode="wrap")
    inner = np.s_[16:-16, 16:-16]
    error = np.abs(drawn[1].compute() - truth)[inner]
    assert 255 * np.sqrt((error**2).mean()) < most  # gray levels
    even = magnify(movie, 5, intensity_range=(0, 1), **options_for(name))[1].compute()
    assert np.abs(even - truth)[inner][:, :32].mean() > 3 * error[:, :32].mean()


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_a_cinemagraph_stands_still_to_the_last_bit(dtype):
    scale = {"u1": 255, "u2": 4000, "f4": 1}[dtype]
    movie = scale * moving() + 0.01 * scale * np.random.default_rng(0).random((4, 128, 128))
    movie = movie.astype(dtype)
    labels = np.zeros((128, 128), int)
    labels[30:100, 50:110] = 1
    arguments = {"factor_map": {"labels": labels, "rest": 0}, "reference": 2, "axes": "TYX"}
    drawn = magnify(movie, 4, **arguments).compute()
    still = labels == 0
    assert (drawn[:, still] == movie[2][still]).all()
    middle = np.s_[:, 50:80, 70:90]
    assert not np.array_equal(drawn[0][middle[1:]], movie[2][middle[1:]])
    whole = magnify(movie, 4, reference=2, axes="TYX").compute()
    assert np.abs(drawn[middle].astype(float) - whole[middle]).max() <= 0.05 * scale


def test_a_cinemagraph_has_no_seam():
    movie = moving(5).astype("f4")
    labels = np.zeros((128, 128), int)
    labels[24:104, 40:104] = 1
    seam = np.zeros((128, 128), bool)
    seam[20:108, 36:108] = True
    seam[44:84, 60:84] = False
    about = {"labels": labels, "rest": 0, "feather": 18}
    fixed = {"intensity_range": (0, 1), "axes": "TYX"}
    drawn = magnify(movie, 3, factor_map=about, **fixed)[4].compute()
    cut = np.where(labels == 1, magnify(movie, 3, **fixed)[4].compute(), movie[0])

    def steps(frame):
        rows, columns = (np.abs(np.diff(frame, axis=axis)) for axis in (0, 1))
        return max(rows[:, 1:][seam[1:, 1:]].max(), columns[1:][seam[1:, 1:]].max())

    natural = max(steps(frame) for frame in movie)
    assert steps(drawn) < 1.3 * natural
    assert steps(cut) > 2 * natural


def test_what_has_a_factor_of_one_is_the_movie():
    movie = samples.load("drifting_membrane", n_frames=4, size=64)[0]
    labels = np.zeros((64, 64), "u1")
    labels[20:40, 20:40] = 1
    arguments = {"factor_map": labels, "axes": "TYXS", "mode": "dynamic"}
    drawn = magnify(movie, 20, **arguments).compute()
    assert (drawn[:, labels == 0] == movie[:, labels == 0]).all()
    assert not np.array_equal(drawn[2], movie[2])


def test_labels_have_factors_of_their_own():
    movie = Movie(moving(2, 64).astype("f4"), "TYX")
    labels = np.zeros((64, 64), int)
    labels[:, 20:40], labels[:, 40:] = 2, 7
    about = {"labels": labels, "factors": {7: -3}, "rest": 0.5, "feather": 4}
    factors = factor_map_of(about, 9, movie)
    assert (factors[:, :20] == 0.5).all()
    assert (factors[:, 26:34] == 9).all()
    assert (factors[:, 46:] == -3).all()
    assert (np.abs(np.diff(factors[0])) < 5).all()


def test_layers_count_where_they_lie(plain_napari):
    movie = Image(moving(2, 64).astype("f4"), scale=(1, 0.5, 0.5))
    wanted = np.ones((64, 64))
    wanted[16:32, 8:24] = 6
    painted = np.zeros((32, 32), int)
    painted[8:16, 4:12] = 3
    labels = Labels(painted, scale=(1, 1), translate=(0.25, 0.25))
    rectangle = np.array([[16, 8], [16, 23], [31, 23], [31, 8]]) / 2
    shapes = Shapes([rectangle], shape_type="polygon")
    for layer in (labels, shapes):
        about = {"labels": layer, "feather": 0}
        factors = factor_map_of(about, 6, Movie.from_any(movie), movie)
        assert np.array_equal(factors, wanted)


def test_a_region_and_a_preview_have_their_part_of_the_map():
    movie = moving(2).astype("f4")
    factors = gaussian_filter(np.random.default_rng(1).uniform(0, 4, (128, 128)), 8)
    fixed = {"factor_map": factors, "intensity_range": (0, 1)}
    whole = magnify(movie, 1, **fixed)[1].compute()
    part = magnify(movie, 1, region=(40, 100, 30, 90), **fixed)[1].compute()
    assert part == pytest.approx(whole[40:100, 30:90], abs=1e-5)
    assert magnify(movie, 1, preview=2, **fixed)[1].compute().shape == (64, 64)


def test_the_recipe_makes_the_same_again():
    layer = Image(moving(2, 64).astype("f4"), axis_labels=("t", "y", "x"))
    labels = np.zeros((64, 64), int)
    labels[10:50, 10:30] = 1
    made = magnify_layer(layer, 4, factor_map={"labels": labels, "rest": 0})
    assert "painted" in made.name
    info = json.loads(json.dumps(made.metadata))
    again = recipes.repeat(info, layer)
    assert np.array_equal(again.data[1].compute(), made.data[1].compute())


@pytest.mark.parametrize("name", ["map.npy", "map.tif"])
def test_damaged_files_of_maps_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no map")
    with pytest.raises(ValueError, match=f"factor_map: .*{name} cannot be read"):
        factor_map_of(tmp_path / name, 2, Movie(moving(2, 64), "TYX"))


def test_a_map_too_large_for_a_recipe_is_named():
    factors = np.random.default_rng(0).uniform(0, 9, (300, 300)).astype("f4")
    about = pack(factors)
    assert set(about) == {"shape", "sha256"}
    with pytest.raises(ValueError, match="too large to be kept"):
        unpack(about, (300, 300))
    few = np.round(factors[:64, :64])
    assert np.array_equal(unpack(json.loads(json.dumps(pack(few))), (64, 64)), few)
    with pytest.raises(ValueError, match="the recipe is damaged"):
        unpack({**pack(few), "indices": "AAAA"}, (64, 64))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones((9, 9)), "must have the shape"),
        (np.full((32, 32), np.nan), "must be finite"),
        (np.zeros((32, 32), int), "at least one label"),
        ({"labels": np.ones((32, 32), int), "edge": 3}, "no 'edge'"),
        ({"labels": np.ones((32, 32), int), "feather": -1}, "feather must be 0"),
        ({"labels": np.ones((32, 32), int), "factors": {4: 1}}, "label 4 is not painted"),
        ({"labels": np.ones((32, 32), int), "factors": {"1": 1}}, "label '1' is not painted"),
        ({"labels": np.ones((32, 32), int), "factors": 3}, "factors must be factors by label"),
        ("map.jpg", ".npy, .tif"),
        (object(), "array of numbers"),
    ],
)
def test_wrong_maps_are_refused(given, words):
    with pytest.raises((ValueError, TypeError), match=words):
        plan(np.zeros((3, 32, 32), "u1"), 4, factor_map=given)


def test_the_command_draws_the_same(tmp_path):
    movie = (200 * moving(3, 64)).astype("u1")
    labels = np.zeros((64, 64), "u1")
    labels[8:30], labels[30:60] = 1, 2
    np.save(tmp_path / "labels.npy", labels)
    save_movie(tmp_path / "in.npy", movie, axes="TYX")
    files = [str(tmp_path / name) for name in ("in.npy", "out.npy")]
    painted = ["--factor-map", str(tmp_path / "labels.npy"), "--map-factor", "2=-1"]
    edges = ["--map-rest", "0", "--map-feather", "5", "--axes", "TYX", "--quiet"]
    how = ["--factor", "3", "--method", "riesz"]
    assert main(["magnify", *files, *how, *painted, *edges]) == 0
    about = {"labels": labels, "factors": {2: -1}, "rest": 0, "feather": 5}
    drawn = magnify(movie, 3, method="riesz", axes="TYX", factor_map=about).compute()
    assert np.array_equal(open_movie(tmp_path / "out.npy", axes="TYX").data[:], drawn)
    assert main(["magnify", *files, *how, "--map-rest", "0"]) == 2
