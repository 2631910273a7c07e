"""Temporal operators as objects: arguments, errors, recipes, make_operator."""

import dataclasses
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

import napari_motionmag
from napari_motionmag.temporal import (
    FILTERS,
    FIR,
    Acceleration,
    Bands,
    Butterworth,
    DifferenceOfIIR,
    Dynamic,
    Static,
    TemporalOperator,
    make_operator,
)

IN_HZ = [FIR, Butterworth, DifferenceOfIIR, lambda low, high, fps=None: Acceleration(high, fps)]
EXAMPLES = [
    Static(),
    Static(-3),
    Static(slice(0, 10, 2)),
    Static([1, 5, 9], fps=30),
    Dynamic(),
    Dynamic(4, fps=12.5),
    FIR(1, 3),
    FIR(1, 3, 30, taps=41),
    Butterworth(1, 3, 30, order=3, zero_phase=True),
    DifferenceOfIIR(1, 3, 30),
    Acceleration(2, 30),
    Bands([(1, 3, 1), (5, 8, 0.5)], "butterworth", 30),
]


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", EXAMPLES, ids=lambda op: op.describe())
def test_operators_are_frozen_hashable_and_picklable(op):
    assert isinstance(op, TemporalOperator)
    with pytest.raises(dataclasses.FrozenInstanceError):
        op.fps = 3
    assert pickle.loads(pickle.dumps(op)) == op
    assert hash(pickle.loads(pickle.dumps(op))) == hash(op)
    assert op != op.bind(77)


@pytest.mark.parametrize("op", EXAMPLES, ids=lambda op: op.describe())
def test_recipes_survive_json(op):
    recipe = json.loads(json.dumps(op.to_dict()))
    assert TemporalOperator.from_dict(recipe) == op
    assert recipe["operator"] == op.name


def test_recipes_that_are_wrong_are_refused():
    with pytest.raises(ValueError, match=r"must be one of .*fir.*; got 'box'"):
        TemporalOperator.from_dict({"operator": "box"})
    with pytest.raises(ValueError, match=r"unknown entries \['width'\]"):
        TemporalOperator.from_dict({"operator": "dynamic", "width": 3})
    with pytest.raises(ValueError, match="lag must be at least 1"):
        TemporalOperator.from_dict({"operator": "dynamic", "lag": 0})


def test_descriptions_say_what_is_selected():
    assert Static(slice(0, 10)).describe() == "static, reference mean of frames 0:10"
    assert Static(range(8)).describe().endswith("frames 0, 1, 2, 3, 4, 5, ... (8 frames)")
    assert Dynamic(2).describe() == "dynamic, lag 2 frames"
    assert FIR(72, 92).describe() == "FIR 72-92 Hz"
    assert FIR(72, 92, 600).describe() == "FIR 72-92 Hz, 99 taps at 600 fps"
    assert Butterworth(1, 8, 300).describe() == "Butterworth 1-8 Hz, order 2, causal at 300 fps"
    assert DifferenceOfIIR(0.5, 2).describe() == "difference of IIR 0.5-2 Hz"
    assert Acceleration(2, 30).describe() == "acceleration, 2 Hz at 30 fps"


def test_bind_sets_fps_on_a_copy():
    op = FIR(1, 3)
    bound = op.bind(30)
    assert (op.fps, bound.fps) == (None, 30.0)
    assert bound == FIR(1, 3, 30)
    assert bound.bind(60) == FIR(1, 3, 60)
    assert Dynamic(2).bind(30).fps == 30


def test_response_can_be_asked_with_fps():
    f = [0.5, 2.0, 5.0]
    np.testing.assert_array_equal(FIR(1, 3).response(f, fps=30), FIR(1, 3, 30).response(f))
    np.testing.assert_array_equal(FIR(1, 3, 60).response(f, fps=30), FIR(1, 3, 30).response(f))
    np.testing.assert_array_equal(Static().response([0, 1, 2]), [0, 1, 1])


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", IN_HZ)
def test_operators_in_hz_need_fps(make):
    op = make(1, 3)
    for use in (lambda: op.row(0, 9), lambda: op.apply(np.zeros(9)), lambda: op.response(1.0)):
        with pytest.raises(ValueError, match="fps is missing"):
            use()


def test_dynamic_needs_fps_for_its_response_only():
    assert Dynamic().row(1, 9)[0].tolist() == [0, 1]
    with pytest.raises(ValueError, match="fps is missing"):
        Dynamic().response(1.0)


