"""What is done once, before the first frame, is shown."""

import threading

import pytest
from napari.utils.progress import progress as napari_progress

from napari_motionmag.compute.device import INTERACTIVE, current_priority
from napari_motionmag.methods.learned.method import LearnedMagnifier


@pytest.fixture
def step(method):
    """A slow step of the method before its first frame, that ends when it is set."""
    gate = threading.Event()
    steps = [("Looking around", lambda: None), ("Compiling", lambda: gate.wait(20))]
    method.preparations = lambda: steps
    yield gate
    gate.set()


def test_a_slow_step_is_shown_in_the_dock_and_in_napari(
    widget, step, click, qtbot, result, settled
):
    bar = widget._fields.progress.native
    assert not bar.isVisible()
    click(widget, "magnify")
    qtbot.waitUntil(bar.isVisible, timeout=10_000)
    assert "Compiling (2 of 2)" in bar.text()
    assert "Compiling" in widget.status.value
    (shown,) = [x for x in napari_progress._all_instances if x.desc.startswith("Compiling")]
    assert shown.total == 2
    widget.factor.value = 33  # fields stay free meanwhile
    step.set()
    settled(widget)
    assert not bar.isVisible()
    assert shown not in napari_progress._all_instances
    qtbot.waitUntil(lambda: result().name.startswith("x33 "), timeout=10_000)


def test_quick_steps_are_not_shown(widget, method, magnified, settled):
    method.preparations = lambda: [("Nothing to do", lambda: None)]
    widget._fields.progress.native.setFormat("untouched")
    magnified()
    settled(widget)
    assert widget._fields.progress.native.format() == "untouched"


def test_steps_are_done_as_for_a_frame_that_somebody_waits_for(widget, method, magnified):
    """What can wait, such as compiled kernels, is left for later at this priority only."""
    priorities = []
    method.preparations = lambda: [("Looking", lambda: priorities.append(current_priority()))]
    magnified()
    assert priorities == [INTERACTIVE]


def test_the_dock_is_closed_meanwhile(viewer, widget, step, click, qtbot):
    click(widget, "magnify")
    qtbot.waitUntil(widget._fields.progress.native.isVisible, timeout=10_000)
    viewer.window.remove_dock_widget("all")
    step.set()
    qtbot.wait(300)
    assert widget._closed
    assert not [x for x in napari_progress._all_instances if x.desc.startswith("Compiling")]


def test_the_learned_method_names_what_it_loads():
    steps = LearnedMagnifier(device="cpu").preparations()
    assert [text for text, _ in steps] == [
        "Loading PyTorch",
        "Loading the network",
    ]
    for _, do in steps:
        do()
