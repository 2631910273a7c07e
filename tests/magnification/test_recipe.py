"""Recipes: what a magnified layer says of itself is enough to do the same to another layer."""

import json

import numpy as np
import pytest
from napari.layers import Image
from scipy.ndimage import gaussian_filter

from napari_motionmag import __version__, magnify, magnify_layer, temporal
from napari_motionmag.magnification.recipe import arguments, is_magnified, recipe_of, repeat
from napari_motionmag.methods.learned import weights


def movie(shape=(12, 20, 24), seed=0) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return (2000 + 5000 * noise).astype(np.uint16)


def layer(fps=10.0, name="cell", **changes) -> Image:
    data = changes.pop("data", movie(seed=len(name)))
    labels = changes.pop("axis_labels", ("t", "y", "x"))
    step, unit = (1 / fps, "s") if fps else (1, "pixel")
    others = data.ndim - 1
    scale, units = (step, *(1,) * others), (unit, *("pixel",) * others)
    return Image(data, name=name, scale=scale, units=units, axis_labels=labels, **changes)


def same(made: Image, expected, t=3) -> bool:
    return np.array_equal(made.data[t].compute(), expected[t].compute())


def test_metadata_are_plain_and_complete():
    about = magnify_layer(layer(), 4, mode="temporal", band=(1, 2)).metadata["napari_motionmag"]
    again = json.loads(json.dumps(about))
    assert again["version"] == __version__
    assert again["versions"]["numpy"] == np.__version__
    assert again["weights_sha256"] == weights.sha256(weights.resolve("default"))
    assert again["source"] == again["origin"]["layer"] == "cell"
    assert arguments(again["recipe"]) == {
        **{"factor": 4, "mode": "temporal", "band": (1, 2), "axes": "TYX", "fps": 10},
    }
    assert (
        magnify_layer(layer(), 4, method="phase").metadata["napari_motionmag"]["weights_sha256"]
        is None
    )


@pytest.mark.parametrize(
    "said",
    [
        {"mode": "static"},
        {"mode": "static", "reference": slice(0, 3)},
        {"mode": "static", "reference": (0, 3)},
        {"mode": "dynamic"},
        {"mode": "temporal", "band": (1.0, 2.0)},
        {"mode": "temporal", "band": (1.0, 2.0), "filter": "butterworth"},
        {"mode": "temporal", "band": (1.0, 2.0), "filter": "iir"},
        {"mode": temporal.Acceleration(2.0, fps=10)},
        {"mode": temporal.FIR(1.0, 2.0, fps=10, taps=7)},
        {"mode": temporal.Dynamic(2, fps=10)},
        {"method": "phase", "pyramid": "octave"},
        {"method": "linear", "stabilise": "translation"},
        {"intensity_range": (0.0, 100.0), "precision": "float64", "method": "riesz"},
    ],
    ids=str,
)
def test_a_recipe_is_the_arguments_that_made_it(said):
    from napari_motionmag.magnification.magnification import plan

    recipe = plan(movie(), 3, fps=10, **said).recipe
    found = arguments(json.loads(json.dumps(recipe)))
    assert found | {"factor": 3.0, "fps": 10.0, "axes": "TYX"} == found
    if "stabilise" not in said:  # its options are all written out
        assert found == found | said
    again = plan(movie(), **found).recipe
    assert {**again, "given": 0} == {**recipe, "given": 0}


def test_the_other_layer_is_magnified_in_the_same_way():
    first, other = layer(), layer(name="other", fps=20.0, colormap="magenta")
    said = {"method": "riesz", "mode": "temporal", "band": (1, 2)}
    made = repeat(magnify_layer(first, 4, **said), on=other)
    assert made.name == "x4 other riesz 1-2 Hz"
    assert made.colormap.name == "magenta"
    assert made.metadata["napari_motionmag"]["recipe"]["fps"] == 20
    assert same(made, magnify(other.data, 4, fps=20, **said))


def test_an_operator_is_bound_to_the_other_frame_rate():
    made = magnify_layer(layer(), 4, method="linear", mode=temporal.Butterworth(1, 2, order=1))
    again = repeat(made, on=layer(fps=25.0))
    assert again.metadata["napari_motionmag"]["recipe"]["operator"]["fps"] == 25
    assert again.metadata["napari_motionmag"]["recipe"]["operator"]["order"] == 1


def test_what_the_user_gave_is_kept_and_what_the_layer_said_is_not():
    bare, told = layer(fps=0, name="bare"), layer(fps=25.0, name="told")
    said = {"method": "linear", "mode": "temporal", "band": (1, 2)}
    given = magnify_layer(bare, 4, fps=10, intensity_range=(0, 4000), **said)
    recipe = repeat(given, on=layer(fps=0)).metadata["napari_motionmag"]["recipe"]
    assert (recipe["fps"], recipe["intensity_range"]) == (10, (0, 4000))
    with pytest.warns(UserWarning, match=r"fps=10 was given .* 'told' says 25 fps"):
        repeat(given, on=told)
    not_given = magnify_layer(told, 4, **said)
    with pytest.raises(ValueError, match=r"recipe of .* does not fit 'bare': fps is missing"):
        repeat(not_given, on=bare)


def test_axes_are_those_of_the_other_layer():
    first = layer(name="first")
    channels = layer(data=movie((12, 2, 20, 24)), axis_labels=("t", "c", "y", "x"), name="two")
    made = repeat(magnify_layer(first, 4, method="linear"), on=channels)
    assert made.data.shape == (12, 2, 20, 24)
    said = magnify_layer(first, 4, method="linear", axes="TYX")
    with pytest.raises(ValueError, match="does not fit 'two': axes"):
        repeat(said, on=channels)


def test_what_does_not_fit_is_refused_with_one_clear_error():
    made = magnify_layer(layer(), 0, method="linear", mode="static", reference=11)
    with pytest.raises(ValueError, match=r"recipe of 'x0 cell.*' does not fit 'short': reference"):
        repeat(made, on=layer(data=movie((5, 20, 24)), name="short"))
    made = magnify_layer(layer(), 4, method="linear", mode="temporal", band=(2, 4))
    with pytest.raises(ValueError, match="does not fit 'slow'"):
        repeat(made, on=layer(fps=5.0, name="slow"))
    with pytest.raises(ValueError, match="'cell' is not magnified"):
        repeat(layer(), on=layer())
    with pytest.raises(ValueError, match="expected a magnified layer or its recipe"):
        recipe_of({"factor": 3})


def test_arguments_can_be_changed_and_recipes_be_plain():
    made = magnify_layer(layer(), 4, method="linear")
    again = repeat(json.loads(json.dumps(made.metadata)), on=layer(name="other"), factor=7)
    assert again.name == "x7 other linear static"
    assert is_magnified(again)
    assert recipe_of(recipe_of(again))["factor"] == 7


def test_other_weights_are_told():
    made = magnify_layer(layer(), 4)
    made.metadata["napari_motionmag"]["weights_sha256"] = "0" * 64
    with pytest.warns(UserWarning, match=r"model 'default' is not what it was.*000000000000"):
        repeat(made, on=layer(name="other"))


def test_an_error_of_any_kind_says_whose_recipe_does_not_fit(monkeypatch):
    def unreadable(*args, **kwargs):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    made = magnify_layer(layer(), 4, method="linear")
    monkeypatch.setattr("napari_motionmag.magnification.recipe.plan", unreadable)
    with pytest.raises(ValueError, match=r"recipe of .* does not fit 'b': 'utf-8' codec"):
        repeat(made, on=layer(name="b"))
