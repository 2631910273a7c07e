"""Values kept for the next time: each owner has a cache, and all of them share one budget.

A cache lives as long as its owner (a movie, a magnification); its values leave with it, or earlier
when the budget is used up: then the least recently used go, whoever keeps them.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable

from napari_motionmag.compute.device import total_memory

SHARE = 0.15  # of the memory that this process may use, unless `set_budget` says otherwise


class _Budget:
    """Values of all caches, the least recently used first, and their bytes. Use under `lock`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.values: OrderedDict[tuple, tuple[object, int]] = OrderedDict()
        self.used = 0
        self.drops = 0  # how often a cache was cleared on request
        self.size: int | None = None
        self.gone: deque[int] = deque()  # caches whose owner went

    @property
    def limit(self) -> int:
        """Bytes that may be kept."""
        if self.size is None:
            self.size = int(SHARE * total_memory())
        return self.size

    def keep(self, key: tuple, value) -> None:
        """Keep a value in place of an earlier one, unless it is larger than the budget."""
        self.remove(key)
        size = nbytes(value)
        if size <= self.limit:
            self.values[key] = value, size
            self.used += size
            self.make_room()

    def remove(self, key: tuple) -> None:
        self.used -= self.values.pop(key, (None, 0))[1]

    def remove_all(self, caches: set[int]) -> None:
        for key in [key for key in self.values if key[0] in caches]:
            self.remove(key)

    def make_room(self) -> None:
        while self.used > self.limit:
            self.remove(next(iter(self.values)))

    def drop_later(self, cache: int) -> None:
        """Forget a cache, from a finalizer: at once, or by the next call when the lock is held."""
        self.gone.append(cache)
        self.sweep()

    def sweep(self) -> None:
        """Forget the caches whose owner went; without the lock."""
        while self.gone and self.lock.acquire(blocking=False):
            try:
                self.remove_all({self.gone.popleft() for _ in range(len(self.gone))})
            finally:
                self.lock.release()


_BUDGET = _Budget()
_NUMBERS = itertools.count()


def budget() -> int:
    """Return how many bytes all caches together may keep."""
    return _BUDGET.limit


def set_budget(size: int | None) -> None:
    """Set how much all caches together may keep; None: a share of the memory.

    Parameters
    ----------
    size : int or None
        Bytes, 0 or more.

    Raises
    ------
    ValueError
        If `size` is not such a number.

    Examples
    --------
    >>> from napari_motionmag.compute.cache import set_budget
    >>> set_budget(4 * 2**30)
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise ValueError(f"size must be None or a number of bytes, 0 or more, got {size!r}")
    with _BUDGET.lock:
        _BUDGET.size = size
        _BUDGET.make_room()


def used() -> int:
    """Return how many bytes all caches together keep now."""
    _BUDGET.sweep()
    return _BUDGET.used


class Cache:
    """Values of one owner, kept while it lives and the shared budget allows.

    Thread-safe. Pickled copies start empty.
    """

    def __init__(self):
        self._number = next(_NUMBERS)
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _BUDGET.drop_later, self._number).atexit = False

    def __reduce__(self):
        return Cache, ()

    def __contains__(self, key: Hashable) -> bool:
        return self._find(key) is not None

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
        with _BUDGET.lock:
            own = (size for key, (_, size) in _BUDGET.values.items() if key[0] == self._number)
            return sum(own)

    def _find(self, key: Hashable) -> tuple | None:
        place = self._number, key
        with _BUDGET.lock:
            if place in _BUDGET.values:
                _BUDGET.values.move_to_end(place)
            return _BUDGET.values.get(place)

    def kept_keys(self) -> list[Hashable]:
        """Return the keys of the values that are kept; this is no use of them."""
        with _BUDGET.lock:
            return [key for number, key in _BUDGET.values if number == self._number]

    def peek(self, key: Hashable):
        """Return the value of a key if it is kept, else None."""
        found = self._find(key)
        return None if found is None else found[0]

    def get(self, key: Hashable, make: Callable[[], object]):
        """Return the value of a key, made once, also when several threads ask at the same time."""
        found = self._find(key)
        if found is not None:
            return found[0]
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            found = self._find(key)
            if found is not None:
                return found[0]
            drops = self.drops
            try:
                value = make()
                self.put(key, value, drops)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    @property
    def drops(self) -> int:
        """How often any cache was cleared: tells `put` whether a value is out of date."""
        return _BUDGET.drops

    def put(self, key: Hashable, value, drops: int | None = None) -> None:
        """Keep a value in place of an earlier one, unless it is larger than the budget.

        With `drops`, as it was before the value was made: unless a cache was cleared since.
        """
        with _BUDGET.lock:
            if drops is None or drops == _BUDGET.drops:
                _BUDGET.keep((self._number, key), value)
        _BUDGET.sweep()

    def resized(self, key: Hashable) -> None:
        """Count the bytes of a value that has grown."""
        with _BUDGET.lock:
            if (self._number, key) in _BUDGET.values:
                _BUDGET.keep((self._number, key), _BUDGET.values[self._number, key][0])

    def forget(self, keys: Iterable[Hashable]) -> None:
        """Forget the values of some keys."""
        with _BUDGET.lock:
            for key in keys:
                _BUDGET.remove((self._number, key))

    def clear(self) -> None:
        """Forget everything, also what is being made now."""
        with _BUDGET.lock:
            _BUDGET.drops += 1
            _BUDGET.remove_all({self._number})
        _BUDGET.sweep()


def nbytes(value) -> int:
    """Return the bytes of an array, a tensor, anything with ``nbytes``, or several of them."""
    if isinstance(value, (tuple, list)):
        return sum(map(nbytes, value))
    size = getattr(value, "nbytes", 0)
    return size() if callable(size) else size
