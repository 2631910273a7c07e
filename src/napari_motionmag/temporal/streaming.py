"""Temporal operators over frames that are requested one by one, in order or not.

`StreamingOperator` gives ``T(s)(t)`` from a function that gives s of a frame, and keeps what the
next request can reuse: the mean of the reference frames, the state of a recursive filter, the last
few results. Arrays may be of NumPy or of torch, on any device.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from napari_motionmag.temporal import _sos
from napari_motionmag.temporal.band_filters._recursive import Recursive
from napari_motionmag.temporal.base import TemporalOperator
from napari_motionmag.temporal.static_dynamic import Static

TOLERANCE = 1e-4  # of all weights that a recursive filter may miss when it starts in mid-movie
FEW = 16  # up to this many weights, a recursive filter is a sum of frames and keeps no state
KEPT = 4  # results; threads that draw neighbors do not request them in order


def is_recursive(operator: TemporalOperator) -> bool:
    """Whether an operator runs forward in time and carries a state."""
    return isinstance(operator, Recursive) and not operator.zero_phase


def truncated_row(operator: TemporalOperator, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frames and weights of output t as `TemporalOperator.row`, but cut at 1e-4.

    Only recursive filters are cut; their weights still sum to zero. n is the number of frames.
    """
    memory = _sos.memory(operator, TOLERANCE) if is_recursive(operator) else None
    if memory is None or t < memory:
        return operator.row(t, n)
    newest_last, rest = _sos.impulse(operator, n)
    first = t - memory + 1
    weights = newest_last[len(newest_last) - memory :].copy()
    weights[0] = rest[memory - 1]  # the oldest frame stands for all before it
    return np.arange(first, t + 1, dtype=np.int64), weights


