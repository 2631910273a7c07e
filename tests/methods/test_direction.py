"""Motion along one direction is magnified, motion across it is not."""

import math

import numpy as np
import pytest
from motion import fourier_shift, measured_shift, smooth_texture

from napari_motionmag import magnify
from napari_motionmag.cli.main import main
from napari_motionmag.io import open_movie, save_movie

STEP = np.array([0.10, 0.08])  # dy, dx in px


@pytest.fixture(scope="module")
def texture():
    return smooth_texture(128)


@pytest.mark.parametrize("method", ["learned", "lagrangian"])
@pytest.mark.parametrize("degrees", [0, 45, 90, 150])
def test_only_motion_along_the_direction_grows(texture, method, degrees):
    movie = np.stack([texture, fourier_shift(texture, *STEP)]).astype("f4")
    drawn = magnify(movie, 6, method=method, direction=degrees, intensity_range=(0, 1))
    found = measured_shift(texture, drawn[1].compute().astype(float))
    along = np.array([math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])
    across = np.array([along[1], -along[0]])
    assert found @ across == pytest.approx(STEP @ across, abs=2e-3)
    assert found @ along == pytest.approx(6 * STEP @ along, abs=1e-2)


def test_a_color_movie_and_a_map_have_a_direction_too(texture):
    movie = np.stack([texture, fourier_shift(texture, *STEP)])
    color = np.stack([movie, 0.9 * movie, 0.5 * movie], -1).astype("f4")
    factors = np.full((128, 128), 6.0)
    fixed = {"intensity_range": (0, 1), "axes": "TYXS", "factor_map": factors}
    drawn = magnify(color, 6, direction=90, **fixed)[1].compute()
    found = measured_shift(texture, drawn[..., 0].astype(float))
    assert found == pytest.approx([0.6, 0.08], abs=1e-2)


def test_methods_that_know_no_displacement_refuse_a_direction():
    movie = np.zeros((2, 32, 32), "u1")
    with pytest.raises(ValueError, match="direction=30 is for the network 'difference'"):
        magnify(movie, 3, model="oh2018", direction=30)
    with pytest.raises(TypeError, match="direction"):
        magnify(movie, 3, method="phase", direction=30)
    with pytest.raises(ValueError, match="from 0 to 180"):
        magnify(movie, 3, direction=200)


def test_the_command_draws_the_same(tmp_path):
    movie = np.stack([smooth_texture(64), fourier_shift(smooth_texture(64), *STEP)])
    movie = np.rint(200 * movie).astype("u1")
    save_movie(tmp_path / "in.npy", movie, axes="TYX")
    files = [str(tmp_path / name) for name in ("in.npy", "out.npy")]
    how = ["--factor", "5", "--option", "direction=90", "--axes", "TYX", "--quiet"]
    assert main(["magnify", *files, *how]) == 0
    drawn = magnify(movie, 5, direction=90, axes="TYX").compute()
    assert np.array_equal(open_movie(tmp_path / "out.npy", axes="TYX").data[:], drawn)
