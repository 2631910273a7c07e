"""Several bands at once, each with a weight."""

import numpy as np
import pytest

from napari_motionmag.temporal import Bands, Butterworth, DifferenceOfIIR, make_operator


@pytest.mark.parametrize("kind", ["fir", "butterworth", "iir"])
def test_it_is_the_weighted_sum_of_its_bands(kind):
    both = Bands([(2, 4, 1), (6, 9, -0.25)], kind, fps=30)
    signal = np.random.default_rng(0).normal(size=(80, 3))
    low, high = (
        make_operator("temporal", band=band, fps=30, filter=kind) for band in ((2, 4), (6, 9))
    )
    expected = low.apply(signal) - 0.25 * high.apply(signal)
    assert both.apply(signal) == pytest.approx(expected, abs=2e-5)
    frequencies = np.linspace(0, 15, 40)
    expected = low.response(frequencies) - 0.25 * high.response(frequencies)
    assert both.response(frequencies) == pytest.approx(expected)
    assert both.less_certain_frames(80) == low.less_certain_frames(80)


def test_rows_have_each_frame_once():
    both = Bands([(2, 4, 1), (6, 9, 0.5)], fps=30)
    frames, weights = both.row(11, 60)
    assert (np.diff(frames) > 0).all()
    assert weights.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        ([], "triples"),
        ([(1, 2)], "triples"),
        ([(3, 2, 1)], "low < high"),
        ([(1, 16, 1)], "Nyquist"),
        ([(1, 2, np.nan)], "weight must be finite"),
    ],
)
def test_wrong_bands_are_refused(bands, words):
    with pytest.raises(ValueError, match=words):
        Bands(bands, fps=30)


def test_the_filter_must_pass_a_band():
    with pytest.raises(ValueError, match=r"filter must be one of .*butterworth"):
        Bands([(1, 2, 1)], "acceleration", 30)
    assert isinstance(Bands([(1, 2, 1)], "butterworth", 30).parts[0][0], Butterworth)
    assert isinstance(Bands([(1, 2, 1)], "iir", 30).parts[0][0], DifferenceOfIIR)
