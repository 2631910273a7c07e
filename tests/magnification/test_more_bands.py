"""Several bands at once, each with its factor."""

import json

import numpy as np
import pytest

from napari_motionmag import magnify, samples, views
from napari_motionmag.cli.main import main
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.temporal import Bands

LOW, HIGH = (70.0, 92.0), (182.0, 210.0)  # Hz, around the first and the last string


@pytest.fixture(scope="module")
def strings():
    return samples.load("strings", n_frames=100, size=(208, 128))


def gains(movie, magnified, about, times):
    """How much each string moves in the result, relative to its true motion."""
    drawn = np.stack([magnified[t].compute() for t in times])
    found = []
    for row in about["rows"]:
        window = slice(int(row) - 5, int(row) + 6), slice(52, 76)
        region = (window[0].start, window[0].stop, 52, 76)
        trace = views.displacement_trace(drawn, region, fps=about["fps"], axes="TYX")
        truth = np.array([about["displacement"](t)[0][window].mean() for t in times])
        truth -= truth.mean()
        found.append(trace.displacement[:, 0] @ truth / (truth @ truth))
    return np.array(found)


@pytest.mark.filterwarnings("ignore:.*residuals are:UserWarning")
@pytest.mark.filterwarnings("ignore:.*brightness of the region:UserWarning")
def test_each_string_moves_by_the_factor_of_its_band(strings):
    movie, about = strings
    magnified = magnify(
        movie, 8, mode="temporal", band=LOW, more_bands=[(*HIGH, 14)], fps=about["fps"], axes="TYX"
    )
    found = gains(movie, magnified, about, range(42, 58))
    assert found == pytest.approx([8, 1, 1, 14], rel=0.05)


def test_the_order_of_the_bands_does_not_matter(strings):
    movie, about = strings
    fixed = {"mode": "temporal", "fps": about["fps"], "axes": "TYX", "method": "riesz"}
    one = magnify(movie, 8, band=LOW, more_bands=[(*HIGH, 14)], **fixed)[50].compute()
    other = magnify(movie, 14, band=HIGH, more_bands=[(*LOW, 8)], **fixed)[50].compute()
    assert np.array_equal(one, other)
    alone = magnify(movie, 14, band=HIGH, **fixed)[50].compute()
    idle = magnify(movie, 14, band=HIGH, more_bands=[(*LOW, 1)], **fixed)[50].compute()
    assert np.array_equal(idle, alone)
    assert not np.array_equal(one, alone)


def test_the_recipe_makes_the_same_again(strings):
    movie, about = strings
    planned = plan(
        movie, 8, mode="temporal", band=LOW, more_bands=[(*HIGH, -5)], fps=about["fps"], axes="TYX"
    )
    assert planned.factor == 8
    assert planned.operator == Bands([(*LOW, 1), (*HIGH, -6 / 7)], fps=about["fps"])
    again = MagnifySettings.from_recipe(json.loads(json.dumps(planned.recipe)))
    assert plan(movie, again).operator == planned.operator


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mode": "static", "more_bands": [(1, 2, 3)]}, "more_bands needs mode='temporal'"),
        ({"mode": "temporal", "band": (1, 2), "more_bands": [(3, 4)]}, "triples"),
        ({"mode": "temporal", "band": (1, 2), "more_bands": 5}, "triples"),
        ({"mode": "temporal", "band": (1, 2), "more_bands": [(4, 3, 2)]}, "low < high"),
        ({"mode": "temporal", "band": (1, 2), "more_bands": [(3, 4, np.inf)]}, "factor must be"),
        (
            {
                "mode": "temporal",
                "band": (1, 2),
                "filter": "acceleration",
                "more_bands": [(3, 4, 2)],
            },
            "filter must be one of fir, .*got 'acceleration'",
        ),
    ],
)
def test_wrong_bands_are_refused(arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        magnify(np.zeros((9, 16, 16), "u1"), 5, fps=10, **arguments)


def test_the_command_draws_the_same(strings, tmp_path):
    movie, about = strings
    movie = movie[:9]
    save_movie(tmp_path / "in.npy", movie, axes="TYX")
    options = "--factor 3 --mode temporal --band 70 92 --more-bands 182 210 5 --method riesz"
    files = [str(tmp_path / "in.npy"), str(tmp_path / "out.npy")]
    more = ["--axes", "TYX", "--fps", str(about["fps"]), "--quiet"]
    assert main(["magnify", *files, *options.split(), *more]) == 0
    arguments = {"mode": "temporal", "band": LOW, "more_bands": [(*HIGH, 5)], "method": "riesz"}
    drawn = magnify(movie, 3, fps=about["fps"], axes="TYX", **arguments)
    save_movie(tmp_path / "same.npy", drawn, axes="TYX")
    one, other = (open_movie(tmp_path / f"{n}.npy", axes="TYX").data for n in ("out", "same"))
    assert np.array_equal(one[:], other[:])
