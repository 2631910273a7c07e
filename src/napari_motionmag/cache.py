"""A cache bounded in bytes and safe under threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class ByteBoundedCache:
    """Least recently used values leave when the bytes are used up.

    Parameters
    ----------
    limit : int
        Bytes that may be held.
    size : callable
        Bytes of a value.
    """

    def __init__(self, limit: int, size: Callable[[object], int]):
        self.limit = limit
        self._size = size
        self._values: OrderedDict[Hashable, object] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], object]):
        """The value of a key; made once, also when several threads ask at the same time."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            self._put(key, value)
            return value

    def _put(self, key: Hashable, value) -> None:
        size = self._size(value)
        if size > self.limit:
            return
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value
            self._bytes += size
            while self._bytes > self.limit:
                _, old = self._values.popitem(last=False)
                self._bytes -= self._size(old)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._bytes = 0
