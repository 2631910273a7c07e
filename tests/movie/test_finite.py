"""Bad pixels are filled from their neighbors, or cut away."""

import numpy as np
import pytest

from napari_motionmag.movie.finite import filled, good_rectangle


def test_bad_pixels_become_the_nearest_good_ones():
    frames = np.arange(24.0).reshape(2, 3, 4)
    frames[0, :, 0] = np.nan
    frames[1, 2, 3] = np.inf
    out = filled(frames)
    assert np.array_equal(out[0, :, 0], frames[0, :, 1])
    assert out[1, 2, 3] in (frames[1, 1, 3], frames[1, 2, 2])
    good = np.isfinite(frames)
    assert np.array_equal(out[good], frames[good])
    assert np.isnan(frames[0, 0, 0]), "the frames themselves stay as they are"


def test_good_frames_are_returned_as_they_are_and_hopeless_ones_are_zero():
    frames = np.ones((2, 3, 4), np.float32)
    assert filled(frames) is frames
    frames[1] = np.nan
    assert np.array_equal(filled(frames)[1], np.zeros((3, 4)))
    assert filled(frames).dtype == np.float32


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_good_rectangle(seed):
    random = np.random.default_rng(seed)
    frames = np.where(random.uniform(size=(2, 7, 8)) < 0.06, np.nan, 1.0)
    good = np.isfinite(frames).all(axis=0)
    areas = [
        (y1 - y0) * (x1 - x0)
        for y0 in range(7)
        for y1 in range(y0 + 1, 8)
        for x0 in range(8)
        for x1 in range(x0 + 1, 9)
        if good[y0:y1, x0:x1].all()
    ]
    y0, y1, x0, x1 = good_rectangle(frames)
    assert good[y0:y1, x0:x1].all()
    assert (y1 - y0) * (x1 - x0) == max(areas)


def test_no_rectangle_where_nothing_is_good():
    assert good_rectangle([np.full((3, 4), np.nan)]) is None
