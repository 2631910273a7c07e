"""Taking turns on a device."""

import threading
import time

import numpy as np
import pytest

from napari_motionmag.compute.device_lock import (
    AHEAD,
    ORDINARY,
    VISIBLE,
    DeviceLock,
    Overtaken,
    urgency,
)


def _queue(lock, levels):
    """Have threads of these levels wait for a lock that is held; return who got it when."""
    order = []

    def work(k, level):
        with urgency(level), lock:
            order.append(k)

    threads = []
    with lock:
        for k, level in enumerate(levels):
            threads.append(threading.Thread(target=work, args=(k, level)))
            threads[-1].start()
            while len(lock._waiting) <= k:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    return order


def test_the_visible_frame_goes_first_then_who_came_first():
    levels = [ORDINARY, ORDINARY, VISIBLE, ORDINARY, VISIBLE]
    assert _queue(DeviceLock(), levels) == [2, 4, 0, 1, 3]


def test_it_is_reentrant_and_one_threads_own():
    lock = DeviceLock()
    with lock:
        with lock:
            assert lock.acquire()
            lock.release()
        failed = []

        def release():
            try:
                lock.release()
            except RuntimeError as error:
                failed.append(error)

        thread = threading.Thread(target=release)
        thread.start()
        thread.join(10)
        assert failed
    with pytest.raises(RuntimeError, match="not held"):
        lock.release()


def test_only_one_at_a_time():
    lock, inside, most = DeviceLock(), [], []

    def work():
        for _ in range(50):
            with lock:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(most) == 400
    assert max(most) == 1


def test_who_works_ahead_does_not_wait_and_gives_way():
    lock, outcome = DeviceLock(), []

    def ahead():
        with urgency(AHEAD):
            try:
                with lock:
                    outcome.append("worked")
            except Overtaken:
                outcome.append("overtaken")

    def run():
        thread = threading.Thread(target=ahead)
        thread.start()
        thread.join(10)

    run()
    with lock:
        run()
    assert outcome == ["worked", "overtaken"]

    with urgency(AHEAD), lock:
        lock.give_way()  # nobody waits
        waiter = threading.Thread(target=lambda: _take(lock))
        waiter.start()
        while not lock._waiting:
            time.sleep(0.001)
        with pytest.raises(Overtaken):
            lock.give_way()
    waiter.join(10)


def _take(lock):
    with lock:
        pass


@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_networks_give_way_in_mid_frame(model):
    from napari_motionmag.methods.learned.engine import engine
    from napari_motionmag.methods.learned.method import LearnedMagnifier
    from napari_motionmag.temporal import Dynamic

    runner = engine(model, "cpu")
    frames = [np.random.default_rng(k).random((48, 48), dtype=np.float32) for k in range(2)]
    method = LearnedMagnifier(model, "cpu")
    with urgency(AHEAD):
        expected = method.magnify(frames, Dynamic(), [1], 5.0)  # nobody else: it is done
    assert np.abs(expected[0] - frames[1]).max() > 0
    calls = []
    give_way = runner.lock.give_way

    def waited_for():
        calls.append(1)
        if len(calls) == 3:
            runner.lock._waiting.append((VISIBLE, 0))
        give_way()

    runner.lock.give_way = waited_for
    try:
        with urgency(AHEAD), pytest.raises(Overtaken):
            method.magnify(frames, Dynamic(), [1], 5.0)
    finally:
        del runner.lock.give_way
        runner.lock._waiting.clear()
    assert len(calls) == 3, "it goes no further"
    assert np.array_equal(method.magnify(frames, Dynamic(), [1], 5.0), expected)
