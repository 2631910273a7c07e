"""Borders of frames and tiles of them, in step with the network's stride."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Reflected pixels around the frame: borders look like the inside to the network. Errors at borders
# are the same with 16 or 64 of them.
PAD = 8
SMALLEST_TILE = 32  # px


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
    def place(self) -> tuple[int, int, int, int]:
        """Where the tile is; tells what was computed of tiles apart."""
        return self.y.start, self.y.stop, self.x.start, self.x.stop

    @property
    def pixels(self) -> int:
        """Number of pixels that the network sees."""
        return (self.y.stop - self.y.start) * (self.x.stop - self.x.start)

    def quarters(self, height: int, width: int, halo: int, stride: int) -> list["Tile"]:
        """Smaller tiles that keep together what this one keeps; itself if it cannot be cut."""

        def halves(kept: slice) -> list[slice]:
            size = kept.stop - kept.start
            middle = -(-(size // 2) // stride) * stride
            if size < 2 * SMALLEST_TILE or not 0 < middle < size:
                return [kept]
            return [slice(kept.start, kept.start + middle), slice(kept.start + middle, kept.stop)]

        return [
            _tile(y, x, height, width, halo) for y in halves(self.out_y) for x in halves(self.out_x)
        ]


def _tile(out_y: slice, out_x: slice, height: int, width: int, halo: int) -> Tile:
    def seen(kept, size):
        first, last = max(0, kept.start - halo), min(size, kept.stop + halo)
        return slice(first, last), slice(kept.start - first, kept.stop - first)

    (y, keep_y), (x, keep_x) = seen(out_y, height), seen(out_x, width)
    return Tile(y, x, keep_y, keep_x, out_y, out_x)


def tiles(height: int, width: int, tile: int, halo: int) -> Iterator[Tile]:
    """Cut a padded frame into tiles with a halo; the halo ends at the frame's border."""
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            kept = slice(y, min(y + tile, height)), slice(x, min(x + tile, width))
            yield _tile(*kept, height, width, halo)


@dataclass(frozen=True)
class Padding:
    """Reflected border of a frame, to a multiple of the stride."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, height: int, width: int, stride: int) -> "Padding":
        """The border of a frame: at least `PAD` px, before it a multiple of the stride."""
        before = round_up(PAD, stride)

        def after(size):
            return PAD + (-(size + before + PAD)) % stride

        return cls(before, before, after(height), after(width))

    def add(self, frame: np.ndarray) -> np.ndarray:
        """A frame (Y, X) or (Y, X, C) with its border."""
        border = [(self.top, self.bottom), (self.left, self.right)] + [(0, 0)] * (frame.ndim - 2)
        return np.pad(frame, border, mode="reflect")

    def remove(self, frame: np.ndarray) -> np.ndarray:
        """The frame within its border."""
        height, width = frame.shape[:2]
        return frame[self.top : height - self.bottom, self.left : width - self.right]


def round_up(size: int, stride: int) -> int:
    """The next multiple of the stride."""
    return -(-size // stride) * stride


def checked_tile(tile) -> int | None:
    """The side of a tile in px; None, chosen by the memory that is free, stays None."""
    if tile is None:
        return None
    if isinstance(tile, bool) or not isinstance(tile, (int, np.integer)) or tile < SMALLEST_TILE:
        raise ValueError(f"tile must be an integer of at least {SMALLEST_TILE} px, got {tile!r}")
    return int(tile)
