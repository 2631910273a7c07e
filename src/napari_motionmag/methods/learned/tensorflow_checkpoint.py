"""Read the tensors of a TensorFlow checkpoint without TensorFlow.

A checkpoint is a prefix with two kinds of files: ``PREFIX.index``, a sorted table (LevelDB's
format) of tensor names and protocol buffers that say where each one lies, and shards of raw
numbers, ``PREFIX.data-00000-of-00001``. Nothing in them is executed.
"""

import math
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes
_TRAILER = 5  # bytes after a block: compression and checksum
_DTYPES = {1: "<f4", 2: "<f8", 19: "<f2"}  # those that weights have, by TensorFlow's numbers
_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


class _Entry(NamedTuple):
    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def index_file(path: Path) -> Path | None:
    """Return the index of a checkpoint, given one of its files or its prefix; None for others."""
    index = Path(_SUFFIX.sub("", str(path)) + ".index")
    return index if os.path.isfile(index) else None


def shards(index: Path) -> list[Path]:
    """Return the files with the numbers of a checkpoint."""
    return sorted(index.parent.glob(f"{_escaped(index.stem)}.data-?????-of-?????"))


def _escaped(name: str) -> str:
    return re.sub(r"([\[?*])", r"[\1]", name)


def read(index: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """Read tensors of a checkpoint.

    Parameters
    ----------
    index : Path
        ``PREFIX.index``.
    wanted : callable
        Whether to read the tensor of a name.

    Returns
    -------
    dict of str to ndarray
        In their own types.

    Raises
    ------
    ValueError
        If the files are damaged, incomplete, or hold numbers of another kind.
    """
    try:
        entries = _entries(index.read_bytes())
        header = entries.pop("", {})
        if header.get(2, 0) != 0:
            raise ValueError("its numbers are big-endian")
        count = header.get(1, 1)
        return {
            name: _tensor(index, count, _entry(fields))
            for name, fields in entries.items()
            if wanted(name)
        }
    except IndexError:
        raise ValueError(f"model: {str(index)!r} is cut short") from None
    except (ValueError, struct.error, OSError) as error:
        raise ValueError(
            f"model: cannot read the TensorFlow checkpoint {str(index)!r}: {error}"
        ) from None


def _entry(fields: dict) -> _Entry:
    if 7 in fields:
        raise ValueError("it holds a tensor in slices")
    dims = [_message(value) for number, value in _fields(fields.get(2, b"")) if number == 2]
    shape = tuple(dim.get(1, 0) for dim in dims)
    return _Entry(fields.get(1, 0), shape, fields.get(3, 0), fields.get(4, 0), fields.get(5, 0))


def _tensor(index: Path, shards: int, entry: _Entry) -> np.ndarray:
    if entry.dtype not in _DTYPES:
        raise ValueError(f"it holds numbers of TensorFlow's type {entry.dtype}")
    dtype = np.dtype(_DTYPES[entry.dtype])
    if entry.size != math.prod(entry.shape) * dtype.itemsize:
        raise ValueError(f"a tensor of shape {entry.shape} has {entry.size} bytes")
    path = index.with_name(f"{index.stem}.data-{entry.shard:05d}-of-{shards:05d}")
    if path.stat().st_size < entry.offset + entry.size:
        raise ValueError(f"{path.name} is cut short")
    return np.fromfile(path, dtype, math.prod(entry.shape), offset=entry.offset).reshape(
        entry.shape
    )


def _entries(table: bytes) -> dict[str, dict]:
    """Return the fields of the messages in a table, by their keys."""
    magic = int.from_bytes(table[-8:], "little")
    if len(table) < _FOOTER or magic != _MAGIC:
        raise ValueError("it is no index of a checkpoint")
    footer = table[-_FOOTER:]
    at = 0
    for _ in range(2):  # the first handle is of a block without use here
        offset, at = _varint(footer, at)
        size, at = _varint(footer, at)
    found = {}
    for _, handle in _block(table, offset, size):
        first, at = _varint(handle, 0)
        length, _ = _varint(handle, at)
        found |= {key.decode(): _message(value) for key, value in _block(table, first, length)}
    return found


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; a key shares its beginning with the one before."""
    block = table[offset : offset + size]
    if len(table) < offset + size + _TRAILER:
        raise ValueError("it is cut short")
    if table[offset + size] != 0:
        raise ValueError("its index is compressed")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 - 4 * restarts
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + rest]
        at += rest
        yield key, block[at : at + length]
        at += length


def _message(content: bytes) -> dict:
    """Return the fields of a protocol buffer by number; the last of each."""
    return dict(_fields(content))


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(content, at)
        elif kind == 2:
            length, at = _varint(content, at)
            value, at = content[at : at + length], at + length
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            value, at = int.from_bytes(content[at : at + length], "little"), at + length
        else:
            raise ValueError("its index is damaged")
        yield number, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Read a number in groups of seven bits, least significant first, and return where it ends."""
    value = 0
    for k in range(10):
        byte = content[at + k]
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            return value, at + k + 1
    raise ValueError("its index is damaged")
