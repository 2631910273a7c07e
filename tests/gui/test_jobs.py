"""Jobs of which the newest counts, steps that come in a flood, and warnings of a thread."""

import threading
import warnings

import pytest
from magicgui.widgets import Label

from napari_motionmag.widgets.common import jobs
from napari_motionmag.widgets.common.jobs import (
    Cancelled,
    Job,
    Replacing,
    on_main_thread,
    throttled,
)
from napari_motionmag.widgets.common.messages import Messages, warnings_to


def test_a_flood_of_calls_becomes_a_trickle():
    calls = []
    call = throttled(calls.append, seconds=0.05)
    for k in range(100_000):
        call(k)
    assert calls[0] == 0
    assert len(calls) <= 20


def test_a_function_that_is_not_throttled_is_called_each_time():
    calls = []
    call = throttled(calls.append, seconds=0)
    for k in range(100):
        call(k)
    assert calls == list(range(100))


def test_the_newest_job_counts(viewer, qtbot):
    gate, done, begun, busy = threading.Event(), [], [], []
    jobs = Replacing(busy.append, lambda *_: None)

    def work(name):
        def steps(progress):
            begun.append(name)
            for step in range(1, 200):
                gate.wait(0.01)
                progress(step, 200)

        return steps

    for name in "abc":
        jobs.request(
            work(name),
            lambda error, cancelled, name=name: done.append((name, error, cancelled)),
            title=name,
        )
    gate.set()
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert done == [("c", None, False)]
    assert begun == ["a", "c"]
    assert busy == [True, False, True, False]
    jobs.close()


def test_a_flood_does_not_end_the_program(viewer, qtbot):
    done, seen = [], []

    def work(progress):
        for step in range(1, 50_001):
            progress(step, 50_000)

    job = Job(work, "flood", lambda *outcome: done.append(outcome), lambda *step: seen.append(step))
    qtbot.waitUntil(lambda: bool(done), timeout=60_000)
    assert done == [(None, False)]
    assert 1 <= len(seen) < 1000
    assert seen == sorted(seen)
    assert job._bar.n <= 100


def test_errors_and_cancelling_come_back_as_values(viewer, qtbot):
    done, gate = [], threading.Event()

    def fails(progress):
        raise RuntimeError("broken")

    def waits(progress):
        gate.wait(10)
        progress(1, 2)
        raise AssertionError("not cancelled")

    for work in (fails, waits):
        job = Job(work, "job", lambda *outcome: done.append(outcome))
        if work is waits:
            job.cancel()
            gate.set()
        qtbot.waitUntil(lambda: bool(done), timeout=20_000)
        error, cancelled = done.pop()
        assert (str(error) == "broken") is not cancelled


def test_a_job_that_raises_cancelled_itself_is_cancelled(viewer, qtbot):
    done = []

    def work(progress):
        raise Cancelled

    Job(work, "job", lambda *outcome: done.append(outcome), quiet=True)
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert done == [(None, True)]


@pytest.mark.filterwarnings("always")
def test_warnings_for_programmers_are_not_shown(viewer, qtbot, notifications):
    status, done = Label(), []
    messages = Messages(status)

    def work(progress):
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
        warnings.warn("the movie is short", UserWarning, stacklevel=1)
        warnings.warn("use another library", DeprecationWarning, stacklevel=1)

    jobs = Replacing(lambda busy: None, messages.warn)
    jobs.request(work, lambda error, cancelled: done.append(error), title="warnings")
    qtbot.waitUntil(lambda: bool(done), timeout=20_000)
    assert done == [None]
    assert status.value == "the movie is short"
    assert [text for _, text in notifications()] == ["the movie is short"]
    jobs.close()


@pytest.mark.filterwarnings("always")
def test_only_this_thread_is_listened_to_and_all_is_put_back():
    mine, others = [], []
    warnings.showwarning = lambda message, *_: others.append(str(message))
    before = warnings.showwarning

    def elsewhere():
        warnings.warn("from another thread", stacklevel=1)

    with warnings_to(lambda place, text: mine.append((place[0], text))):
        warnings.warn("from this thread", stacklevel=1)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert warnings.showwarning is before
    assert mine == [(UserWarning, "from this thread")]
    assert others == ["from another thread"]


def test_the_time_left_is_told_once_it_is_known(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    left = jobs.TimeLeft()
    now[0] = 1.0
    assert left(10, 100) == "10 %"
    now[0] = 10.0
    assert left(10, 100) == "10 %, 1:30 left"
    assert left(50, 100) == "50 %, 10 s left"
    assert left(100, 100) == "100 %"


def test_calls_from_many_threads_arrive_in_order_on_the_main_thread(qtbot):
    arrived = []

    def note(name, number):
        arrived.append((name, number, threading.current_thread() is threading.main_thread()))

    def work(name):
        for number in range(20):
            on_main_thread(note, name, number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    qtbot.waitUntil(lambda: len(arrived) == 400)
    assert all(main for _, _, main in arrived)
    for name in range(20):
        assert [number for who, number, _ in arrived if who == name] == list(range(20))
