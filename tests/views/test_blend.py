"""Magnified movies that fade into the original."""

import dask.array as da
import numpy as np
import pytest

from napari_motionmag.views import fade

RANDOM = np.random.default_rng(0)
MOVIE = RANDOM.integers(0, 4000, (5, 12, 16)).astype(np.uint16)
MAGNIFIED = RANDOM.integers(0, 4000, (5, 12, 16)).astype(np.uint16)
WEIGHTS = RANDOM.random((12, 16))


def test_mixes_frame_by_frame_and_rounds():
    faded = fade(MOVIE, MAGNIFIED, WEIGHTS, axes="TYX")
    assert (faded.shape, faded.dtype) == (MOVIE.shape, MOVIE.dtype)
    exact = MOVIE + WEIGHTS * (MAGNIFIED.astype(float) - MOVIE)
    assert np.abs(faded.compute() - exact).max() <= 0.51


def test_ends_are_exact():
    weights = np.zeros((12, 16))
    weights[:, 8:] = 1
    faded = fade(MOVIE, MAGNIFIED, weights, axes="TYX").compute()
    assert np.array_equal(faded[..., :8], MOVIE[..., :8])
    assert np.array_equal(faded[..., 8:], MAGNIFIED[..., 8:])


def test_each_original_is_mixed_with_its_own_frames():
    both = [fade(movie, MAGNIFIED, WEIGHTS, axes="TYX") for movie in (MOVIE, MOVIE + 500)]
    first, second = (faded.compute().astype(float) for faded in both)
    assert np.abs(second - first - 500 * (1 - WEIGHTS)).max() <= 1.01


def test_the_largest_integers_do_not_overflow():
    movie = np.full((2, 4, 4), 2**64 - 1, np.uint64)
    assert fade(movie, movie, np.ones((4, 4)), axes="TYX").compute().min() > 2**64 - 2**12


def test_a_frame_costs_a_frame(counting_source):
    source, reads = counting_source(MOVIE)
    magnified, drawn = counting_source(MAGNIFIED)
    fade(source, magnified, WEIGHTS, axes="TYX")[3].compute()
    assert (reads, drawn) == ([3], [3])


def test_channels_have_weights_of_their_own_and_colours_the_same():
    movie = RANDOM.random((3, 2, 12, 16)).astype(np.float32)
    weights = np.stack([np.zeros((12, 16)), np.ones((12, 16))])
    faded = fade(movie, movie + 1, weights, axes="TCYX").compute()
    assert np.array_equal(faded[:, 0], movie[:, 0])
    assert np.allclose(faded[:, 1], movie[:, 1] + 1)
    same = fade(movie, movie + 1, weights[1], axes="TCYX").compute()
    assert np.allclose(same, movie + 1)
    colour = RANDOM.random((3, 12, 16, 3)).astype(np.float32)
    faded = fade(colour, da.from_array(colour + 1), WEIGHTS, axes="TYXS").compute()
    assert np.allclose(faded, colour + WEIGHTS[..., np.newaxis], atol=1e-6)


@pytest.mark.parametrize(
    ("magnified", "weights", "said"),
    [
        (MAGNIFIED[:4], WEIGHTS, "magnified must have the shape"),
        (MAGNIFIED.astype(float), WEIGHTS, "dtype"),
        (MAGNIFIED, WEIGHTS[:5], "weights must have the shape"),
        (MAGNIFIED, 2 * WEIGHTS, "within 0..1"),
        (MAGNIFIED, np.full((12, 16), np.nan), "within 0..1"),
    ],
)
def test_what_does_not_fit_is_refused(magnified, weights, said):
    with pytest.raises(ValueError, match=said):
        fade(MOVIE, magnified, weights, axes="TYX")
