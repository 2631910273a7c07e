"""What a user draws in the layers of a viewer."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary


class DrawnMarks:
    """Calls ``drawn(layer)`` when marks are added to one of the layers that ``layers()`` returns.

    `count` returns how many marks a layer has.
    """

    def __init__(self, viewer, layers: Callable, count: Callable, drawn: Callable):
        self._events = viewer.layers.events  # those of all layers, too
        self._layers, self._count, self._drawn = layers, count, drawn
        self._counts = WeakKeyDictionary({layer: count(layer) for layer in layers()})
        self._events.connect(self._on_event)

    def close(self) -> None:
        """Stop watching."""
        self._events.disconnect(self._on_event)

    def _on_event(self, event) -> None:
        if event.type not in ("inserted", "data"):
            return
        for layer in self._layers():
            before, self._counts[layer] = self._counts.get(layer, 0), self._count(layer)
            if self._counts[layer] > before:
                self._drawn(layer)
