"""Runs a network: device, precision, padding and tiles, in one place.

Frames go in and come out as NumPy arrays. Everything that touches the device between upload and
download happens under that device's lock, so that dask's threads take turns.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.device import choose_device, device_lock
from napari_motionmag.learned import weights
from napari_motionmag.learned.difference import DifferenceNet

PAD = 16  # reflected pixels around the frame: borders look like the inside to the network
_PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_precision(precision: str | None, device: torch.device) -> torch.dtype:
    """The number type of the convolutions: float16 on CUDA, float32 elsewhere, unless named."""
    if precision is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in _PRECISIONS:
        raise ValueError(f"precision must be one of {sorted(_PRECISIONS)}, got {precision!r}")
    if precision == "float16" and device.type == "cpu":
        raise ValueError("precision 'float16' needs a GPU; use 'float32' or 'bfloat16' on the CPU")
    return _PRECISIONS[precision]


@dataclass(frozen=True)
class Tile:
    """A part of the padded frame: what the network sees and what is kept of its output."""

    y: slice
    x: slice
    keep_y: slice
    keep_x: slice
    out_y: slice
    out_x: slice

    @property
    def corner(self) -> tuple[int, int]:
        """Where the tile begins; tells tiles of one cut apart."""
        return self.out_y.start, self.out_x.start


def tiles(height: int, width: int, tile: int, halo: int) -> Iterator[Tile]:
    """Cut a padded frame into tiles with a halo; the halo ends at the frame's border.

    Parameters
    ----------
    height, width : int
        Padded frame in px, multiples of the network's stride.
    tile, halo : int
        Side of the kept part and context around it in px, multiples of the stride.
    """

    def spans(size):
        for start in range(0, size, tile):
            stop = min(start + tile, size)
            first, last = max(0, start - halo), min(size, stop + halo)
            yield slice(first, last), slice(start - first, stop - first), slice(start, stop)

    for y, keep_y, out_y in spans(height):
        for x, keep_x, out_x in spans(width):
            yield Tile(y, x, keep_y, keep_x, out_y, out_x)


@dataclass(frozen=True)
class Padding:
    """Reflected border of a frame, to a multiple of the stride."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, height: int, width: int, stride: int) -> "Padding":
        def both(size):
            before = min(PAD, size - 1) // stride * stride
            after = before + (-(size + 2 * before)) % stride
            return before, after

        (top, bottom), (left, right) = both(height), both(width)
        return cls(top, left, bottom, right)

    def add(self, frame: np.ndarray) -> np.ndarray:
        border = [(self.top, self.bottom), (self.left, self.right)] + [(0, 0)] * (frame.ndim - 2)
        return np.pad(frame, border, mode="reflect")

    def remove(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        return frame[self.top : height - self.bottom, self.left : width - self.right]


class Engine:
    """A network on a device.

    Parameters
    ----------
    model : str or Path
        Name of shipped weights or path of a ``.safetensors`` file.
    device, precision : str, optional
        See :func:`choose_device` and :func:`choose_precision`.
    tile : int, optional
        Side of a tile in px; None takes 1024 and so whole frames up to that size.
    """

    def __init__(self, model="default", device=None, precision=None, tile=None):
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        network, self.card = weights.load(model)
        self._colour = self._prepare(network)
        self._grey = self._prepare(network.to_grey())
        self.kind = self.card["model"]
        self.stride, self.halo = network.stride, network.halo
        self.tile = checked_tile(tile)
        self.lock = device_lock(self.device)
        path = weights.resolve(model)
        self.identity = (weights.sha256(path), str(self.device), self.dtype, self.tile)

    def _prepare(self, network):
        network = network.to(self.device, memory_format=torch.channels_last).eval()
        return network.requires_grad_(False)

    def network(self, channels: int):
        """The network for frames of 1 or 3 channels."""
        return self._grey if channels == 1 else self._colour

    @contextmanager
    def working(self):
        """The device for this thread alone, without gradients, in the chosen precision."""
        low = self.dtype != torch.float32
        with (
            self.lock,
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype if low else None, enabled=low),
        ):
            yield

    def padding(self, frame: np.ndarray) -> Padding:
        """The border that a frame is given before it is cut into tiles."""
        return Padding.of(*frame.shape[:2], self.stride)

    def upload(self, frame: np.ndarray) -> Tensor:
        """(Y, X) or (Y, X, C) to a tensor (1, C, Y, X) on the device."""
        planes = frame[None] if frame.ndim == 2 else frame.transpose(2, 0, 1)
        tensor = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]
        return tensor.to(self.device).contiguous(memory_format=torch.channels_last)

    @staticmethod
    def download(tensor: Tensor) -> np.ndarray:
        """(1, C, Y, X) to (Y, X) or (Y, X, C), float32."""
        planes = tensor[0].float().cpu().numpy()
        return planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0)

    def tiles(self, height: int, width: int) -> Iterator[Tile]:
        """Tiles of a padded frame."""
        return tiles(height, width, self.tile, self.halo)

    def difference(self, frame: np.ndarray, variation: np.ndarray) -> np.ndarray:
        """Run the ``difference`` network.

        Parameters
        ----------
        frame : ndarray
            float32 (Y, X) or (Y, X, 3), black 0, white 1.
        variation : ndarray
            float32 (Y, X): (m - 1) T(luma).

        Returns
        -------
        ndarray
            float32, shape of `frame`.
        """
        if not isinstance(self._colour, DifferenceNet):
            raise TypeError(f"the weights are of {self.kind!r}, not of 'difference'")
        padding = self.padding(frame)
        padded, change = padding.add(frame), padding.add(variation)
        out = np.empty_like(padded)
        network = self.network(1 if frame.ndim == 2 else 3)
        for tile in self.tiles(*padded.shape[:2]):
            with self.working():
                drawn = network(
                    self.upload(padded[tile.y, tile.x]), self.upload(change[tile.y, tile.x])
                )
                part = self.download(drawn)
            out[tile.out_y, tile.out_x] = part[tile.keep_y, tile.keep_x]
        return padding.remove(out)


def checked_tile(tile) -> int:
    """The side of a tile: 1024 px when None, else rounded up to a multiple of 4."""
    if tile is None:
        return 1024
    if isinstance(tile, bool) or not isinstance(tile, (int, np.integer)) or tile < 32:
        raise ValueError(f"tile must be an integer of at least 32 px, got {tile!r}")
    return -(-int(tile) // 4) * 4


@lru_cache(maxsize=4)
def _engine(path: Path, sha256: str, device: str, precision: str | None, tile) -> Engine:
    return Engine(path, device, precision, tile)


_ENGINE_GUARD = threading.Lock()


def engine(model="default", device=None, precision=None, tile=None) -> Engine:
    """An engine, shared by all who ask for the same weights, device, precision and tile."""
    path = weights.resolve(model)
    with _ENGINE_GUARD:  # two threads at once must not load the weights twice
        return _engine(path, weights.sha256(path), str(choose_device(device)), precision, tile)
