"""What makes two reads of a movie the same frame: keys of caches that outlive one result.

In-memory arrays can be edited in place at any time, and no event tells of it, so their frames are
known by their content. Frames of other sources are known by the source and their place in it, so
that nothing is read to look for what is kept.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
import weakref

import numpy as np

from napari_motionmag.movie.lazy import is_dask

_LOCK = threading.Lock()
_TOKENS: dict[int, tuple[weakref.ref, str]] = {}


def editable(data) -> bool:
    """Whether an array may change under our hands: NumPy arrays, memory maps among them."""
    return isinstance(data, np.ndarray)


def source_token(data) -> str:
    """A name for an array that no other array gets, the same for the same array if that is safe.

    Parameters
    ----------
    data : array
        A dask array has the same token each time, until items are assigned to it (its name then
        is another). Other arrays, of which files and neighbours in memory may be written to,
        get a new token each time: whoever makes a movie of them anew sees them anew.
    """
    name = getattr(data, "name", None)
    if not (is_dask(data) and isinstance(name, str)):
        return uuid.uuid4().hex
    return f"{_object_token(data)}-{name}"


def _object_token(data) -> str:
    key = id(data)
    with _LOCK:
        found = _TOKENS.get(key)
        if found is not None and found[0]() is data:
            return found[1]
        token = uuid.uuid4().hex
        _TOKENS[key] = (weakref.ref(data, lambda _: _TOKENS.pop(key, None)), token)
        return token


def content_key(frame: np.ndarray) -> bytes:
    """A digest of a frame's elements, type and shape."""
    digest = hashlib.sha1(f"{frame.dtype.str}{frame.shape}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(frame))
    return digest.digest()
