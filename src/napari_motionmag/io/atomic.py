"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_motionmag.io.formats import is_zarr_store


def check_target(path: Path, overwrite: bool, directory: bool) -> None:
    """Raise OSError when nothing may be written at `path`.

    Parameters
    ----------
    path : Path
        Where the output is to be.
    overwrite : bool
        Whether an output that is there may be replaced.
    directory : bool
        Whether the output is a directory (a zarr store).
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already; choose another name, or replace it with overwrite=True "
            "(--overwrite)"
        )
    if directory and not (path.is_dir() and is_zarr_store(path)):
        raise FileExistsError(f"{path} exists and is no zarr store; it is left alone")
    if path.is_dir() and not directory:
        raise IsADirectoryError(f"{path} is a folder; it is left alone")


@contextmanager
def appearing_whole(
    path: Path, overwrite: bool = False, directory: bool = False, kept: bool = False
) -> Iterator[Path]:
    """Yield a hidden name beside `path` to write at, and rename it to `path` in the end.

    When the block is left by an exception, an interrupt among them, what was written is
    removed and `path` stays as it was.

    Parameters
    ----------
    path, overwrite, directory
        As for `check_target`.
    kept : bool
        Use the same hidden name each time and leave it there on failure, to go on from later.

    Yields
    ------
    Path
    """
    check_target(path, overwrite, directory)
    token = "" if kept else f".{uuid.uuid4().hex[:8]}"
    partial = path.with_name(f".{path.name}{token}.partial")
    try:
        yield partial
        check_target(path, overwrite, directory)  # it may have appeared in the meantime
        _move(partial, path)
    except BaseException:
        if not kept:
            _remove(partial)
        raise


def _move(partial: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(partial, path)
        return
    # a folder cannot be replaced in one step: set the old one aside until the new one is there
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
    os.rename(path, aside)
    try:
        os.rename(partial, path)
    except BaseException:
        os.rename(aside, path)
        raise
    shutil.rmtree(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
