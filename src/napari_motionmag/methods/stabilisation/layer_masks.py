"""Masks from arrays, files and napari layers, in the pixels of a movie; napari is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_motionmag.methods.stabilisation.mask_files import read_mask, unpack
from napari_motionmag.methods.stabilisation.masks import checked_mask
from napari_motionmag.movie.layer_traits import is_layer


def mask_of(given, axes: str, shape: tuple[int, ...], source=None):
    """Return a mask, (Y, X) or (T, Y, X), perhaps lazy, and the frame it is drawn in or None.

    `given` is an array of bool or of labels, a file, a dict from `pack`, or a Labels or Shapes
    layer; `source` is the movie's layer. TypeError or ValueError if `given` is of another type,
    does not fit the movie, marks nothing, or marks pixels in several frames but not in all.
    """
    plane = tuple(shape[axes.index(letter)] for letter in "YX")
    allowed = (plane, (shape[axes.index("T")], *plane))
    if isinstance(given, Mapping):
        given = unpack(given, allowed)
    elif isinstance(given, (str, Path)):
        given = read_mask(given)
    layer = is_layer(given)
    mask = mask_from_layer(given, axes, shape, source) if layer else checked_mask(given)
    if tuple(mask.shape) not in allowed:
        raise ValueError(
            f"mask must have the shape {allowed[0]} or {allowed[1]} of the movie, "
            f"got {tuple(mask.shape)}"
        )
    # a copy: what is done to the array later is not seen by frames that are drawn then
    return _in_one_frame(mask != 0 if isinstance(mask, np.ndarray) else mask)


def _in_one_frame(mask):
    """Return a mask that marks one frame only as (Y, X), with the number of the frame."""
    marks = getattr(mask, "marks", None)
    if marks is None:
        if not isinstance(mask, np.ndarray):  # looked at when frames are needed
            return mask, None
        marks = mask.reshape(*mask.shape[:-2], -1).any(-1)
    if not marks.any():
        raise ValueError("mask marks no pixel of the movie")
    if marks.ndim == 0 or marks.all():
        return mask, None
    where = np.flatnonzero(marks)
    if len(where) == 1:
        return np.asarray(mask[where[0]]) != 0, int(where[0])
    raise ValueError(
        f"mask must mark pixels in one frame or in every frame, got {len(where)} of "
        f"{len(marks)} frames; frame {int(np.flatnonzero(~marks)[0])} has none"
    )


def mask_from_layer(layer, axes: str, shape: tuple[int, ...], source=None):
    """Return what a Labels or Shapes layer marks as bool (Y, X) or (T, Y, X), perhaps lazy.

    Labels other than 0, or the inside of the shapes, are marked: the union along axes other than T,
    Y and X. A layer with fewer axes than the movie has its last ones. With `source`, the movie's
    layer, the transforms of both layers are respected; without, data coordinates are pixels.
    """
    sizes = {letter: n for letter, n in zip(axes, shape, strict=True) if letter != "S"}
    if hasattr(layer, "to_masks"):
        return _drawn(layer, sizes, source)
    data = getattr(layer, "data", None)
    if isinstance(data, (list, tuple)) or not hasattr(data, "dtype"):
        data = data[0] if getattr(layer, "multiscale", False) else None
    if data is None or np.dtype(data.dtype).kind not in "iub":
        raise TypeError(f"mask must come from a Labels or Shapes layer, got {type(layer).__name__}")
    letters = _letters(data.ndim, sizes)
    others = tuple(n for n, letter in enumerate(letters) if letter not in "TYX")
    marked = data != 0
    marked = marked.any(axis=others) if others else marked
    kept = "".join(letter for letter in letters if letter in "TYX")
    wanted = tuple(sizes[letter] for letter in kept)
    placed = _Placed(layer, letters, sizes, source)
    if source is None and marked.shape != wanted:
        raise ValueError(
            f"mask: the Labels layer must have the shape {wanted} of the movie, got {marked.shape}"
        )
    if marked.shape == wanted and placed.is_identity(kept):
        order = tuple(kept.index(letter) for letter in "TYX" if letter in kept)
        return marked.transpose(order) if order != tuple(range(len(order))) else marked
    found = _Looked(marked, kept, placed, sizes)
    if "T" not in kept:
        return found[0]
    return found


def _letters(ndim: int, sizes: dict[str, int]) -> str:
    """Return the letters of the axes of a layer: the last ones of the movie."""
    letters = "".join(sizes)
    return "?" * (ndim - len(letters)) + letters[max(len(letters) - ndim, 0) :]


class _Placed:
    """The affine map from the pixels of a movie to the data coordinates of a layer."""

    def __init__(self, layer, letters: str, sizes: dict[str, int], source):
        count = len(sizes)

        def to_layer(position):
            if source is not None:
                position = layer.world_to_data(source.data_to_world(position))
            padded = [0.0] * max(len(letters) - count, 0) + list(position)
            return np.asarray(padded[len(padded) - len(letters) :], float)

        zero = to_layer([0.0] * count)
        steps = np.stack([to_layer(row) - zero for row in np.eye(count).tolist()], 1)
        self.letters, self.axes = letters, "".join(sizes)
        # rounding of the transforms must not carry a pixel over the border between two
        self.offset, self.matrix = np.round(zero, 9), np.round(steps, 9)

    def is_identity(self, letters: str) -> bool:
        """Whether indices along some axes are the same in both."""
        for letter in letters:
            row = self.letters.index(letter)
            unit = [float(other == letter) for other in self.axes]
            if self.offset[row] != 0 or self.matrix[row].tolist() != unit:
                return False
        return True

    def at(self, letter: str, **position) -> np.ndarray:
        """Return the coordinate along an axis of the layer of positions in the movie, or 0."""
        row = self.letters.index(letter)
        total = self.offset[row]
        for along, values in position.items():
            total = total + self.matrix[row, self.axes.index(along)] * values
        return total

    def back(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return positions in the movie, by axis, of points (n, axes) of the layer."""
        found = np.round((points - self.offset) @ np.linalg.pinv(self.matrix).T, 6)
        return dict(zip(self.axes, found.T, strict=True))


