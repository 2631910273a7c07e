"""Checks of arguments name the argument and what came."""

import numpy as np
import pytest

from napari_motionmag.compute.validate import whole_number


@pytest.mark.parametrize("value", [3, 3.0, np.int16(3), np.float32(3)])
def test_whole_numbers_of_any_type_are_integers(value):
    assert whole_number("n", value, 3) == 3
    assert type(whole_number("n", value, 3)) is int


@pytest.mark.parametrize("value", [None, "3", "x", [3], 3.5, 2, True, np.nan, np.inf])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match="n must be a whole number from 3 up; got"):
        whole_number("n", value, 3)
