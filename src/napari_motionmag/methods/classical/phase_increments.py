"""Temporal operators on phases, as weights of wrapped increments between frames.

A phase is known up to whole turns. What the operator needs is the unwrapped phase: the sum of
the wrapped increments from frame to frame. For weights w_i that sum to zero over frames
i_0 < i_1 < .., summation by parts turns ``sum_i w_i phase(i)`` into
``sum_j W_j wrap(phase(i_j) - phase(i_(j-1)))`` with ``W_j = sum_(k >= j) w_k``. So no unwrapped
phase is ever stored, rounding does not grow with the length of the movie, and a frame's result
depends on its own row of the operator only, not on which other frames are computed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Plan:
    """Which frames and which increments output frames need."""

    times: np.ndarray  # (T,) output frames, increasing
    frames: np.ndarray  # (N,) frames to read, increasing; contains `times`
    pairs: np.ndarray  # (L, 2) earlier and later frame of each increment, by the later one
    weights: np.ndarray  # (T, L) weight of each increment in each output frame, float64
    last_use: dict[int, int]  # of each earlier frame: its latest later frame

    def chunks(self, limit: int) -> Iterator[np.ndarray]:
        """Yield `frames` in order, at most `limit` at a time."""
        for start in range(0, len(self.frames), limit):
            yield self.frames[start : start + limit]


def _steps(operator, t: int, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames on the path of output t, and the weight of each increment along it."""
    indices, weights = operator.row(t, n_frames)
    indices = np.asarray(indices, dtype=np.int64)
    weights = np.asarray(weights, dtype=np.float64)
    path = np.union1d(indices, [t])
    full = np.zeros(len(path))
    full[np.searchsorted(path, indices)] = weights
    # A constant offset of the phase has no meaning: take phases relative to the current frame.
    full[np.searchsorted(path, t)] -= full.sum()
    tails = np.cumsum(full[::-1])[::-1][1:]
    # rounding errors outside of the operator's window are no reason to read a frame
    tails = np.where(np.abs(tails) > 1e-14 * max(np.abs(full).max(), 1e-300), tails, 0.0)
    return path, tails


def make_plan(operator, times: Sequence[int], n_frames: int) -> Plan:
    """Plan output frames `times`, increasing and distinct."""
    times = np.asarray(times, dtype=np.int64)
    codes, values, owners = [], [], []
    for n, t in enumerate(times):
        path, tails = _steps(operator, int(t), n_frames)
        used = tails != 0
        # later * n + earlier: sorting the code sorts by the later frame
        codes.append((path[1:] * n_frames + path[:-1])[used])
        values.append(tails[used])
        owners.append(np.full(int(used.sum()), n))
    code = np.concatenate(codes)
    unique, place = np.unique(code, return_inverse=True)
    pairs = np.stack([unique % n_frames, unique // n_frames], 1)
    weights = np.zeros((len(times), len(unique)))
    weights[np.concatenate(owners), place] = np.concatenate(values)
    frames = np.union1d(pairs.ravel(), times)
    last_use: dict[int, int] = {}
    for earlier, later in pairs.tolist():
        last_use[earlier] = later
    return Plan(times, frames, pairs, weights, last_use)


def split(
    operator, times: Sequence[int], n_frames: int, max_frames: int, max_times: int
) -> list[Plan]:
    """Return plans for consecutive parts of `times`, each small enough for memory.

    An operator with rows longer than `max_frames` gets one plan: reading a long past once, in
    chunks, is cheaper than reading it again for every part.
    """
    whole = make_plan(operator, times, n_frames)
    if len(whole.frames) <= max_frames and len(times) <= max_times:
        return [whole]
    parts: list[list[int]] = [[]]
    held: set[int] = set()
    for t in whole.times.tolist():
        path, tails = _steps(operator, t, n_frames)
        need = {t, *path[1:][tails != 0].tolist(), *path[:-1][tails != 0].tolist()}
        if len(need) > max_frames:
            return [whole]
        if parts[-1] and (len(held | need) > max_frames or len(parts[-1]) >= max_times):
            parts.append([])
            held = set()
        parts[-1].append(t)
        held |= need
    return [make_plan(operator, part, n_frames) for part in parts]


class Accumulator:
    """Sums weighted increments of one quantity, a block of frames at a time.

    ``difference(earlier, later)`` makes increments (L, ...) of two stacks of values (L, ...).
    """

    def __init__(
        self, plan: Plan, difference: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    ):
        self._plan = plan
        self._difference = difference
        self._kept: dict[int, torch.Tensor] = {}
        self.delta: torch.Tensor | None = None  # (T, ...) the result; None if nothing is needed

    def add(self, frames: Sequence[int], values: torch.Tensor) -> None:
        """Take in values (B, ...) of the next frames, all after those of earlier calls."""
        plan = self._plan
        later = plan.pairs[:, 1]
        first, last = np.searchsorted(later, [frames[0], frames[-1] + 1])
        if last > first:
            pool, names = values, list(frames)
            if old := [f for f in self._kept if plan.last_use[f] >= frames[0]]:
                pool = torch.cat([torch.stack([self._kept[f] for f in old]), values])
                names = old + names
            place = {f: n for n, f in enumerate(names)}
            start = _take(pool, [place[f] for f in plan.pairs[first:last, 0].tolist()])
            stop = _take(pool, [place[f] for f in plan.pairs[first:last, 1].tolist()])
            step = self._difference(start, stop)
            weights = torch.as_tensor(
                plan.weights[:, first:last], dtype=step.dtype, device=step.device
            )
            part = (weights @ step.flatten(1)).view(len(plan.times), *step.shape[1:])
            self.delta = part if self.delta is None else self.delta.add_(part)
        self._kept = {f: v for f, v in self._kept.items() if plan.last_use.get(f, -1) > frames[-1]}
        for f, value in zip(frames, values, strict=True):
            if plan.last_use.get(f, -1) > frames[-1]:
                # a copy, so that the rest of the block can go
                self._kept[f] = value.clone()


def _take(pool: torch.Tensor, places: list[int]) -> torch.Tensor:
    """Return rows of a stack; a view where they follow each other."""
    first = places[0]
    if places == list(range(first, first + len(places))):
        return pool[first : first + len(places)]
    return pool[torch.as_tensor(places, device=pool.device)]
