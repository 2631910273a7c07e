"""Masks as plain values, to be kept with a result and used again, and from files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["is_kept", "pack", "read_mask", "unpack"]

_MOST_PIXELS = 2**28  # of a mask that is looked through at once
_MOST_TEXT = 2**16  # characters of a mask that is kept as text


def pack(mask, name: str | None = None) -> dict[str, Any] | None:
    """A mask as plain values.

    Parameters
    ----------
    mask : array or None
        bool, (Y, X) or (T, Y, X).
    name : str, optional
        Of the layer or file it came from.

    Returns
    -------
    dict or None
        ``shape``, and ``bits``: the pixels as text, which `unpack` reads. Long ones (over 64 KiB
        when compressed) and lazy ones are not kept: then there is ``name``, and ``sha256`` of the
        pixels if they were in memory, to tell whether it is the same mask that is given again.
    """
    if mask is None:
        return None
    about: dict[str, Any] = {"shape": [int(n) for n in mask.shape]}
    if name is not None:
        about["name"] = str(name)
    if isinstance(mask, np.ndarray) and mask.size <= _MOST_PIXELS:
        raw = np.packbits(mask != 0).tobytes()
        text = base64.b64encode(zlib.compress(raw, 6)).decode("ascii")
        if len(text) <= _MOST_TEXT:
            return {**about, "bits": text}
        about["sha256"] = hashlib.sha256(raw).hexdigest()
    return about


def is_kept(about: Mapping[str, Any]) -> bool:
    """Whether the pixels of a mask are in what `pack` returned."""
    return "bits" in about


def unpack(
    about: Mapping[str, Any], allowed: Sequence[tuple[int, ...]] | None = None
) -> np.ndarray:
    """Return the mask that `pack` made a dict of.

    Parameters
    ----------
    about : mapping
        What `pack` returned.
    allowed : sequence of tuple of int, optional
        Shapes that fit the movie; others are refused before anything is decompressed.

    Returns
    -------
    numpy.ndarray
        bool, (Y, X) or (T, Y, X).

    Raises
    ------
    ValueError
        If the pixels are not in it, it does not fit the movie, or it is damaged.
    """
    shape = _checked_shape(about.get("shape"), allowed)
    if not is_kept(about):
        whose = f" {about['name']!r}" if about.get("name") else ""
        raise ValueError(
            f"mask{whose} of shape {shape} was too large to be kept in the recipe: give the array, "
            "layer or file itself"
        )
    try:
        packed = base64.b64decode(about["bits"], validate=True)
        count = math.prod(shape)
        most = -(-count // 8)
        raw = zlib.decompressobj().decompress(packed, most + 1)  # a little text may hold gigabytes
        if len(raw) != most:
            count = "more" if len(raw) > most else len(raw)
            raise ValueError(f"{count} instead of {most} bytes for shape {shape}")
    except (zlib.error, binascii.Error, ValueError, TypeError) as error:
        raise ValueError(f"mask: its bits in the recipe are damaged ({error})") from error
    return np.unpackbits(np.frombuffer(raw, np.uint8), count=count).reshape(shape).view(bool)


def _checked_shape(shape, allowed: Sequence[tuple[int, ...]] | None) -> tuple[int, ...]:
    """Return the shape in a recipe, or say what is wrong with it."""
    if not (
        isinstance(shape, (list, tuple))
        and len(shape) in (2, 3)
        and all(type(size) is int and size > 0 for size in shape)
        and math.prod(shape) <= _MOST_PIXELS
    ):
        raise ValueError(
            "mask: its shape in the recipe must be (Y, X) or (T, Y, X) of at most "
            f"{_MOST_PIXELS} pixels, got {shape!r}"
        )
    if allowed is not None and tuple(shape) not in allowed:
        raise ValueError(
            f"mask must have the shape {' or '.join(map(str, allowed))} of the movie, got "
            f"{tuple(shape)}"
        )
    return tuple(shape)


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from a file.

    Parameters
    ----------
    path : path
        ``.npy``, ``.tif`` or ``.tiff``, (Y, X) or (T, Y, X); pixels other than 0 are marked.

    Returns
    -------
    numpy.ndarray
        bool.

    Raises
    ------
    ValueError
        If it is no such file, or not of that shape.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".npy", ".tif", ".tiff"):
        raise ValueError(f"mask must be a .npy, .tif or .tiff file, got {str(path)!r}")
    try:
        found = _read(path)
    except (ValueError, EOFError) as error:  # a TiffFileError is a ValueError
        raise ValueError(f"mask: {path} cannot be read: {error}") from error
    if found.ndim not in (2, 3) or found.dtype.kind not in "buif":
        raise ValueError(
            f"mask: {path} must be (Y, X) or (T, Y, X), got shape {found.shape} of {found.dtype}"
        )
    return found != 0


def _read(path: Path) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        return np.load(path, allow_pickle=False)
    from tifffile import imread

    return imread(path)
