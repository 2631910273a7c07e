"""The table of options against the methods that take them."""

import math
import subprocess
import sys
from inspect import signature

import numpy as np
import pytest

from napari_motionmag.methods.base import METHODS
from napari_motionmag.methods.classical.lagrangian import LagrangianMagnifier
from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.pyramids.steerable import PYRAMIDS
from napari_motionmag.methods.classical.riesz import RieszMagnifier
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.methods.option_field import checked
from napari_motionmag.methods.options import (
    METHOD_CLASSES,
    OPTIONS,
    STABILISE,
    label_of,
    method_options,
    parse_options,
)
from napari_motionmag.methods.stabilisation.stabilised import Stabilised
from napari_motionmag.methods.stabilisation.transforms import MODELS

CLASSES = {
    kind.name: kind
    for kind in (
        LearnedMagnifier,
        PhaseMagnifier,
        RieszMagnifier,
        LinearMagnifier,
        LagrangianMagnifier,
    )
}
# what magnify() has arguments for, and what scripts alone use
NOT_OPTIONS = ("device", "dtype", "model", "precision", "tile", "compile")
EACH = [(name, option) for name, options in OPTIONS.items() for option in options]
EACH += [("stabilise", option) for option in STABILISE]


def make(name, **options):
    if name == "stabilise":
        return Stabilised(LinearMagnifier(device="cpu"), **options)
    return CLASSES[name](**options)


def test_every_method_is_in_the_table_with_all_its_arguments_and_their_defaults():
    assert set(OPTIONS) == set(METHODS)
    for name, declaration in METHOD_CLASSES.items():
        assert issubclass(CLASSES[name], declaration)
        assert label_of(name) == declaration.label
    for name, kind in CLASSES.items():
        arguments = {
            key: value.default
            for key, value in signature(kind).parameters.items()
            if key not in NOT_OPTIONS
        }
        assert {option.name: option.default for option in OPTIONS[name]} == arguments
    arguments = signature(Stabilised).parameters
    for option in STABILISE:
        assert arguments[option.name].default == option.default
    assert {o.name for o in STABILISE} == set(arguments) - {"method", "mask"}


def test_choices_are_all_there_are():
    pyramid = next(option for option in OPTIONS["phase"] if option.name == "pyramid")
    assert set(pyramid.choices) == set(PYRAMIDS)
    assert STABILISE[0].choices == (*MODELS, "dense")


def id_of(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize(("name", "option"), EACH, ids=id_of)
def test_methods_take_what_the_table_allows_and_nothing_else(name, option):
    assert option.help.endswith(".")
    assert option.none == "" or option.check(None) is None
    good = {"flag": [True, False], "choice": option.choices}.get(option.kind)
    if good is None:
        low = option.low if option.low is not None else -3
        good = [low, low + 1 if option.high is None else option.high]
    for value in good:
        assert getattr(make(name, **{option.name: value}), option.name) == value
        assert option.parse(str(value)) == value
    bad = ["nonsense", math.nan] if option.kind != "choice" else ["nonsense", 3]
    if option.low is not None:
        bad.append(option.low - 1)
    if option.high is not None:
        bad.append(option.high + 1)
    if option.kind == "integer":
        bad.append(2.5)
    if option.kind == "number":
        bad += [math.inf, True]
    for value in bad:
        with pytest.raises((ValueError, TypeError), match=f"^{option.name} must be"):
            make(name, **{option.name: value})
        with pytest.raises((ValueError, TypeError), match=f"^{option.name} must be"):
            option.check(value)


def test_numbers_of_numpy_are_numbers():
    found = checked(OPTIONS["phase"], {"sigma": np.float32(1.5), "padding": np.int64(3)})
    assert found == {"sigma": 1.5, "padding": 3}
    assert type(found["sigma"]) is float
    assert type(found["padding"]) is int
    assert checked(OPTIONS["phase"], {"envelope": np.bool_(True)}) == {"envelope": True}
    with pytest.raises(TypeError, match=r"unknown options \['speed'\]; there are \['chroma'"):
        checked(OPTIONS["phase"], {"speed": 3})


def test_texts_become_values_of_the_right_type():
    found = parse_options("phase", ["pyramid=octave", "sigma=1", "envelope=Yes", "max-bytes=99"])
    assert found == {"pyramid": "octave", "sigma": 1.0, "envelope": True, "max_bytes": 99}
    assert [type(value) for value in found.values()] == [str, float, bool, int]
    assert parse_options("linear", ["lambda_c=none", "chroma= 0.5"]) == {
        "lambda_c": None,
        "chroma": 0.5,
    }
    assert parse_options("learned", []) == {}


@pytest.mark.parametrize(
    ("method", "text", "message"),
    [
        ("phase", "octave", "--option must be NAME=VALUE, got 'octave'"),
        ("phase", "lambda_c=3", "method 'phase' has pyramid, sigma, chroma"),
        ("learned", "sigma=3", "method 'learned' has draw"),
        ("phase", "pyramid=third", "pyramid must be one of .*'quarter-octave'.* got 'third'"),
        ("phase", "sigma=wide", "sigma must be a number >= 0 .* got 'wide'"),
        ("phase", "envelope=2", "envelope must be True or False, got '2'"),
        ("phase", "padding=1.5", "padding must be a whole number >= 0 .*, got '1.5'"),
        ("linear", "chroma=2", "chroma must be None or a number from 0 to 1, got 2"),
    ],
)
def test_bad_texts_are_refused_with_what_is_allowed(method, text, message):
    with pytest.raises((ValueError, TypeError), match=message):
        parse_options(method, [text])


def test_an_option_is_given_once():
    with pytest.raises(ValueError, match="--option sigma is given twice"):
        parse_options("phase", ["sigma=1", "sigma=2"])


def test_unknown_method():
    with pytest.raises(ValueError, match=r"method must be one of .*'riesz'.* got 'eulerian'"):
        method_options("eulerian")


def test_the_table_needs_nothing_heavy():
    code = (
        "import sys; import napari_motionmag.methods.options\n"
        "print([m for m in ('torch', 'numpy', 'napari') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
