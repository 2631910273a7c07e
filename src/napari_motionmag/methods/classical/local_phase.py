"""What the methods that magnify a local phase share: options, memory, order of work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_motionmag.compute.device import choose_device, choose_dtype, device_lock
from napari_motionmag.methods.base import Method, warn_once
from napari_motionmag.methods.classical.phase_increments import Accumulator, Plan, split
from napari_motionmag.methods.classical.planes import PlaneReader
from napari_motionmag.methods.options import check_options

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator

__all__ = ["Decomposition", "LocalPhaseMethod"]


#: Of the frames of a subband that are worked on together. It only saves overhead, of which a GPU
#: has more: beyond that it wastes memory.
_BLOCK_BYTES = {"cpu": 2**26, "gpu": 2**29}


class Decomposition(ABC):
    """How a method takes images of one size apart into subbands and puts a change together.

    Attributes
    ----------
    groups : sequence of sequences of hashable
        Names of the subbands; those of a group share work.
    frame_bytes : int
        Bytes kept of one plane of a frame while it is needed.
    band_bytes : int
        Bytes of the temporaries of the largest subband, for one plane of a frame.
    """

    groups: Sequence[Sequence[Hashable]]
    frame_bytes: int
    band_bytes: int

    @abstractmethod
    def transform(self, planes: torch.Tensor) -> Any:
        """What is kept of a frame, from its planes (C, Y, X)."""

    @abstractmethod
    def coefficients(self, kept: list[Any], band: Hashable) -> torch.Tensor:
        """Coefficients of a subband in B frames, (B, ..., y, x)."""

    @abstractmethod
    def values(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The quantity whose increments are added up, (B, ..., y, x)."""

    @abstractmethod
    def difference(self, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        """Increments from one stack of values to another."""

    @abstractmethod
    def start(self, count: int) -> Any:
        """An empty change of `count` frames."""

    @abstractmethod
    def change(
        self,
        total: Any,
        rows: slice,
        band: Hashable,
        coefficients: torch.Tensor,
        delta: torch.Tensor,
        gain: float,
    ) -> None:
        """Add to `rows` of `total` what a subband changes when `gain` x `delta` is added to it."""

    @abstractmethod
    def collapse(self, total: Any) -> torch.Tensor:
        """The change of the planes, (T, C, Y, X)."""

    @abstractmethod
    def report(self) -> str | None:
        """A warning about what the measured phases do not allow, if there is one."""


class LocalPhaseMethod(Method):
    """Base of the methods that magnify the variation of a local phase.

    A class that implements one is a dataclass of its options, ``sigma``, ``chroma`` and
    ``max_bytes`` among them, and of ``device`` and ``dtype``.
    """

    smallest_frame = 8  # px; no subband is left below

    def __post_init__(self):
        check_options(self)
        vars(self)["device"] = choose_device(self.device, mps=False)
        vars(self)["dtype"] = choose_dtype(self.dtype)

    @abstractmethod
    def _decomposition(
        self, shape: tuple[int, int], planes: int, gain: float, device: torch.device
    ) -> Decomposition:
        """The decomposition for frames of (Y, X) = `shape`."""

    def _magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        factor: float,
    ) -> np.ndarray:
        out, warning = self._with_less_memory(frames, operator, times, factor - 1)
        if warning:
            warn_once(frames, "bound", f"{self.name}: {warning}", stacklevel=3)
        return out

    def _with_less_memory(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        gain: float,
    ) -> tuple[np.ndarray, str | None]:
        """Compute; when a GPU is out of memory, again in smaller chunks, at last on the CPU."""
        device, budget = self.device, self.max_bytes
        while True:
            try:
                return _Run(self, frames, operator, times, gain, device, budget).result()
            except torch.cuda.OutOfMemoryError:
                if device.type == "cpu":
                    raise
                torch.cuda.empty_cache()
                budget //= 4
                remedy = f"going on in chunks of {budget >> 20} MiB"
                if budget < self.max_bytes >> 6:
                    device, budget = torch.device("cpu"), self.max_bytes
                    remedy = "going on with the CPU"
                warn_once(
                    frames,
                    ("memory", remedy),
                    f"{self.name}: out of memory on {self.device}, {remedy}",
                    stacklevel=4,
                )


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
        shape = self.reader.read(times[0]).shape
        planes = 3 if len(shape) == 3 and method.chroma == "magnify" else 1
        self.parts = method._decomposition(shape[:2], planes, gain, device)
        self.gain = gain
        self.times = times
        self.outputs = set(times)
        self.lock = device_lock(device)
        self.max_frames = max(2, budget // (self.parts.frame_bytes * planes))
        max_times = max(1, budget // (self.parts.band_bytes * planes))
        enough = _BLOCK_BYTES["cpu" if device.type == "cpu" else "gpu"]
        self.block = max(1, min(budget, enough) // (self.parts.band_bytes * planes))
        self.plans = split(operator, times, len(frames), self.max_frames, max_times)
        self.kept: dict[int, Any] = {}

    def result(self) -> tuple[np.ndarray, str | None]:
        """Output frames, (T, Y, X[, 3]) float32, and a warning to give."""
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
            self.kept = {f: k for f, k in self.kept.items() if f in coming}
        with self.lock:
            return out, self.parts.report()

    def _load(self, chunk: np.ndarray) -> None:
        for f in chunk.tolist():
            if f not in self.kept:
                # reading may compute a lazy array: not under the lock
                planes = torch.from_numpy(self.reader.planes(f, hold=f in self.outputs))
                with self.lock:
                    self.kept[f] = self.parts.transform(planes)

    def _run(self, plan: Plan, coming: set[int]) -> np.ndarray:
        """Change of the planes of the output frames of a plan, (T, C, Y, X)."""
        *earlier, last = plan.chunks(self.max_frames)
        later_use = coming.union(plan.times.tolist())
        states: dict[Hashable, Accumulator] = {}
        for chunk in earlier:
            self._load(chunk)
            with self.lock:
                for group in self.parts.groups:
                    for band in group:
                        if band not in states:
                            states[band] = Accumulator(plan, self.parts.difference)
                        self._accumulate(states[band], chunk, band)
            self.kept = {f: k for f, k in self.kept.items() if f in later_use}
        self._load(last)
        with self.lock:
            total = self.parts.start(len(plan.times))
            for group in self.parts.groups:
                for band in group:
                    state = states.pop(band, None) or Accumulator(plan, self.parts.difference)
                    block = self._accumulate(state, last, band)
                    if state.delta is not None:
                        self._change(total, plan, band, state.delta, block)
            return self.parts.collapse(total).cpu().numpy()

    def _accumulate(
        self, state: Accumulator, chunk: np.ndarray, band: Hashable
    ) -> tuple[list[int], torch.Tensor]:
        """Take the frames of a chunk in; returns the last block of them and its coefficients."""
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
        frames, coefficients = block
        place = {f: n for n, f in enumerate(frames)}
        for start in range(0, len(plan.times), self.block):
            rows = slice(start, min(start + self.block, len(plan.times)))
            times = plan.times[rows].tolist()
            if all(t in place for t in times):
                current = coefficients[[place[t] for t in times]]
            else:
                current = self.parts.coefficients([self.kept[t] for t in times], band)
            self.parts.change(total, rows, band, current, delta[rows], self.gain)
