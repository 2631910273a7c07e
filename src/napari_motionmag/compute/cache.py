"""What is kept for the next time: each owner has a cache, and all of them share one budget.

A cache lives as long as its owner (a movie, a magnification); its values leave with it, or earlier
when the budget is used up: then the least recently used go, whoever keeps them.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from napari_motionmag.compute.device import total_memory

SHARE = 0.15  # of the memory that this process may use, unless `set_budget` says otherwise


class _Budget:
    """Values of all caches, the least recently used first, and their bytes."""

    def __init__(self):
        self._limit: int | None = None
        self._values: OrderedDict[tuple, tuple[object, int]] = OrderedDict()
        self._used = 0
        self._drops = 0
        self._lock = threading.Lock()
        self._gone: deque[int] = deque()  # caches whose owner went

    @property
    def limit(self) -> int:
        """Bytes that may be kept."""
        if self._limit is None:
            self._limit = int(SHARE * total_memory())
        return self._limit

    @limit.setter
    def limit(self, size: int | None) -> None:
        with self._lock:
            self._limit = size
        with self._lock:
            self._make_room()

    @property
    def used(self) -> int:
        """Bytes kept."""
        self._sweep()
        return self._used

    @property
    def drops(self) -> int:
        """How often something was dropped on request; see `put`."""
        return self._drops

    def find(self, key: tuple):
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: tuple, value, drops: int) -> None:
        """Keep a value, unless it is too large or was made before something was dropped."""
        size = nbytes(value)
        with self._lock:
            self._remove(key)
            if size <= self.limit and drops == self._drops:
                self._values[key] = value, size
                self._used += size
                self._make_room()
        self._sweep()

    def recount(self, key: tuple) -> None:
        """Count the bytes of a value again, if it is kept."""
        with self._lock:
            if key in self._values:
                value, size = self._values[key]
                self._values[key] = value, nbytes(value)
                self._used += nbytes(value) - size
                self._make_room()

    def drop(self, cache: int) -> None:
        """Forget all values of a cache."""
        with self._lock:
            self._drops += 1
            for key in [key for key in self._values if key[0] == cache]:
                self._remove(key)
        self._sweep()

    def drop_later(self, cache: int) -> None:
        """`drop`, from a finalizer: at once unless the lock is held, then by who holds it."""
        self._gone.append(cache)
        self._sweep()

    def size_of(self, cache: int) -> int:
        """Bytes that a cache keeps."""
        with self._lock:
            return sum(size for key, (_, size) in self._values.items() if key[0] == cache)

    def _sweep(self) -> None:
        while self._gone and self._lock.acquire(blocking=False):
            try:
                gone = {self._gone.popleft() for _ in range(len(self._gone))}
                for key in [key for key in self._values if key[0] in gone]:
                    self._remove(key)
            finally:
                self._lock.release()

    def _remove(self, key: tuple) -> None:
        _, size = self._values.pop(key, (None, 0))
        self._used -= size

    def _make_room(self) -> None:
        while self._used > self.limit:
            self._remove(next(iter(self._values)))


_BUDGET = _Budget()
_NUMBERS = itertools.count()


def budget() -> int:
    """Bytes that all caches together may keep."""
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
        If `size` is no such number.

    Examples
    --------
    >>> from napari_motionmag.compute.cache import set_budget
    >>> set_budget(4 * 2**30)
    """
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise ValueError(f"size must be None or a number of bytes, 0 or more, got {size!r}")
    _BUDGET.limit = size


def used() -> int:
    """Bytes that all caches together keep now."""
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
        return _BUDGET.find((self._number, key)) is not None

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
        return _BUDGET.size_of(self._number)

    def peek(self, key: Hashable):
        """The value of a key if it is kept, else None."""
        found = _BUDGET.find((self._number, key))
        return None if found is None else found[0]

    def get(self, key: Hashable, make: Callable[[], object]):
        """The value of a key, made once, also when several threads ask at the same time."""
        found = _BUDGET.find((self._number, key))
        if found is not None:
            return found[0]
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            found = _BUDGET.find((self._number, key))
            if found is not None:
                return found[0]
            drops = _BUDGET.drops
            try:
                value = make()
                _BUDGET.put((self._number, key), value, drops)
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
        _BUDGET.put((self._number, key), value, _BUDGET.drops if drops is None else drops)

    def resized(self, key: Hashable) -> None:
        """Count the bytes of a value that has grown."""
        _BUDGET.recount((self._number, key))

    def clear(self) -> None:
        """Forget everything, also what is being made now."""
        _BUDGET.drop(self._number)


def nbytes(value) -> int:
    """Bytes of an array, a tensor, anything with ``nbytes``, or several of them."""
    if isinstance(value, (tuple, list)):
        return sum(map(nbytes, value))
    size = getattr(value, "nbytes", 0)
    return size() if callable(size) else size
