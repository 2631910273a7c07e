"""What is kept for the next time: one budget, and values that leave with their owner."""

import gc
import pickle
import threading

import numpy as np
import pytest

from napari_motionmag import Movie, magnify
from napari_motionmag.compute import cache as cache_module
from napari_motionmag.compute.cache import Cache, budget, set_budget, used


@pytest.fixture
def small():
    """A budget of ten kilobytes more than other tests have left."""
    set_budget(used() + 10_000)
    yield
    set_budget(None)


def _kilobytes(n):
    return np.zeros(1000 * n, np.uint8)


def test_the_least_recently_used_leaves_whoever_keeps_it(small):
    set_budget(10_000)
    one, other = Cache(), Cache()
    one.put("a", _kilobytes(4))
    other.put("b", _kilobytes(4))
    assert one.peek("a") is not None
    one.put("c", _kilobytes(4))
    assert "b" not in other
    assert "a" in one
    assert one.nbytes == 8000 == used()
    other.put("huge", _kilobytes(11))
    assert "huge" not in other
    assert "a" in one, "what can never fit pushes nothing out"
    set_budget(5000)
    assert used() == 4000


def test_values_leave_with_their_owner():
    before = used()
    cache = Cache()
    cache.put("a", _kilobytes(4))
    assert used() == before + 4000
    del cache
    gc.collect()
    assert used() == before


def test_a_value_is_made_once_by_many_threads():
    cache, made, start = Cache(), [], threading.Barrier(8)

    def make():
        made.append(1)
        return _kilobytes(1)

    def ask():
        start.wait()
        cache.get("a", make)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert made == [1]


def test_what_is_being_made_while_it_is_cleared_is_not_kept():
    cache = Cache()

    def make():
        cache.clear()  # as another thread does
        return _kilobytes(1)

    cache.get("a", make)
    assert "a" not in cache
    drops = cache.drops
    cache.clear()
    cache.put("b", _kilobytes(1), drops)
    assert "b" not in cache


def test_a_value_that_grows_is_counted_again(small):
    class Growing:
        nbytes = 10

    cache, value = Cache(), Growing()
    cache.put("a", value)
    value.nbytes = 500
    cache.resized("a")
    assert cache.nbytes == 500
    cache.resized("unknown")


def test_errors_leave_nothing_behind():
    cache = Cache()
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: 2) == 2


def test_copies_start_empty():
    cache = Cache()
    cache.put("a", _kilobytes(1))
    assert "a" not in pickle.loads(pickle.dumps(cache))


def test_the_budget_is_a_share_of_the_memory_unless_it_is_set(monkeypatch):
    monkeypatch.setattr(cache_module, "total_memory", lambda: 8 * 2**30)
    set_budget(None)
    assert budget() == int(cache_module.SHARE * 8 * 2**30)
    set_budget(None)
    for size in (-1, 2.5, True, "1 GB"):
        with pytest.raises(ValueError, match="size must be None or a number of bytes"):
            set_budget(size)


def test_what_belongs_to_a_result_goes_with_it():
    """Layers hold their result, and the result its magnification and its movie."""
    before = used()
    frames = np.random.default_rng(0).integers(0, 255, (12, 24, 32)).astype(np.uint8)
    lazy = magnify(Movie(frames, "TYX", fps=30), 5, mode="temporal", band=(4, 8))
    lazy[5].compute(scheduler="synchronous")
    assert used() > before
    del lazy
    gc.collect()
    assert used() == before


def test_asking_for_the_keys_is_no_use_of_the_values(small):
    set_budget(10_000)
    cache, other = Cache(), Cache()
    cache.put("a", _kilobytes(4))
    cache.put("b", _kilobytes(4))
    assert cache.kept_keys() == ["a", "b"]
    assert other.kept_keys() == []
    cache.put("c", _kilobytes(4))
    assert cache.kept_keys() == ["b", "c"]
