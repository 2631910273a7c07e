"""The line that a slice view begins with: across what moves."""

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture

from napari_motionmag import Movie
from napari_motionmag.views.estimators.lines import line_across_motion


@pytest.fixture
def textured():
    """A still texture with noise, (T, Y, X)."""
    rng = np.random.default_rng(0)
    return 1000 * smooth_texture(64, 1) + rng.normal(0, 2, (20, 64, 64))


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("color", [0, 3, 4])
def test_it_crosses_the_edge_that_moves(textured, along, color):
    # a bright bar whose edges lie at 40 px and move by 0.5 px along an axis
    t = np.arange(20)
    edge = 40 + 0.5 * np.cos(t)[:, None]
    bar = 3000 / (1 + np.exp(np.arange(64)[None] - edge))
    movie = textured + (bar[:, :, None] if along == 0 else bar[:, None, :])
    if color:
        movie = np.repeat(movie[..., None], color, axis=-1).astype(np.uint16)
    line = line_across_motion(Movie(movie, axes="TYXS" if color else "TYX"))
    (first, last) = line
    assert first[along] < 40 < last[along]
    length = np.abs(last - first)
    assert length[along] > 5 * length[1 - along], "across the edge, not along it"
    assert (line >= 0).all()
    assert (line <= 63).all()


def test_none_where_nothing_moves(textured):
    assert line_across_motion(Movie(textured, axes="TYX")) is None
    assert line_across_motion(Movie(np.zeros((5, 16, 16)), axes="TYX")) is None


def test_the_plane_that_is_shown():
    still, moving = np.full((10, 32, 32), 100.0), np.full((10, 32, 32), 100.0)
    patch = 500 * smooth_texture(8, 2)
    for t in range(10):
        moving[t, 20:28, 4:12] += fourier_shift(patch, np.cos(t), 0)
    movie = Movie(np.stack([still, moving], axis=1), axes="TCYX")
    assert line_across_motion(movie, (0,)) is None
    line = line_across_motion(movie, (1,))
    assert (line.mean(axis=0) > (16, 0)).all()
    assert (line.mean(axis=0) < (32, 16)).all()


def two_bars(n=240, fps=60.0):
    """A bar that moves far at 2 Hz along y, and one that moves less at 12 Hz along x."""
    t, at = np.arange(n) / fps, np.arange(64)
    slow = 1 / (1 + np.exp(at - 16 - 2 * np.sin(2 * np.pi * 2 * t)[:, None]))
    fast = 1 / (1 + np.exp(48 + 0.3 * np.sin(2 * np.pi * 12 * t)[:, None] - at))
    movie = np.zeros((n, 64, 64))
    movie[:, :, :24], movie[:, :, 40:] = 3000 * slow[:, :, None], 3000 * fast[:, None, 40:]
    noise = np.random.default_rng(3).normal(0, 2, movie.shape)
    return Movie(movie + noise, axes="TYX", fps=fps)


@pytest.mark.parametrize(("band", "along", "edge"), [((1, 3), 0, 16), ((10, 14), 1, 48)])
def test_it_crosses_what_moves_within_a_band(band, along, edge):
    first, last = line_across_motion(two_bars(), band=band)
    assert first[along] < edge < last[along]
    length = np.abs(last - first)
    assert length[along] > 5 * length[1 - along]


def test_bands_too_low_for_a_short_movie_are_looked_at_in_its_frames():
    assert line_across_motion(two_bars(60), band=(0.01, 0.02)).shape == (2, 2)


def test_none_where_nothing_moves_within_the_band(textured):
    assert line_across_motion(Movie(textured, axes="TYX", fps=60), band=(10, 14)) is None