@lru_cache(maxsize=64)
def reach(operator: TemporalOperator, n: int) -> int:
    """Return how far from an output of n frames those of its row lie, but for a reference."""
    if isinstance(operator, Static):
        return 0
    return max(int(np.abs(operator.row(t, n)[0] - t).max()) for t in (0, n // 2, n - 1))


def weights_by_frame(rows: Mapping[int, tuple]) -> dict[int, list[tuple[int, float]]]:
    """Return which outputs need each frame, in order, and its weight in them; own frames left out.

    `rows` are frames and weights by output, as `TemporalOperator.row` gives them.
    """
    users: dict[int, list[tuple[int, float]]] = {}
    for t, (indices, weights) in rows.items():
        for index, weight in zip(indices.tolist(), weights.tolist(), strict=True):
            if index != t and weight != 0:
                users.setdefault(index, []).append((t, weight))
    return dict(sorted(users.items()))


class Recursion:
    """State of second-order sections on their way through a movie (direct form II, transposed)."""

    def __init__(self, sos: np.ndarray):
        self._sections = [[float(c) for c in (*s[:3], *s[4:])] for s in sos]
        self._delays: list[list] = []
        self._origin = None
        self.t = -1

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        if self._origin is None:
            return 0
        return _nbytes(self._origin) * (1 + 2 * len(self._delays))

    def start(self, t: int, state) -> None:
        """Begin at frame t, with a frame that is taken off all, and delays."""
        self.t, (self._origin, self._delays) = t - 1, state

    def step(self, frame):
        """Filter the next frame; return float64."""
        self.t += 1
        x = _double(frame) - self._origin
        for (b0, b1, b2, a1, a2), delays in zip(self._sections, self._delays, strict=True):
            y = b0 * x + delays[0]
            delays[0] = b1 * x - a1 * y + delays[1]
            delays[1] = b2 * x - a2 * y
            x = y
        return x


class StreamingOperator:
    """Applies a temporal operator, which is bound, and keeps what the next call can reuse."""

    def __init__(self, operator: TemporalOperator, n_frames: int):
        self.operator, self.n_frames = operator, n_frames
        self.lock = threading.RLock()
        self._reference = None
        self._recursion: Recursion | None = None
        self._early: dict[int, object] = {}  # frames that were read for the state to start from
        self._latest = -2
        self._recent: OrderedDict[int, object] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        held = [self._reference, *self._recent.values(), *self._early.values()]
        state = 0 if self._recursion is None else self._recursion.nbytes
        return state + sum(_nbytes(array) for array in held if array is not None)

    def __call__(self, times: Sequence[int], get: Callable[[int], object], ahead: int = 1) -> list:
        """Filter the signal at some times; do not write to the results, float32.

        ``get(index)`` gives the signal of a frame, a float32 array. When requests are sequential,
        `ahead` outputs are computed together, and kept: each frame is read once for many outputs.
        """
        times = [int(t) for t in times]
        if isinstance(self.operator, Static):
            return [self._from_reference(t, get) for t in times]
        with self.lock:
            results = {t: self._recent[t] for t in times if t in self._recent}
            missing = [t for t in dict.fromkeys(times) if t not in results]
            if missing and is_recursive(self.operator) and self._is_sequential(missing):
                results |= self._continued(missing, get)
                missing = []
            elif missing and ahead > len(missing) and min(missing) == self._latest + 1:
                missing = list(range(missing[0], min(missing[0] + ahead, self.n_frames)))
            self._latest = max(times)
        if missing:
            results |= self._weighted_sums(missing, get)
        self._keep(results, max(KEPT, ahead))
        return [results[t] for t in times]

    def _keep(self, results: dict, count: int) -> None:
        with self.lock:
            for t, result in results.items():
                self._recent[t] = result
                self._recent.move_to_end(t)
            while len(self._recent) > count:
                self._recent.popitem(last=False)

    # ---- static ----

    def _from_reference(self, t: int, get):
        with self.lock:
            if self._reference is None:
                frames = self.operator.frames(self.n_frames).tolist()
                first = get(frames[0])
                rest = _double(first) * 0
                for index in frames[1:]:
                    rest = rest + (_double(get(index)) - _double(first))
                self._reference = first + _single(rest / len(frames), first)
        return get(t) - self._reference

    # ---- frames and weights ----

    def _weighted_sums(self, times: list[int], get) -> dict:
        """Sum weighted frames for some outputs; each frame is read once."""
        rows = {t: truncated_row(self.operator, t, self.n_frames) for t in times}
        own = {t: get(t) for t in times}
        # relative to the output frame, as weights sum to zero: what stands still gives nothing
        sums = {t: own[t] * 0 for t in times}
        for index, users in weights_by_frame(rows).items():
            frame = own[index] if index in own else get(index)
            for t, weight in users:
                sums[t] = sums[t] + float(np.float32(weight)) * (frame - own[t])
        return sums

    # ---- recursive ----

    def _is_sequential(self, times: list[int]) -> bool:
        """Whether requests are sequential, so that a state saves work."""
        if self._recursion is not None and self._steps_behind(max(times)) is not None:
            return True
        memory = _sos.memory(self.operator, TOLERANCE)
        onward = len(times) > 1 or 0 <= min(times) - self._latest <= KEPT or min(times) < FEW
        return onward and (memory is None or memory > FEW)

    def _steps_behind(self, t: int) -> int | None:
        """Return how many frames the state is behind; None where a new start is nearer."""
        behind = t - self._recursion.t
        memory = _sos.memory(self.operator, TOLERANCE)
        return behind if behind > 0 and (memory is None or behind <= memory) else None

    def _start(self, t: int, get) -> None:
        """Begin at frame t: the first of the movie, or as if that had stood still before."""
        count = 1 if t else _sos.start_weights(self.operator, self.n_frames).shape[1]
        self._early = {k: get(k) for k in range(t, t + count)}
        frames = [_double(frame) for frame in self._early.values()]
        if t:
            still = frames[0] * 0
            state = frames[0], [[still, still] for _ in self.operator.sos]
        else:
            state = _sos.start_state(self.operator, frames, self.n_frames)
        self._recursion = Recursion(self.operator.sos)
        self._recursion.start(t, state)

    def _continued(self, times: list[int], get) -> dict:
        out, late = {}, []
        for t in sorted(times):
            if self._recursion is not None and t <= self._recursion.t:
                late.append(t)
                continue
            if self._recursion is None or self._steps_behind(t) is None:
                self._start(int(truncated_row(self.operator, t, self.n_frames)[0][0]), get)
            while self._recursion.t < t:
                at = self._recursion.t + 1
                frame = self._early.pop(at) if at in self._early else get(at)
                y = _single(self._recursion.step(frame), frame)
                if t - self._recursion.t < KEPT:
                    out[self._recursion.t] = y
        return out | (self._weighted_sums(late, get) if late else {})


def _double(array):
    """Return an array in float64; from Apple's GPUs, which have no float64, on the CPU."""
    if isinstance(array, np.ndarray):
        return array.astype(np.float64)
    return (array.cpu() if array.device.type == "mps" else array).double()


def _single(array, like):
    """Return an array in float32, where `like` is."""
    if isinstance(array, np.ndarray):
        return array.astype(np.float32)
    return array.float().to(like.device)


def _nbytes(array) -> int:
    return array.nbytes if isinstance(array, np.ndarray) else array.numel() * array.element_size()
