"""Masks as plain values, kept with a result, and masks from files."""

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

from napari_motionmag.compute.validate import existing_file, npy_error_text

_MOST_PIXELS = 2**28  # of a mask that is looked through at once
_MOST_TEXT = 2**16  # characters of a mask that is kept as text


def pack(mask, name: str | None = None) -> dict[str, Any] | None:
    """Return a mask as plain values: ``shape``, and ``bits``, the pixels as text for `unpack`.

    Instead of long ones (over 64 KiB when compressed) and lazy ones there is ``name``, that of the
    layer or file, and ``sha256`` of pixels in memory, which tells the same mask when it is given
    again.
    """
    if mask is None:
        return None
    about: dict[str, Any] = {"shape": [int(n) for n in mask.shape]}
    if name is not None:
        about["name"] = str(name)
    if isinstance(mask, np.ndarray) and mask.size <= _MOST_PIXELS:
        raw = np.packbits(mask != 0).tobytes()
        text = compressed(raw)
        if len(text) <= _MOST_TEXT:
            return {**about, "bits": text}
        about["sha256"] = hashlib.sha256(raw).hexdigest()
    return about


def is_kept(about: Mapping[str, Any]) -> bool:
    """Whether the pixels of a mask are in the result of `pack`."""
    return "bits" in about


def unpack(
    about: Mapping[str, Any], allowed: Sequence[tuple[int, ...]] | None = None
) -> np.ndarray:
    """Return the mask, bool, in the result of `pack`.

    ValueError if its pixels are missing or damaged, or its shape is not one of `allowed`: then
    nothing is decompressed.
    """
    shape = _checked_shape(about.get("shape"), allowed)
    if not is_kept(about):
        whose = f" {about['name']!r}" if about.get("name") else ""
        raise ValueError(
            f"mask{whose} of shape {shape} was too large to be kept in the recipe: give the array, "
            "layer or file itself"
        )
    count = math.prod(shape)
    try:
        raw = decompressed(about["bits"], -(-count // 8))
    except ValueError as error:
        raise ValueError(f"mask: its bits in the recipe are damaged ({error})") from error
    return np.unpackbits(np.frombuffer(raw, np.uint8), count=count).reshape(shape).view(bool)


def _checked_shape(shape, allowed: Sequence[tuple[int, ...]] | None) -> tuple[int, ...]:
    """Return the shape in a recipe if it is allowed."""
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


def compressed(raw: bytes) -> str:
    """Return bytes as text for `decompressed`."""
    return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


def decompressed(text: str, size: int) -> bytes:
    """Return the bytes in a text; ValueError if it is damaged, or they are not `size`."""
    try:
        packed = base64.b64decode(text, validate=True)
        raw = zlib.decompressobj().decompress(packed, size + 1)  # a little text may hold gigabytes
    except (zlib.error, binascii.Error, TypeError) as error:
        raise ValueError(str(error)) from error
    if len(raw) != size:
        raise ValueError(f"{'more' if len(raw) > size else len(raw)} instead of {size} bytes")
    return raw


def read_pixels(path: str | Path, argument: str) -> np.ndarray:
    """Read a .npy or .tif file that is given as an argument."""
    kind = Path(path).suffix.lower()
    if kind not in (".npy", ".tif", ".tiff"):
        raise ValueError(f"{argument} must be a .npy, .tif or .tiff file, got {str(path)!r}")
    path = existing_file(argument, path)
    try:
        if kind == ".npy":
            return np.load(path, allow_pickle=False)
        from tifffile import imread

        return imread(path)
    except (ValueError, EOFError) as error:  # a TiffFileError is a ValueError
        raise ValueError(f"{argument}: {path} cannot be read: {npy_error_text(error)}") from error


def read_mask(path: str | Path) -> np.ndarray:
    """Read a .npy or .tif file, (Y, X) or (T, Y, X), as bool: other pixels than 0 are marked."""
    found = read_pixels(path, "mask")
    if found.ndim not in (2, 3) or found.dtype.kind not in "buif":
        raise ValueError(
            f"mask: {path} must be (Y, X) or (T, Y, X), got shape {found.shape} of {found.dtype}"
        )
    return found != 0
