"""What the methods that magnify a local phase share: options, memory, order of work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from napari_motionmag.compute.device import choose_device, choose_dtype, device_lock
from napari_motionmag.methods.base import Method, warn_once
from napari_motionmag.methods.classical.phase_increments import Accumulator, Plan, split
from napari_motionmag.methods.classical.phase_limits import PhaseLimit
from napari_motionmag.methods.classical.planes import PlaneReader
from napari_motionmag.methods.classical.pyramids.padding import reflected
from napari_motionmag.methods.option_field import check_options

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator


#: Of the frames of a subband that are worked on together. It only saves overhead, of which a GPU
#: has more: beyond that it wastes memory.
_BLOCK_BYTES = {"cpu": 2**26, "gpu": 2**29}


class Decomposition(ABC):
    """Takes images of one size apart into subbands, and puts a change of these together."""

    bands: Sequence[Hashable]  # names of the subbands
    frame_bytes: int  # kept of one plane of a frame while it is needed
    band_bytes: int  # temporaries of the largest subband, for one plane of a frame
    delta_bytes: int  # what an operator selects in all subbands, for one plane of a frame
    limit: PhaseLimit

    @abstractmethod
    def __init__(
        self,
        method: LocalPhaseMethod,
        shape: tuple[int, int],
        planes: int,
        gain: float | np.ndarray,
        device: torch.device,
    ):
        """Prepare for frames of (Y, X) = `shape`."""
        self.method, self.planes = method, planes
        if isinstance(gain, np.ndarray):
            gain = torch.from_numpy(gain).to(device, method.dtype)
        self.gain = gain

    def gain_at(self, shape: tuple[int, int], full: tuple[int, int]) -> float | torch.Tensor:
        """Return the gain at the samples of a subband, `shape`, of images of size `full`."""
        if not isinstance(self.gain, torch.Tensor):
            return self.gain
        gain = self.gain
        for axis, (count, size) in enumerate(zip(shape, full, strict=True)):
            at = torch.arange(count, device=gain.device) * size // count
            gain = gain.index_select(axis, reflected(at, gain.shape[axis]))
        return gain

    @abstractmethod
    def transform(self, planes: torch.Tensor) -> Any:
        """Return what is kept of a frame, from its planes (C, Y, X)."""

    @abstractmethod
    def coefficients(self, kept: list[Any], band: Hashable) -> torch.Tensor:
        """Return coefficients of a subband in B frames, (B, ..., y, x)."""

    @abstractmethod
    def values(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return the quantity whose increments are added up, (B, ..., y, x)."""

    @abstractmethod
    def difference(self, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        """Return increments from one stack of values to another."""

    @abstractmethod
    def start(self, count: int) -> Any:
        """Return an empty change of `count` frames."""

    @abstractmethod
    def change(
        self,
        total: Any,
        rows: slice,
        band: Hashable,
        coefficients: torch.Tensor,
        delta: torch.Tensor,
    ) -> None:
        """Add to `rows` of `total` what a subband changes when gain x `delta` is added to it."""

    @abstractmethod
    def collapse(self, total: Any) -> torch.Tensor:
        """Return the change of the planes, (T, C, Y, X)."""


class LocalPhaseMethod(Method):
    """Base of the methods that magnify the variation of a local phase.

    A class that implements one is a dataclass of its options, ``sigma``, ``chroma`` and
    ``max_bytes`` among them, and of ``device`` and ``dtype``.
    """

    smallest_frame = 8  # px; no subband is left below
    decomposition: ClassVar[type[Decomposition]]

    def __post_init__(self):
        check_options(self)
        vars(self)["device"] = choose_device(self.device, mps=False)
        vars(self)["dtype"] = choose_dtype(self.dtype)

    def _magnify(self, frames, operator, times, factor):
        """Draw frames; those of a run in blocks, for each of which frames are transformed once."""
        gain = factor - 1
        cache = getattr(frames, "cache", None)
        size = 1 if cache is None else self._block_length(frames, operator, times[0])
        if size == 1:
            drawn, warning = self._with_less_memory(frames, operator, times, gain)
            self._warn(frames, warning)
            return drawn
        marked = factor.tobytes() if isinstance(factor, np.ndarray) else factor
        key = ("drawn", frames.series, self, operator, marked, size)
        drops = cache.drops

        def find(t: int) -> tuple[np.ndarray, str | None] | None:
            if (block := cache.peek((*key, "block", t // size))) is not None:
                return block[0][t % size], block[1]
            return cache.peek((*key, "frame", t))

        def block_of(t: int) -> list[int]:
            return list(range(t - t % size, min(t - t % size + size, len(frames))))

        def in_a_run(t: int) -> bool:
            """Whether a frame beside it, or two of its block, have been drawn."""
            beside = (t - 1 in found, t + 1 in found, find(t - 1), find(t + 1))
            return any(beside) or sum(find(other) is not None for other in block_of(t)) >= 2

        found = {t: find(t) for t in times}
        missing = [t for t in times if found[t] is None]
        if len(missing) < size and any(map(in_a_run, missing)):
            for t in missing:
                draw = partial(self._with_less_memory, frames, operator, block_of(t), gain)
                drawn, warning = cache.get((*key, "block", t // size), draw)
                found[t] = drawn[t % size], warning
        elif missing:
            drawn, warning = self._draw_alone(frames, operator, missing, gain)
            for t, frame in zip(missing, drawn, strict=True):
                found[t] = frame, warning
                cache.put((*key, "frame", t), found[t], drops)
        for _, warning in found.values():
            self._warn(frames, warning)
        return np.stack([found[t][0] for t in times])

    def _draw_alone(self, frames, operator, times, gain) -> tuple[np.ndarray, str | None]:
        """Draw frames; of a single one, keep what the operator selects for the next factor."""
        if len(times) > 1:
            return self._with_less_memory(frames, operator, times, gain)
        key = ("selected", frames.series, replace(self, sigma=0.0), operator, times[0])
        deltas, drops = dict(frames.cache.peek(key) or ()), frames.cache.drops
        drawn = self._with_less_memory(frames, operator, times, gain, deltas)
        frames.cache.put(key, tuple(deltas.items()), drops)
        return drawn

    def _warn(self, frames, warning: str | None) -> None:
        if warning:
            warn_once(frames, "bound", f"{self.name}: {warning}", stacklevel=4)

    def _block_length(self, frames, operator: TemporalOperator, t: int) -> int:
        """Return how many frames of a run are drawn together; 1 where that saves nothing."""

        def work_out() -> int:
            run = _Run(self, frames, operator, [t], 0.0, self.device, self.max_bytes)
            size = run.longest_block(operator, len(frames))
            while size > 1 and not frames.fits(size, 4 * math.prod(run.reader.shape)):
                size //= 2
            return max(1, size)

        return frames.cache.get(("block length", frames.series, self, operator), work_out)

    def _with_less_memory(
        self, frames, operator, times, gain, deltas=None
    ) -> tuple[np.ndarray, str | None]:
        """Compute; when a GPU is out of memory, again in smaller chunks, at last on the CPU."""
        device, budget = self.device, self.max_bytes
        while True:
            try:
                run = _Run(self, frames, operator, times, gain, device, budget)
                run.deltas = deltas if device.type == "cpu" else None
                return run.result()
            except torch.cuda.OutOfMemoryError:
                if device.type == "cpu":
                    raise
                torch.cuda.empty_cache()
                budget //= 4
                remedy = f"going on in chunks of {budget >> 20} MiB"
                if budget < self.max_bytes >> 6:
                    device, budget = torch.device("cpu"), self.max_bytes
                    remedy = "going on with the CPU"
                text = f"{self.name}: out of memory on {self.device}, {remedy}"
                warn_once(frames, ("memory", remedy), text, stacklevel=4)


class _Run:
    """One call: which frames are held when, and in which order subbands are worked on."""

    def __init__(
        self,
        method: LocalPhaseMethod,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        gain: float,
        device: torch.device,
        budget: int,
    ):
        self.reader = PlaneReader(frames, method.chroma)
        size = self.reader.size(times[0], method)
        planes = 3 if len(self.reader.shape) == 3 and method.chroma == "magnify" else 1
        self.parts = method.decomposition(method, size, planes, gain, device)
        self.times = times
        self.outputs = set(times)
        self.lock = device_lock(device)
        self.max_frames = max(2, budget // (self.parts.frame_bytes * planes))
        self.max_times = max(1, budget // (self.parts.band_bytes * planes))
        self.max_deltas = budget // (self.parts.delta_bytes * planes)
        enough = _BLOCK_BYTES["cpu" if device.type == "cpu" else "gpu"]
        self.block = max(1, min(budget, enough) // (self.parts.band_bytes * planes))
        self.plans = split(operator, times, len(frames), self.max_frames, self.max_times)
        self.kept: dict[int, Any] = {}
        self.deltas: dict[Hashable, torch.Tensor] | None = None  # known, or to be filled

    def longest_block(self, operator: TemporalOperator, n_frames: int) -> int:
        """Return how many frames to draw together, if memory allows."""
        # a quarter of those that one needs: more would make a single request wait longer
        window = max(len(operator.needs(t, n_frames)) for t in (n_frames // 2, n_frames - 1))
        room = self.max_frames - window
        if room < 1:  # frames are processed in chunks; the sums of all subbands stay
            room = self.max_deltas
        return min(window // 4, room, self.max_times)

    def result(self) -> tuple[np.ndarray, str | None]:
        """Return output frames, (T, Y, X[, 3]) float32, and a warning to issue."""
        out = np.empty((len(self.times), *self.reader.shape), dtype=np.float32)
        done = 0
        for number, plan in enumerate(self.plans):
            coming: set[int] = set()
            for other in self.plans[number + 1 :]:
                coming.update(other.frames.tolist())
            change = self._run(plan, coming)
            for t, planes in zip(plan.times.tolist(), change, strict=True):
                out[done] = self.reader.finish(t, planes)
                done += 1
            self._keep(coming)
        with self.lock:
            return out, self.parts.limit.report()

    def _run(self, plan: Plan, coming: set[int]) -> np.ndarray:
        """Change of the planes of the output frames of a plan, (T, C, Y, X)."""
        known = dict(self.deltas or ())
        if known:
            plan = replace(plan, frames=plan.times)
        *earlier, last = plan.chunks(self.max_frames)
        states: dict[Hashable, Accumulator] = {}
        for chunk in earlier:
            self._load(chunk)
            for band in self.parts.bands:
                state = states.setdefault(band, Accumulator(plan, self.parts.difference))
                with self.lock:
                    self._accumulate(state, chunk, band)
            self._keep(coming.union(plan.times.tolist()))
        self._load(last)
        with self.lock:
            total = self.parts.start(len(plan.times))
        for band in self.parts.bands:
            state = states.pop(band, None) or Accumulator(plan, self.parts.difference)
            with self.lock:
                block = ([], None) if band in known else self._accumulate(state, last, band)
                delta = known.get(band, state.delta)
                if delta is None:
                    continue
                self._change(total, plan, band, delta, block)
                if self.deltas is not None:
                    self.deltas[band] = delta
        with self.lock:
            return self.parts.collapse(total).cpu().numpy()

    def _load(self, chunk: np.ndarray) -> None:
        for f in chunk.tolist():
            if f not in self.kept:
                # reading may compute a lazy array: not under the lock
                planes = torch.from_numpy(self.reader.planes(f, hold=f in self.outputs))
                with self.lock:
                    self.kept[f] = self.parts.transform(planes)

    def _keep(self, frames: set[int]) -> None:
        self.kept = {f: kept for f, kept in self.kept.items() if f in frames}

    def _accumulate(
        self, state: Accumulator, chunk: np.ndarray, band: Hashable
    ) -> tuple[list[int], torch.Tensor]:
        """Take in the frames of a chunk; return the last block of them and its coefficients."""
        for start in range(0, len(chunk), self.block):
            frames = chunk[start : start + self.block].tolist()
            coefficients = self.parts.coefficients([self.kept[f] for f in frames], band)
            state.add(frames, self.parts.values(coefficients))
        return frames, coefficients

    def _change(
        self,
        total: Any,
        plan: Plan,
        band: Hashable,
        delta: torch.Tensor,
        block: tuple[list[int], torch.Tensor],
    ) -> None:
        """Turn the phases of the output frames; `block` has coefficients that are known."""
        frames, coefficients = block
        place = {f: n for n, f in enumerate(frames)}
        for start in range(0, len(plan.times), self.block):
            rows = slice(start, min(start + self.block, len(plan.times)))
            times = plan.times[rows].tolist()
            if all(t in place for t in times):
                current = coefficients[[place[t] for t in times]]
            else:
                current = self.parts.coefficients([self.kept[t] for t in times], band)
            self.parts.change(total, rows, band, current, delta[rows])
