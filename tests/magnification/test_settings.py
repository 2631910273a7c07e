"""Settings: the arguments of magnify from keywords, recipes, presets and texts, and back."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_motionmag import magnify, presets, temporal
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.settings import NAMES, MagnifySettings

MOVIE = np.random.default_rng(0).integers(0, 900, (12, 20, 24)).astype("u2")


def test_the_signature_of_magnify_is_the_settings():
    arguments = inspect.signature(magnify).parameters
    expected = inspect.signature(MagnifySettings).parameters
    assert list(arguments) == ["movie", *expected]
    for name in NAMES:
        assert arguments[name].default == expected[name].default, name


FREQUENCIES = st.floats(0.5, 2).flatmap(lambda low: st.tuples(st.just(low), st.floats(2.5, 5)))
MOTION = st.one_of(
    st.fixed_dictionaries({"mode": st.just("static"), "reference": st.integers(0, 11)}),
    st.fixed_dictionaries({"mode": st.just("static"), "reference": st.just(slice(2, 5))}),
    st.just({"mode": "dynamic"}),
    st.fixed_dictionaries(
        {
            "mode": st.just("temporal"),
            "band": FREQUENCIES,
            "filter": st.sampled_from(["fir", "butterworth", "iir"]),
        }
    ),
    st.builds(lambda lag: {"mode": temporal.Dynamic(lag, fps=10.0)}, st.integers(2, 5)),
)


@given(
    st.floats(-1000, 1000),
    MOTION,
    st.sampled_from([{}, {"method": "linear", "what": "color"}, {"method": "phase", "sigma": 1.0}]),
    st.sampled_from([{}, {"intensity_range": (0.0, 900.0)}, {"region": (0, 16, 0, 16)}]),
)
def test_a_recipe_makes_the_same_settings(factor, motion, method, others):
    settings = MagnifySettings.from_arguments(factor, fps=10.0, **motion, **method, **others)
    recipe = plan(MOVIE, settings).recipe
    again = MagnifySettings.from_recipe(json.loads(json.dumps(recipe)))
    expected = settings.arguments() | {"axes": "TYX"}
    assert again.arguments() == expected
    assert MagnifySettings.from_arguments(**again.arguments()) == again
    assert {**plan(MOVIE, again).recipe, "given": recipe["given"]} == recipe


def test_a_recipe_of_the_command_line_of_the_first_version_is_understood():
    recipe = {
        "program": "napari-motionmag 0.1.0", "source": "film.tif", "factor": 5.0,
        "method": "phase", "mode": "static", "reference": [1, 3], "band": None, "filter": "fir",
        "model": "default", "device": None, "precision": None, "tile": None, "axes": "TYX",
        "fps": 50.0, "intensity_range": [3.0, 190.0], "options": {"pyramid": "octave"},
    }  # fmt: skip
    assert MagnifySettings.from_recipe(recipe).arguments() == {
        "factor": 5.0, "method": "phase", "mode": "static", "reference": slice(1, 3),
        "axes": "TYX", "fps": 50.0,
        "intensity_range": (3.0, 190.0), "pyramid": "octave",
    }  # fmt: skip


def test_a_preset_yields_to_what_is_given():
    drum = presets.get("drum")
    assert MagnifySettings.from_preset(drum, method="linear") == MagnifySettings(
        11, method="linear", mode="temporal", band=(74, 78)
    )
    assert MagnifySettings.from_preset(drum, factor=3, mode="dynamic") == MagnifySettings(
        3, mode="dynamic"
    )


def test_a_mask_is_an_argument():
    mask = np.ones((20, 24), bool)
    assert MagnifySettings(2, mask=mask, stabilise="rigid").arguments()["mask"] is mask


def test_settings_and_arguments_are_not_mixed():
    with pytest.raises(TypeError, match=r"settings or arguments, got both: \['tile'\]"):
        plan(MOVIE, MagnifySettings(2), tile=8)
    with pytest.raises(TypeError, match="factor"):
        plan(MOVIE)


def test_a_registered_operator_is_a_filter_everywhere():
    from dataclasses import dataclass
    from typing import ClassVar

    @dataclass(frozen=True)
    class Gentle(temporal.DifferenceOfIIR):
        name: ClassVar[str] = "gentle"
        label: ClassVar[str] = "Gentle"

    try:
        settings = MagnifySettings(3, mode="temporal", band=(1, 2), filter="gentle", fps=10)
        planned = plan(MOVIE, settings)
        assert isinstance(planned.operator, Gentle)
        assert "gentle" in temporal.filters()
        again = MagnifySettings.from_recipe(json.loads(json.dumps(planned.recipe)))
        assert again.filter == "gentle"
    finally:
        del temporal.TemporalOperator._registry["gentle"]


def test_options_for_scripts_alone_are_kept():
    recipe = plan(MOVIE, 3, compile=True, draw=False).recipe
    assert MagnifySettings.from_recipe(recipe).options == {"compile": True, "draw": False}
