"""Pictures with labels, laid out in one."""

import numpy as np
import pytest

from napari_motionmag.views import labelled_mosaic


def test_pictures_are_enlarged_and_zero_is_grey():
    picture = np.zeros((2, 5, 5))
    picture[0, 2, 2], picture[1, 2, 2] = 3, -0.5
    laid = labelled_mosaic(picture, ["a", "b"], 2, side=50, signed=True)
    assert laid.dtype == np.uint8
    first, second = laid[10:60, 10:60], laid[10:60, 70:120]
    assert (first[20:30, 20:30] == 255).all()
    assert (second[20:30, 20:30] == 0).all(), "each has a scale of its own"
    assert (first[:10] == 128).all()
    assert (laid[60:80, 10:60] < 128).any(), "there is text below"


def test_neighbours_may_share_their_scale():
    pictures = np.stack([np.eye(4), 4 * np.eye(4), 7 * np.eye(4), 7 * np.eye(4)])
    laid = labelled_mosaic(pictures, list("abcd"), 2, side=40, shared=2)
    assert laid[12, 12] == 64  # a quarter of its neighbour
    assert laid[12, 62] == 255
    assert laid[0, 0] == 255, "white paper"


@pytest.mark.parametrize(("shape", "count"), [((0, 4, 4), 0), ((2, 4, 4), 1), ((4, 4), 4)])
def test_what_does_not_fit_is_refused(shape, count):
    with pytest.raises(ValueError, match="pictures must have"):
        labelled_mosaic(np.ones(shape), ["x"] * count)
