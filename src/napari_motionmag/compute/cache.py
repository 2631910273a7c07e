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
    dropped : callable, optional
        Called as ``dropped(key, value)`` with each value that leaves to make room.
    """

    def __init__(
        self,
        limit: int,
        size: Callable[[object], int],
        dropped: Callable[[Hashable, object], object] | None = None,
    ):
        self.limit = limit
        self._size = size
        self._dropped = dropped
        self._values: OrderedDict[Hashable, object] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values

    def peek(self, key: Hashable):
        """The value of a key when it is held, else None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

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
                self.put(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    def put(self, key: Hashable, value) -> None:
        """Keep a value, unless there is one already or it is larger than all that may be held."""
        size = self._size(value)
        with self._lock:
            if key in self._values or size > self.limit:
                return
            self._values[key] = value
            self._bytes += size
            left = self._make_room()
        if self._dropped is not None:
            for pair in left:
                self._dropped(*pair)

    def at_least(self, limit: int) -> None:
        """Raise the limit, when it is lower."""
        self.limit = max(self.limit, limit)

    def _make_room(self) -> list[tuple[Hashable, object]]:
        left = []
        while self._bytes > self.limit:
            key, old = self._values.popitem(last=False)
            self._bytes -= self._size(old)
            left.append((key, old))
        return left

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._bytes = 0
