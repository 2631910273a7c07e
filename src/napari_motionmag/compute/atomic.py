"""Write files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_motionmag.compute.validate import checked_flag


def check_target(
    path: Path,
    overwrite: bool = False,
    may_replace_folder: Callable[[Path], bool] | None = None,
) -> None:
    """Raise OSError when nothing may be written at `path`.

    `may_replace_folder`, for outputs that are folders, tells whether a folder is such an output.
    """
    checked_flag("overwrite", overwrite)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: the folder {path.parent.absolute()} is not writable")
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already; choose another name, or replace it with overwrite=True "
            "(--overwrite)"
        )
    if may_replace_folder is not None and not (path.is_dir() and may_replace_folder(path)):
        raise FileExistsError(f"{path} exists and is no output of this kind; it is left alone")
    if path.is_dir() and may_replace_folder is None:
        raise IsADirectoryError(f"{path} is a folder; it is left alone")


def check_folder(path: Path) -> None:
    """Raise NotADirectoryError when a folder for results is a file."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; choose a folder for the results")


@contextmanager
def written_whole(
    path: Path,
    overwrite: bool = True,
    may_replace_folder: Callable[[Path], bool] | None = None,
    resumable: bool = False,
) -> Iterator[Path]:
    """Yield a hidden name beside `path` to write at, and rename it to `path` in the end.

    When the block is left by an exception, interrupts included, the partial output is removed and
    `path` stays as it was. Each call uses a name of its own; `resumable` ones use the same each
    time and leave it there on failure, to continue later: only one process at a time may do so.
    """
    check_target(path, overwrite, may_replace_folder)
    token = "" if resumable else f".{uuid.uuid4().hex[:8]}"
    partial = path.with_name(f".{path.name}{token}.partial")
    try:
        yield partial
        check_target(path, overwrite, may_replace_folder)  # it may have appeared meanwhile
        _move(partial, path)
    except BaseException:
        if not resumable:
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


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of a file while the block runs; a process that is killed gives it back.

    BlockingIOError with the message `busy` when another process holds it.
    """
    with open(path, "a") as file:
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise BlockingIOError(busy) from None
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise  # else the file system has no locks
        if not _is_at(file, path):
            raise BlockingIOError(busy)  # its last holder has just removed it
        try:
            yield
        finally:
            with suppress(PermissionError):  # Windows removes no file that is open
                path.unlink(missing_ok=True)


def _is_at(file, path: Path) -> bool:
    """Whether an open file is the one that lies at a path now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
