"""Presets: the table of the paper, word for word, and that each can be used."""

import math

import numpy as np
import pytest

from napari_motionmag import magnify, presets
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.movie.movie import Movie

# Table A.1 of Oh et al. 2018: alpha, band in Hz, frames per second, filter or mode
TABLE = {
    "crane": (75, (0.2, 0.25), 24, "fir"),
    "balance": (10, (1, 8), 300, "butterworth"),
    "throat": (100, (90, 110), 1900, "fir"),
    "baby": (20, None, 30, "iir"),
    "tree_high": (25, (1.5, 2), 60, "fir"),
    "tree_low": (25, (0.5, 1), 60, "fir"),
    "camera": (75, (36, 62), 300, "butterworth"),
    "eye": (75, (30, 50), 500, "fir"),
    "gun": (8, None, None, "dynamic"),
    "cat_toy": (7, None, None, "dynamic"),
    "drone": (10, None, None, "dynamic"),
    "hot_coffee": (3, None, None, "dynamic"),
    "drum": (10, (74, 78), 1900, "fir"),
    "drum_static": (10, None, None, "static"),
    "guitar": (25, (72, 92), 600, "butterworth"),
    "guitar_static": (10, None, None, "static"),
}


def still(fps, n=12) -> Movie:
    frames = np.random.default_rng(0).integers(0, 255, (n, 16, 16)).astype(np.uint8)
    return Movie(frames, fps=fps)


def test_all_sequences_of_the_paper_are_there():
    ours = {name for name in presets.NAMES if presets.get(name).group == presets.PAPER}
    assert ours == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_they_are_as_in_the_table(name):
    alpha, band, fps, how = TABLE[name]
    preset = presets.get(name)
    if how in ("static", "dynamic"):  # decoded from M + alpha (M_b - M_a)
        assert (preset.mode, preset.factor, preset.band, preset.filter) == (how, alpha, None, None)
    else:  # from M + alpha T(M)
        assert (preset.mode, preset.factor, preset.filter) == ("temporal", 1 + alpha, how)
    assert preset.fps == fps
    if band is not None:
        assert preset.band == band


def test_the_baby_has_the_published_coefficients_in_hz():
    low, high = presets.get("baby").band
    assert 1 - math.exp(-2 * math.pi * low / 30) == pytest.approx(0.04, rel=2e-3)
    assert 1 - math.exp(-2 * math.pi * high / 30) == pytest.approx(0.4, rel=2e-3)


@pytest.mark.parametrize("name", presets.NAMES)
def test_each_can_be_used_and_explains_itself(name):
    preset = presets.get(name)
    fps = preset.fps or (2.5 * preset.band[1] if preset.band else 30)
    assert preset.problem(fps) is None
    planned = plan(still(fps), method="linear", **preset.arguments)
    assert planned.factor == preset.factor
    assert preset.summary.startswith(f"x{preset.factor:g}, ")
    lines = preset.explanation.splitlines()
    assert len(lines) >= 3
    assert all(0 < len(line) <= 100 for line in lines)


def test_one_line_in_a_script():
    lazy = magnify(still(1900), method="linear", **presets.get("drum").arguments)
    assert lazy.shape == (12, 16, 16)


def test_a_frame_rate_that_makes_the_band_impossible_is_told():
    drum = presets.get("drum")
    assert "needs at least 156 fps" in drum.problem(30)
    assert "this movie has 30 fps" in drum.problem(30)
    assert "taken at 1900 fps" in drum.problem(30)
    assert "unknown" in drum.problem(None)
    assert drum.problem(156) is None
    assert presets.get("gun").problem(None) is None
    for fps in (30, 155.9):
        with pytest.raises(ValueError, match="fps"):
            plan(still(fps), method="linear", **drum.arguments)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"preset must be one of crane, .*; got 'violin'"):
        presets.get("violin")
    with pytest.raises(ValueError, match="got 3"):
        presets.get(3)