@pytest.mark.parametrize("make", [*IN_HZ, lambda low, high, fps: Dynamic(fps=fps)])
@pytest.mark.parametrize(
    ("fps", "error"),
    [(0, ValueError), (-30, ValueError), (np.nan, ValueError), (np.inf, ValueError),
     ("30", TypeError), (True, TypeError), ([30], TypeError)],
)  # fmt: skip
def test_bad_fps(make, fps, error):
    with pytest.raises(error, match="fps must be"):
        make(1, 3, fps)


@pytest.mark.parametrize("make", IN_HZ)
def test_frequencies_beyond_nyquist(make):
    with pytest.raises(ValueError, match=r"16.* Hz goes beyond the Nyquist .* = 15 Hz"):
        make(1, 16, 30)
    with pytest.raises(ValueError, match="Nyquist"):
        make(1, 16).bind(30)
    with pytest.raises(ValueError, match=r"15\.00001.* Hz goes beyond the Nyquist .* = 15 Hz"):
        make(1, 15.00001, 30)
    assert make(1, 15, 30).fps == 30


@pytest.mark.parametrize("make", IN_HZ[:3])
@pytest.mark.parametrize(
    ("low", "high", "error", "match"),
    [(3, 1, ValueError, "low < high"), (3, 3, ValueError, "low < high"),
     (0, 3, ValueError, "low must be above 0 Hz"), (-1, 3, ValueError, "low must be above 0 Hz"),
     (np.nan, 3, ValueError, "low must be finite"), (1, np.inf, ValueError, "high must be finite"),
     ("1", 3, TypeError, "low must be a number"), (1, None, TypeError, "high must be a number"),
     (True, 3, TypeError, "low must be a number"), (1, 3j, TypeError, "high must be a number")],
)  # fmt: skip
def test_bad_bands(make, low, high, error, match):
    with pytest.raises(error, match=match):
        make(low, high, 30)


@pytest.mark.parametrize(
    ("taps", "error", "match"),
    [(30, ValueError, "taps must be odd.*got 30: use 29 or 31"),
     (1, ValueError, "taps must be at least 3; got 1"), (31.0, TypeError, "taps must be an int")],
)  # fmt: skip
def test_bad_taps(taps, error, match):
    with pytest.raises(error, match=match):
        FIR(1, 3, 30, taps=taps)


def test_too_few_taps_are_said_and_gain_is_as_said():
    with pytest.warns(UserWarning, match=r"taps=9 are too few .* 2\.3 at .* takes 99") as caught:
        op = FIR(1, 3, 30, taps=9)
    assert caught[0].filename == __file__
    assert abs(op.response(np.linspace(0, 15, 999))).max() == pytest.approx(2.28, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [({"order": 0}, ValueError, "order must be 1 to 10; got 0"),
     ({"order": 11}, ValueError, "order must be 1 to 10"),
     ({"order": 2.0}, TypeError, "order must be an integer"),
     ({"zero_phase": "no"}, TypeError, "zero_phase must be True or False")],
)  # fmt: skip
def test_bad_butterworth(arguments, error, match):
    with pytest.raises(error, match=match):
        Butterworth(1, 3, 30, **arguments)


def test_a_butterworth_filter_that_arithmetic_cannot_make_is_refused():
    with pytest.raises(ValueError, match="too narrow for order=10"):
        Butterworth(1, 1 + 1e-13, 30, order=10)
    with pytest.raises(ValueError, match="too narrow for order=2"):
        Butterworth(0.001, 0.0011, 1e6)
    # narrow and slow, but possible
    op = Butterworth(0.2, 0.201, 2000, order=10)
    np.testing.assert_allclose(np.abs(op.response([0.2, 0.201])), np.sqrt(0.5), atol=1e-4)


@pytest.mark.parametrize("frequency", [0, -2, np.nan])
def test_bad_acceleration(frequency):
    with pytest.raises(ValueError, match="frequency must be"):
        Acceleration(frequency, 30)


