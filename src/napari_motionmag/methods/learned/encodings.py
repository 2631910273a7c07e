"""Encodings of frames: kept in memory, then on disk, both bounded."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import uuid
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.compute.cache import ByteBoundedCache

MEMORY_BYTES = 16 * 2**20  # unless a few frames or a window of time need more
MOST_MEMORY_BYTES = 2 * 2**30
DISK_BYTES = 16 * 2**30
DISK_SHARE = 0.25  # of the free disk
ORIGIN_BYTES = 512 * 2**20

_Pair = tuple[Tensor, Tensor]  # texture and shape


class DiskStore:
    """Arrays in temporary files, the least recently used of which go; all of them at exit.

    Parameters
    ----------
    limit : int, optional
        Bytes; 16 GiB or a quarter of the free disk when None.
    """

    def __init__(self, limit: int | None = None):
        self._limit = limit
        self._folder: Path | None = None
        self._files: OrderedDict[Hashable, tuple[Path, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    @property
    def folder(self) -> Path | None:
        """Where the files are, once there are any."""
        return self._folder

    def _open(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="napari-motionmag-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            if self._limit is None:
                free = shutil.disk_usage(self._folder).free
                self._limit = min(DISK_BYTES, int(DISK_SHARE * free))
        return self._folder

    def put(self, key: Hashable, arrays: tuple[np.ndarray, ...]) -> None:
        """Write some arrays. Nothing is kept when the disk is full; a warning says so."""
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            folder = self._open()
            if key in self._files or size > self._limit:
                return
            while self.bytes + size > self._limit:
                self._remove(next(iter(self._files)))
            path = folder / uuid.uuid4().hex
            try:
                with open(path, "wb") as file:
                    for array in arrays:
                        np.save(file, array)
            except OSError as error:
                path.unlink(missing_ok=True)
                self._limit = self.bytes
                warnings.warn(
                    f"encodings of frames cannot be kept in {folder} ({error}); frames are "
                    "encoded anew when they are needed again",
                    stacklevel=2,
                )
                return
            self._files[key] = path, size
            self.bytes += size

    def get(self, key: Hashable, count: int) -> tuple[np.ndarray, ...] | None:
        """Read the arrays of a key, so many, None when they are not there."""
        with self._lock:
            if key not in self._files:
                return None
            self._files.move_to_end(key)
            with open(self._files[key][0], "rb") as file:
                return tuple(np.load(file) for _ in range(count))

    def drop(self, wanted: Callable[[Hashable], bool]) -> None:
        """Remove the arrays whose key is so."""
        with self._lock:
            for key in [key for key in self._files if wanted(key)]:
                self._remove(key)

    def _remove(self, key: Hashable) -> None:
        path, size = self._files.pop(key)
        os.unlink(path)
        self.bytes -= size


class Encodings:
    """Texture and shape by group (network, tile, movie) and frame, each made once.

    What does not fit into memory is written to disk in float16, shapes as the difference from
    another one of their group: differences are what a temporal operator takes of them, and they
    stay exact to 1 in 2000 however small they are.

    Parameters
    ----------
    limit : int
        Bytes in memory.
    disk : DiskStore, optional
        For the rest.
    """

    def __init__(self, limit: int = MEMORY_BYTES, disk: DiskStore | None = None):
        self.disk = DiskStore() if disk is None else disk
        self.memory = ByteBoundedCache(limit, tensor_bytes, self._spill)
        self._origins: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        group: Hashable,
        frame: Hashable,
        make: Callable[[], _Pair],
        count: int,
    ) -> _Pair:
        """Texture and shape of a frame.

        Parameters
        ----------
        group, frame : hashable
            Which.
        make : callable
            Makes them, on their device.
        count : int
            How many of the group are needed at a time; memory has room for them if that is
            bearable.
        """

        def read_or_make() -> _Pair:
            found = self._read(group, frame)
            if found is None:
                found = make()
            wanted = int(1.1 * (count + 2) * tensor_bytes(found))
            self.memory.at_least(min(wanted, MOST_MEMORY_BYTES))
            return found

        return self.memory.get((group, frame), read_or_make)

    def _spill(self, key: tuple, value: _Pair) -> None:
        group, _ = key
        texture, shape = (part.cpu().float() for part in value)
        with self._lock:
            if group not in self._origins:
                if tensor_bytes(shape) > ORIGIN_BYTES:
                    return
                self._origins[group] = shape
                gone = self._too_many_origins()
                for old in gone:
                    self.disk.drop(lambda key, old=old: key[0] == old)
            origin = self._origins[group]
        half = (part.to(torch.float16).numpy() for part in (texture, shape - origin))
        self.disk.put(key, tuple(half))

    def _too_many_origins(self) -> list[Hashable]:
        gone = []
        while sum(map(tensor_bytes, self._origins.values())) > ORIGIN_BYTES:
            gone.append(self._origins.popitem(last=False)[0])
        return gone

    def _read(self, group: Hashable, frame: Hashable) -> _Pair | None:
        with self._lock:
            origin = self._origins.get(group)
        stored = None if origin is None else self.disk.get((group, frame), 2)
        if stored is None:
            return None
        texture, difference = (torch.from_numpy(part).float() for part in stored)
        return texture, origin + difference


def tensor_bytes(value) -> int:
    """Bytes of a tensor or of several."""
    if isinstance(value, tuple):
        return sum(map(tensor_bytes, value))
    return value.numel() * value.element_size()
