"""The device: taking turns on it, and its memory."""

import threading
import time

import numpy as np
import pytest
import torch

from napari_motionmag.compute import device
from napari_motionmag.compute.device import (
    INTERACTIVE,
    NORMAL,
    PREFETCH,
    Preempted,
    PriorityLock,
    priority,
)


def _queue(lock, levels):
    """Have threads of these levels wait for a lock that is held; return who got it when."""
    order = []

    def work(k, level):
        with priority(level), lock:
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
    levels = [NORMAL, NORMAL, INTERACTIVE, NORMAL, INTERACTIVE]
    assert _queue(PriorityLock(), levels) == [2, 4, 0, 1, 3]


def test_it_is_reentrant_and_one_threads_own():
    lock = PriorityLock()
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
    lock, inside, most = PriorityLock(), [], []

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
    lock, outcome = PriorityLock(), []

    def ahead():
        with priority(PREFETCH):
            try:
                with lock:
                    outcome.append("worked")
            except Preempted:
                outcome.append("overtaken")

    def run():
        thread = threading.Thread(target=ahead)
        thread.start()
        thread.join(10)

    run()
    with lock:
        run()
    assert outcome == ["worked", "overtaken"]

    with priority(PREFETCH), lock:
        lock.give_way()  # nobody waits
        waiter = threading.Thread(target=lambda: _take(lock))
        waiter.start()
        while not lock._waiting:
            time.sleep(0.001)
        with pytest.raises(Preempted):
            lock.give_way()
    waiter.join(10)


def _take(lock):
    with lock:
        pass


@pytest.mark.parametrize(("model", "checks"), [("difference", 3), ("oh2018", 1)])
def test_networks_give_way_in_mid_frame(model, checks, monkeypatch):
    """Before each layer, or before each encoding where a network is arranged for inference."""
    from napari_motionmag.methods.learned.engine import engine
    from napari_motionmag.methods.learned.method import LearnedMagnifier
    from napari_motionmag.temporal import Dynamic

    runner = engine(model, "cpu")
    frames = [np.random.default_rng(k).random((48, 48), dtype=np.float32) for k in range(2)]
    method = LearnedMagnifier(model, "cpu")
    with priority(PREFETCH):
        expected = method.magnify(frames, Dynamic(), [1], 5.0)  # nobody else: it is done
    assert np.abs(expected[0] - frames[1]).max() > 0
    calls = []
    name = "give_way" if model == "difference" else "release"
    check = getattr(runner.lock, name)

    def waited_for():
        calls.append(1)
        if len(calls) == checks:
            runner.lock._waiting.append((INTERACTIVE, 0))
        check()

    monkeypatch.setattr(runner.lock, name, waited_for)
    try:
        with priority(PREFETCH), pytest.raises(Preempted):
            method.magnify(frames, Dynamic(), [1], 5.0)
    finally:
        monkeypatch.undo()
        runner.lock._waiting.clear()
    assert len(calls) == checks, "it goes no further"
    assert np.array_equal(method.magnify(frames, Dynamic(), [1], 5.0), expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 18.13 GB)"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory_are_known(error, expected):
    assert device.is_out_of_memory(error) is expected


def test_limits_of_a_container_count(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    (tmp_path / "memory.stat").write_text("anon 2000\ninactive_file 0\nactive_file 0\n")
    monkeypatch.setattr(device, "_CGROUP", tmp_path)
    assert device.free_memory(torch.device("cpu")) == 3000
    # files that were read are dropped when memory is wanted
    (tmp_path / "memory.stat").write_text("anon 1400\ninactive_file 500\nactive_file 100\n")
    assert device.free_memory(torch.device("cpu")) == 3600
    (tmp_path / "memory.max").write_text("max\n")
    assert device.free_memory(torch.device("cpu")) > 2**20


def test_more_held_than_recommended_leaves_nothing_free(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 100)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 150)
    assert device.free_memory(torch.device("mps")) == 0