@pytest.mark.parametrize(("lag", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_bad_lag(lag, error):
    with pytest.raises(error, match="lag must be"):
        Dynamic(lag)


@pytest.mark.parametrize(
    ("reference", "error"),
    [([], ValueError), (1.5, TypeError), ("first", TypeError), (None, TypeError), (True, TypeError),
     ([0, 1.5], TypeError), (np.array([True, False]), TypeError), (slice(0.5, 3), TypeError),
     ([[0, 1]], TypeError)],
)  # fmt: skip
def test_bad_references(reference, error):
    with pytest.raises(error, match="reference must be"):
        Static(reference)


@pytest.mark.parametrize("reference", [20, -21, [0, 20], slice(0, 21), slice(20, 25), slice(5, 5),
                                       slice(None, None, 0), slice(-30, None)])  # fmt: skip
def test_references_outside_the_movie(reference):
    op = Static(reference)
    for use in (
        lambda: op.row(0, 20),
        lambda: op.frames(20),
        lambda: op.apply(np.zeros(20)),
        lambda: op.apply(da.zeros(20, chunks=3)),
    ):
        with pytest.raises(ValueError, match=r"reference .*20 frames"):
            use()


@pytest.mark.parametrize("op", [Static(), Dynamic(), FIR(1, 3, 30), Butterworth(1, 3, 30)])
def test_movies_and_frames_that_are_not(op):
    with pytest.raises(ValueError, match="n_frames must be at least 2; got 1"):
        op.row(0, 1)
    with pytest.raises(ValueError, match="t must be 0 to 9; got 10"):
        op.row(10, 10)
    with pytest.raises(ValueError, match="t must be 0 to 9; got -1"):
        op.row(-1, 10)
    with pytest.raises(TypeError, match="t must be an integer"):
        op.row(1.0, 10)
    for x in (np.zeros((1, 5)), da.zeros((1, 5))):
        with pytest.raises(ValueError, match=r"at least 2 frames along axis 0; got shape \(1, 5\)"):
            op.apply(x)
    with pytest.raises(ValueError, match=r"axis must be within -2\.\.1; got 2"):
        op.apply(np.zeros((5, 5)), axis=2)
    with pytest.raises(TypeError, match="axis must be an integer"):
        op.apply(np.zeros((5, 5)), axis="T")
    with pytest.raises(ValueError, match="axis must be"):
        op.apply(3.0)
    for dtype in (complex, object, "M8[s]"):
        with pytest.raises(TypeError, match="x must hold real numbers"):
            op.apply(np.zeros(5, dtype=dtype))
    unknown = da.arange(20, chunks=5)
    with pytest.raises(ValueError, match="unknown chunk sizes"):
        op.apply(unknown[unknown > 3])
    for frequencies in (np.nan, "1", 1j):
        with pytest.raises(ValueError, match="frequencies must be finite real"):
            op.response(frequencies, fps=30)


# ---- make_operator ------------------------------------------------------------------------------


def test_make_operator_static_and_dynamic():
    assert make_operator("static") == Static(0)
    assert make_operator("static", reference=[1, 2], fps=30) == Static([1, 2], fps=30)
    assert make_operator("dynamic") == Dynamic(1)
    assert make_operator("dynamic", fps=30) == Dynamic(1, fps=30)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fir", FIR(72, 92, 600)), ("butterworth", Butterworth(72, 92, 600)),
     ("iir", DifferenceOfIIR(72, 92, 600)), ("acceleration", Acceleration(82, 600))],
)  # fmt: skip
def test_make_operator_temporal(name, expected):
    assert make_operator("temporal", band=(72, 92), fps=600, filter=name) == expected
    assert make_operator("temporal", band=[72, 92], fps=600.0, filter=name) == expected
    assert make_operator("temporal", band=np.array([72, 92]), fps=600, filter=name) == expected
    assert name in FILTERS
    assert expected.name == name


def test_make_operator_takes_an_operator_and_binds_it():
    assert make_operator(FIR(1, 3), fps=30) == FIR(1, 3, 30)
    assert make_operator(FIR(1, 3, 30)) == FIR(1, 3, 30)
    assert make_operator(FIR(1, 3, 29.97), fps=30000 / 1001) == FIR(1, 3, 29.97)
    assert make_operator(Dynamic(3)) == Dynamic(3)
    with pytest.raises(ValueError, match=r"fps=25 does not agree with mode, .* for 30 fps"):
        make_operator(FIR(1, 3, 30), fps=25)
    with pytest.raises(ValueError, match="fps is missing"):
        make_operator(FIR(1, 3))