def _near(values) -> np.ndarray:
    return np.floor(np.asarray(values) + 0.5).astype(np.int64)


class _Looked:
    """Labels at the pixels of a movie: like an array, each frame made when indexed."""

    dtype = np.dtype(bool)

    def __init__(self, marked, letters: str, placed: _Placed, sizes: dict[str, int]):
        self._marked, self._letters, self._placed = marked, letters, placed
        times = (sizes["T"],) if "T" in letters else ()
        self.shape = (*times, sizes["Y"], sizes["X"])
        if times and isinstance(marked, np.ndarray):
            there = marked.any(tuple(n for n, letter in enumerate(letters) if letter != "T"))
            frames = _near(placed.at("T", T=np.arange(sizes["T"])))
            inside = (frames >= 0) & (frames < len(there))
            # which frames have a label; of lazy labels that is unknown
            self.marks = there[np.clip(frames, 0, len(there) - 1)] & inside

    def __getitem__(self, t: int) -> np.ndarray:
        y, x = np.indices(self.shape[-2:], dtype=float)
        given = {"T": float(t), "Y": y, "X": x}
        index, inside = [], np.ones(y.shape, bool)
        for size, letter in zip(self._marked.shape, self._letters, strict=True):
            if letter == "T":
                near = _near(self._placed.at(letter, T=float(t)))
            else:
                near = _near(self._placed.at(letter, **given)) + np.zeros(y.shape, np.int64)
            inside &= (near >= 0) & (near < size)
            index.append(np.clip(near, 0, size - 1))
        marked = self._marked
        if "T" in self._letters:
            axis = self._letters.index("T")
            frame = int(index.pop(axis))
            marked = marked[(slice(None),) * axis + (frame,)]
        return np.asarray(marked)[tuple(index)] & inside


def _drawn(layer, sizes: dict[str, int], source):
    """Return the inside of shapes, whose corners are moved to pixels of the movie first."""
    plane = (sizes["Y"], sizes["X"])
    if len(layer.data) == 0:
        raise ValueError("mask: the Shapes layer holds no shape")
    letters = _letters(layer.ndim, sizes)
    placed = _Placed(layer, letters, sizes, source)
    frames: dict[int, list[np.ndarray]] = {}
    corners = []
    for n, points in enumerate(layer.data):
        there = placed.back(np.asarray(points, float))
        corners.append(np.stack([there["Y"], there["X"]], 1))
        frame = int(_near(there["T"].mean())) if "T" in letters else 0
        frames.setdefault(frame, []).append(n)
    flat = type(layer)(corners, shape_type=list(layer.shape_type))
    masks = np.asarray(flat.to_masks(mask_shape=plane), dtype=bool)
    if not masks.any():
        raise ValueError("mask: the Shapes layer marks no pixel of the movie")
    if "T" not in letters:
        return masks.any(0)
    out = np.zeros((sizes["T"], *plane), bool)
    for frame, members in frames.items():
        if 0 <= frame < sizes["T"]:
            out[frame] = masks[members].any(0)
    return out
