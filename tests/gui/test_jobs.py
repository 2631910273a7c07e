"""Work of which the last wish counts, and steps that come in a flood."""

import threading
import warnings

import pytest
from magicgui.widgets import Label

from napari_motionmag.widgets.common import pace
from napari_motionmag.widgets.common.jobs import Cancelled
from napari_motionmag.widgets.common.messages import Messages
from napari_motionmag.widgets.common.pace import UNITS, paced
from napari_motionmag.widgets.common.runner import Runner


def test_a_flood_of_steps_becomes_a_trickle():
    assert len(list(paced(iter(range(1, 100_001)), 100_000))) <= pace.MOST_AT_ONCE + 10


def test_all_units_are_told_in_time(monkeypatch):
    monkeypatch.setattr(pace, "PACE_SECONDS", 0)
    assert len(list(paced(iter(range(1, 1001)), 1000))) == UNITS
    assert list(paced(iter([3, 4]), 4)) == [3] * 10 + [4] * 10


def test_the_last_wish_counts(viewer, qtbot):
    gate, done, begun = threading.Event(), [], []
    work = Runner(lambda busy: None, lambda *_: None)

    def begin(name):
        def steps(cancelled):
            begun.append(name)
            for step in range(1, 200):
                if cancelled.is_set():
                    raise Cancelled
                gate.wait(0.01)
                yield step

        return steps

    for name in "abc":
        work.request(
            begin(name),
            lambda error, cancelled, name=name: done.append((name, error, cancelled)),
            lambda step: None,
            total=200,
            title=name,
        )
    gate.set()
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert done == [("c", None, False)]
    assert begun == ["a", "c"]
    work.close()


def test_a_flood_does_not_end_the_program(viewer, qtbot):
    done = []
    work = Runner(lambda busy: None, lambda *_: None)
    work.request(
        lambda cancelled: iter(range(1, 50_001)),
        lambda error, cancelled: done.append(error),
        lambda step: None,
        total=50_000,
        title="flood",
    )
    qtbot.waitUntil(lambda: bool(done), timeout=60_000)
    assert done == [None]


@pytest.mark.filterwarnings("always")
def test_warnings_for_programmers_are_not_shown(viewer, qtbot, notifications):
    status, done = Label(), []
    messages = Messages(status)

    def steps(cancelled):
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
        warnings.warn("the movie is short", UserWarning, stacklevel=1)
        warnings.warn("use another library", DeprecationWarning, stacklevel=1)
        yield 1

    work = Runner(lambda busy: None, messages.warn)
    work.request(
        steps,
        lambda error, cancelled: done.append(error),
        lambda step: None,
        total=1,
        title="warnings",
    )
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert done == [None]
    assert status.value == "the movie is short"
    assert [text for _, text in notifications()] == ["the movie is short"]
    work.close()
