"""Checks of arguments name the argument and what came."""

import numpy as np
import pytest

from napari_motionmag.compute.validate import (
    finite_number,
    is_list,
    rounded,
    told_apart,
    whole_number,
)


@pytest.mark.parametrize("value", [3, 3.0, np.int16(3), np.float32(3), np.array(3), np.array(3.0)])
def test_whole_numbers_of_any_type_are_integers(value):
    assert whole_number("n", value, 3) == 3
    assert type(whole_number("n", value, 3)) is int


@pytest.mark.parametrize("value", [None, "3", [3], 3.5, 2, True, np.nan, np.inf, np.array(True)])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match="n must be a whole number from 3 up; got"):
        whole_number("n", value, 3)


def test_arrays_of_no_axes_are_numbers():
    assert finite_number("n", np.array(2)) == 2.0


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (364.2, 2, "360"),
        (0.0123, 2, "0.012"),
        (12345.6, 4, "12350"),
        (1e-7, 2, "1e-07"),
        (3, 2, "3"),
    ],
)
def test_large_numbers_are_written_without_exponents(value, digits, text):
    assert rounded(value, digits) == text


@pytest.mark.parametrize(
    ("value", "other", "texts"),
    [
        (12.3, 10, ("12", "10")),
        (10.04, 10, ("10.04", "10")),
        (12345, 12340, ("12345", "12340")),
        (10 + 2e-15, 10, ("10.000000000000002", "10")),
        (10, 10, ("10", "10")),
        (np.nan, 10, ("nan", "10")),
        (np.nan, np.nan, ("nan", "nan")),
    ],
)
def test_numbers_that_differ_are_written_so(value, other, texts):
    assert told_apart(value, other, 2) == texts


@pytest.mark.parametrize("value", [[1, 2], (1, 2), np.array([1, 2])])
def test_lists_may_be_tuples_and_arrays(value):
    assert is_list(value, 2)
    assert not is_list(value, 3)


@pytest.mark.parametrize("value", ["ab", b"ab", {1: 2, 3: 4}, {1, 2}, 2, None, np.array(2)])
def test_text_and_numbers_are_no_lists(value):
    assert not is_list(value, 2)
