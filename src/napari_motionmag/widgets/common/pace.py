"""Progress that napari's progress bar can follow."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

UNITS = 50  # of a progress bar
PACE_SECONDS = 0.05  # between two of its moves
MOST_AT_ONCE = 10


def paced(steps: Iterator[int], total: int) -> Iterator[int]:
    """Pass on some of many steps, as many as the progress bar has units.

    napari handles events whenever its progress bar moves: steps that come in a flood are then
    handled one inside the other, until the stack is full and the program ends.

    Parameters
    ----------
    steps : iterator of int
        How much of `total` is done.
    total : int

    Yields
    ------
    int
        The step that was reached; UNITS times at most, a few at once where a step is a large one.
    """
    told, before = 0, -math.inf
    for step in steps:
        now = time.monotonic()
        if now - before < PACE_SECONDS:
            continue
        reached = min(UNITS, UNITS * step // max(total, 1))
        for _ in range(min(reached - told, MOST_AT_ONCE)):
            told, before = told + 1, now
            yield step
