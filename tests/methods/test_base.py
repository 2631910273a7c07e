"""What all methods share: the interface, and warnings that are said once."""

import inspect
import pickle
import re
import threading
import warnings

import numpy as np
import pytest
from gratings import grating
from motion import fourier_shift, smooth_texture

from napari_motionmag import magnify
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.methods.base import METHODS, Method, WarnOnce, warn_once
from napari_motionmag.methods.classical.lagrangian import LagrangianMagnifier
from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.riesz import RieszMagnifier
from napari_motionmag.methods.stabilisation.stabilised import Stabilised

KINDS = [LinearMagnifier, PhaseMagnifier, RieszMagnifier, LagrangianMagnifier, Stabilised]

# moves further from frame to frame than any method can multiply by 40
MOVIE = np.stack([grating((32, 32), 8, 0.3 * t) for t in range(6)]).astype(np.float32)


def said(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(one.message) for one in caught if issubclass(one.category, UserWarning)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_interface_is_described_once(kind):
    assert issubclass(kind, Method)
    assert inspect.getdoc(kind.magnify) == inspect.getdoc(Method.magnify)
    assert list(inspect.signature(kind.magnify).parameters) == list(
        inspect.signature(Method.magnify).parameters
    )


def test_methods_of_the_registry_are_methods():
    for name in METHODS:
        assert plan(MOVIE, 3, method=name).method.name == name


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize(
    ("method", "number"),
    [
        ("phase", r"of which the half-octave pyramid carries [34]\.?\d* px"),
        ("riesz", r"of which the Riesz pyramid carries [12]\.?\d* px"),
        ("linear", r"bound \(1 \+ alpha\) delta < lambda / 8 for wavelengths below \d+"),
    ],
)
def test_a_bound_is_told_once_for_a_magnification(method, number, scheduler):
    out = magnify(MOVIE, 40, method=method, mode="dynamic", intensity_range=(0, 1))
    messages = said(lambda: out.compute(scheduler=scheduler, num_workers=4))
    assert len(messages) == 1
    assert re.search(number, messages[0])
    assert messages[0].endswith("(said once, for the first such frame)")
    assert said(out[4].compute) == []
    # another magnification is another matter
    other = magnify(MOVIE, 50, method=method, mode="dynamic", intensity_range=(0, 1))
    assert len(said(other[2].compute)) == 1


def test_stabilised_methods_say_it_once_too():
    texture = smooth_texture(48, cutoff=0.3)
    movie = np.stack([fourier_shift(texture, 0.2 * (t % 2), 3 * t) for t in range(5)])
    movie[1:, 20:30, 20:30] += 0.2  # which no shift explains
    out = magnify(
        movie, 300, method="linear", stabilise="translation", intensity_range=(0, 1), axes="TYX"
    )
    messages = said(out.compute)
    assert sum("passes the bound" in message for message in messages) == 1


def test_a_method_of_its_own_tells_each_call():
    frames = list(MOVIE)
    method = PhaseMagnifier(device="cpu")
    from napari_motionmag.temporal import Static

    for _ in range(2):
        messages = said(lambda: method.magnify(frames, Static(), [2, 3], 40))
        assert len(messages) == 1
        assert "said once" not in messages[0]


def test_things_are_told_once_by_all_threads_together():
    warned, firsts, start = WarnOnce(), [], threading.Barrier(8)

    def ask():
        start.wait()
        firsts.extend(kind for kind in range(200) if warned.first(kind))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == list(range(200))
    copy = pickle.loads(pickle.dumps(warned))
    assert copy.first(3)


def test_telling_points_at_the_caller():
    class Frames(list):
        warned = WarnOnce()

    frames = Frames()
    with pytest.warns(UserWarning, match=r"^too much \(said once") as caught:
        warn_once(frames, "bound", "too much", stacklevel=1)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="something else"):
        warn_once(frames, "memory", "something else")
    assert said(lambda: warn_once(frames, "bound", "too much")) == []
    assert said(lambda: [warn_once([], "bound", "plain") for _ in range(3)]) == ["plain"] * 3


@pytest.mark.parametrize("method", ["learned", "linear"])
@pytest.mark.parametrize(
    ("times", "factor", "error"),
    [([], 3, ValueError), ([-1], 3, ValueError), ([6], 3, ValueError), ([1], None, TypeError),
     ([1], float("nan"), ValueError), ([1], True, TypeError)],
)  # fmt: skip
def test_times_and_factors_are_checked_by_every_method(method, times, factor, error):
    planned = plan(MOVIE, 3, method=method)
    with pytest.raises(error, match="times" if error is ValueError and factor == 3 else "factor"):
        planned.method.magnify(MOVIE, planned.operator, times, factor)


def test_times_in_any_order_and_more_than_once():
    planned = plan(MOVIE, 3, method="learned")
    drawn = planned.method.magnify(MOVIE, planned.operator, [4, 1, 4], 3)
    once = planned.method.magnify(MOVIE, planned.operator, [1, 4], 3)
    assert np.array_equal(drawn, once[[1, 0, 1]])


@pytest.mark.parametrize("method", ["linear", "phase", "riesz"])
def test_mps_is_refused_by_methods_that_cannot_run_there(method, monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="device 'mps' lacks the float64"):
        plan(MOVIE, 3, method=method, device="mps")