@pytest.mark.parametrize(
    ("mode", "arguments", "error", "match"),
    [("bandpass", {}, ValueError, "mode must be one of static, dynamic, temporal, or"),
     (3, {}, TypeError, "mode must be one of"), (None, {}, TypeError, "mode must be one of"),
     ("temporal", {"filter": "box"}, ValueError, "filter must be one of fir, butterworth, iir"),
     ("temporal", {"filter": None}, TypeError, "filter must be one of"),
     ("static", {"filter": "box"}, ValueError, "filter must be one of"),
     ("temporal", {"band": None}, ValueError, "band must be two .*needs it"),
     ("temporal", {"fps": None}, ValueError, "fps is missing"),
     ("temporal", {"fps": "30"}, TypeError, "fps must be a number"),
     ("temporal", {"band": (1, 2, 3)}, ValueError, "band must be two increasing frequencies"),
     ("temporal", {"band": "13"}, TypeError, "band must be two increasing frequencies"),
     ("temporal", {"band": 3}, TypeError, "band must be two increasing frequencies"),
     ("temporal", {"band": (3, 1)}, ValueError, "band must be two increasing frequencies"),
     ("temporal", {"band": (0, 1)}, ValueError, "band .*above 0"),
     ("temporal", {"band": (1, np.nan)}, ValueError, "band must be finite"),
     ("temporal", {"band": (1, "3")}, TypeError, "band must be a number"),
     ("temporal", {"band": (1, 16)}, ValueError, "band .* beyond the Nyquist"),
     ("temporal", {"band": (1, 16), "filter": "acceleration"}, ValueError, "beyond the Nyquist")],
)  # fmt: skip
def test_make_operator_refuses(mode, arguments, error, match):
    arguments = {"band": (1, 3), "fps": 30, **arguments}
    if mode == "static":
        arguments["band"] = None
    with pytest.raises(error, match=match):
        make_operator(mode, **arguments)


@pytest.mark.parametrize(
    ("mode", "argument"),
    [
        ("static", {"band": (1, 3)}),
        ("dynamic", {"band": (1, 3)}),
        ("static", {"filter": "iir"}),
        ("dynamic", {"filter": "iir"}),
        ("dynamic", {"reference": 3}),
        ("temporal", {"reference": slice(3)}),
        (FIR(1, 3), {"band": (1, 4)}),
        (FIR(1, 3), {"reference": [1, 2]}),
    ],
)
def test_an_argument_that_is_not_used_is_said(mode, argument):
    needed = {"band": (1, 3)} if mode == "temporal" else {}
    (name,) = argument
    with pytest.warns(UserWarning, match=f"{name}=.* is not used with mode"):
        make_operator(mode, fps=30, **needed, **argument)


# ---- a new operator is a class and a test -------------------------------------------------------

TOY = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal.base import BandPass


@dataclass(frozen=True)
class Toy(BandPass):
    name: ClassVar[str] = "toy"
    label: ClassVar[str] = "Toy (half the frame before)"
    summary: ClassVar[str] = "for a test"

    def _row(self, t, n):
        return np.array([max(t - 1, 0), t]), np.array([-0.5, 0.5])

    def _response(self, frequencies):
        return (1 - np.exp(-2j * np.pi * frequencies / self.fps)) / 2

    def _describe(self):
        return "toy"

    def _filter(self, frames, first, start, stop, n):
        past = np.maximum(np.arange(start, stop) - 1, 0)
        return (frames[start - first : stop - first] - frames[past - first]) / 2
"""


def test_a_file_of_the_folder_is_an_operator(tmp_path):
    package = Path(napari_motionmag.__file__).parent
    here = tmp_path / package.name
    shutil.copytree(package, here, ignore=shutil.ignore_patterns("kernels-*", "weights"))
    (here / "temporal" / "band_filters" / "toy.py").write_text(TOY)
    code = (
        "import numpy as np\n"
        "from napari_motionmag import temporal, magnify\n"
        "toy = temporal.make_operator('temporal', band=(1, 2), fps=30, filter='toy')\n"
        "assert type(toy) is temporal.Toy and 'toy' in temporal.FILTERS\n"
        "assert temporal.TemporalOperator.from_dict(toy.to_dict()) == toy\n"
        "assert temporal.arguments_of(toy)['filter'] == 'toy'\n"
        "movie = np.random.default_rng(0).random((4, 16, 16), np.float32)\n"
        "motion = {'mode': 'temporal', 'band': (1, 2), 'fps': 30, 'filter': 'toy'}\n"
        "out = magnify(movie, 3, method='linear', **motion)\n"
        "assert out[1].compute().shape == (16, 16)\n"
        "from napari_motionmag.cli import main\n"
        "main.main(['magnify', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "toy" in done.stdout.partition("--filter")[2].partition("the movie")[0]
