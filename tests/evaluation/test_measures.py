"""Measures of the later literature on methods whose results are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_motionmag.evaluation import measures, protocols, run
from napari_motionmag.evaluation.scenes import Pair, turned


class Result:
    """A method that draws what a function makes of a frame."""

    def __init__(self, draw=lambda frame: frame):
        self.draw = draw

    def magnify(self, frames, operator, times, factor):
        return np.stack([self.draw(frames[t]) for t in times])


NOTHING = Result()


def test_parts_that_move_by_themselves_are_not_rigid():
    pair = Pair.make(0, gray=True)
    target = 76 * 0.05 * np.array([0.6, 0.8])

    def at(off):
        return pair.at(0.0, drift=tuple(target + off))[..., 0]

    rigid = measures.rigidity(Result(lambda frame: at((0.0, 0.0))), 0)
    assert max(rigid.values()) < 1e-3
    late = measures.rigidity(Result(lambda frame: at((0.12, -0.16))), 0)
    assert late["magnification error [px]"] == pytest.approx(0.2, rel=0.1)
    assert late["deviation [px]"] < 0.03
    torn = np.vstack([at((0.0, 0.2))[:96], at((0.0, -0.2))[96:]])
    assert 0.1 < measures.rigidity(Result(lambda frame: torn), 0)["deviation [px]"] < 0.3


def test_flicker_is_that_of_the_input_when_nothing_is_done():
    assert measures.flicker(NOTHING, 0)["still"] == pytest.approx(1)
    restless = Result(lambda frame: 3 * frame)
    assert measures.flicker(restless, 0)["still"] == pytest.approx(3)


def test_lines_that_are_left_alone_have_an_eighth_of_the_motion():
    gains = measures.thin_lines(NOTHING, 0)
    assert list(gains) == ["1 px", "2 px", "3 px", "6 px"]
    assert list(gains.values()) == pytest.approx([1 / 8] * 4, abs=0.01)


def test_what_is_smoothed_has_lost_texture():
    assert measures.texture(NOTHING, 0)["gradient energy"] == 1
    smoothed = Result(lambda frame: gaussian_filter(frame, (1, 1, 0)))
    assert measures.texture(smoothed, 0)["gradient energy"] < 0.7


def test_a_whole_movie_left_alone_closes_no_gap():
    shares = measures.whole_movie(NOTHING, 0)
    assert shares == {
        f"{a:g}x{f:g}, {w}": 0 for a, f in measures.MOTIONS for w in ("middle", "ends")
    }


def test_measures_are_beside_the_scores(monkeypatch):
    monkeypatch.setitem(run.METHODS, "identity", lambda *args: NOTHING)
    result = run.evaluate(["identity"], seeds=2, only=["texture", "white_noise"])
    assert result["measures"] == {"texture": {"identity": {"gradient energy": 1}}}
    assert "texture       identity  gradient energy: 1.00" in run.table(result)
    row = result["protocols"]["white_noise"][1]
    assert row["rmse"]["identity"][0] == pytest.approx(
        10 ** (-row["psnr"]["identity"][0] / 20), 0.2
    )
    assert f"{row['psnr']['identity'][0]:.1f} / " in run.psnr_table(result)
    with_less = {**result, "measures": {}, "protocols": {}}
    assert run.merged(with_less, result) == result


def test_errors_are_root_mean_squares():
    a = np.full((40, 40, 3), 0.5, np.float32)
    assert protocols.rms_error(a + 0.1, a) == pytest.approx(0.1)
    assert protocols.rms_error(a + 0.7, a) == pytest.approx(0.5)  # white is white


def test_a_quarter_turn_is_exact():
    still, turned_once = turned(1, (0.0, 90.0))
    y, x = np.mgrid[:192, :192] - 95.5
    inside = np.hypot(y, x) < 65
    assert any(np.abs(np.rot90(still, k) - turned_once)[inside].max() < 1e-3 for k in (1, -1))
    outside = np.hypot(y, x) > 72
    assert np.array_equal(still[outside], turned_once[outside])
