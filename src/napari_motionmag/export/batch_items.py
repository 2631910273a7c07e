"""The movies of a batch, and what their results are called."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_motionmag.compute.validate import above_zero, checked_text, existing_file
from napari_motionmag.export.batch_table import earlier_results
from napari_motionmag.io.formats import format_of, readable

_LISTS = (".txt", ".csv")


@dataclass(frozen=True)
class Item:
    """A movie of a batch, and what its file does not say."""

    path: Path
    fps: float | None = None
    axes: str | None = None

    def __post_init__(self):
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"path must be a path, got {self.path!r}")
        object.__setattr__(self, "path", Path(self.path))
        if self.fps is not None:
            above_zero("fps", self.fps)
        if self.axes is not None:
            checked_text("axes", self.axes)


def find_items(
    inputs: Sequence[str | Path | Item], results: str | Path | None = None
) -> list[Item]:
    """Find the movies of a batch.

    Parameters
    ----------
    inputs : sequence of path or Item
        Movie files; folders of movie files, or of numbered pictures; lists: ``.txt`` with a path
        in each line, ``.csv`` with a column ``movie`` and perhaps ``fps`` and ``axes``. Paths in
        lists are relative to the list.
    results : path, optional
        Folder of the results: what an earlier batch wrote there is left out.

    Raises
    ------
    FileNotFoundError
        If an input is not there.
    TypeError
        If `inputs` is a single path.
    ValueError
        If there is no movie in an input, or a list is damaged.
    """
    if isinstance(inputs, str | Path):
        raise TypeError(f"inputs must be a list of paths, got {inputs!r}")
    items: dict[Path, Item] = {}
    earlier = set() if results is None else earlier_results(Path(results))
    for given in inputs:
        found = [given] if isinstance(given, Item) else _found(Path(given))
        if not found:
            raise ValueError(f"there is no movie in {given}")
        items |= {item.path.absolute(): item for item in found}
    if not items:
        raise ValueError("there is no movie")
    kept = [item for path, item in items.items() if path not in earlier]
    if not kept:
        raise ValueError(f"there is no movie but results of an earlier batch in {results}")
    return kept


def _found(path: Path) -> list[Item]:
    """Return the movies of a file, a folder or a list."""
    suffix = path.suffix.lower()
    if suffix in _LISTS:
        return _listed(path)
    if path.is_dir() and suffix != ".zarr":
        return _in_folder(path)
    if path.exists() or any(sign in path.name for sign in "*?["):
        return [Item(path)]
    raise FileNotFoundError(f"{path}: there is no such file or folder")


def _in_folder(folder: Path) -> list[Item]:
    """Return the movie files of a folder by name, or the folder if it holds numbered pictures."""
    files = sorted(
        file
        for file in folder.iterdir()
        if file.name.lower().endswith(readable()) and not file.name.startswith(".")
    )
    if not files:
        try:
            format_of(folder)
        except ValueError:
            return []
        return [Item(folder)]
    return [Item(file) for file in files]


def _listed(path: Path) -> list[Item]:
    try:
        text = existing_file("", path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no list of movies: {error}") from error
    if path.suffix.lower() == ".txt":
        lines = [line.strip() for line in text.splitlines()]
        return [Item(path.parent / line) for line in lines if line and not line.startswith("#")]
    rows = csv.DictReader(text.splitlines())
    items = []
    for row in rows:
        number = rows.line_num
        if not (row.get("movie") or "").strip():
            raise ValueError(f"{path}, line {number}: a column 'movie' with a path is needed")
        fps = (row.get("fps") or "").strip()
        try:
            rate = above_zero("fps", _number_in(fps)) if fps else None
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        axes = (row.get("axes") or "").strip() or None
        items.append(Item(path.parent / row["movie"].strip(), rate, axes))
    return items


def _number_in(cell: str):
    """Return the number in a cell of a table, or its text where it holds none."""
    try:
        return float(cell)
    except ValueError:
        return cell


def _file_name(path: Path) -> str:
    """Return the name of a file, or that of a pattern of pictures without its signs."""
    return path.name if path.exists() else re.sub(r"[*?[\]]", "", path.name)


def output_names(items: Sequence[Item], extension: str) -> list[str]:
    """Return a name for each output; movies of one name get that of their kind or folder added."""
    names = [
        _file_name(item.path).removesuffix(item.path.suffix).removesuffix(".ome")
        or item.path.parent.name
        for item in items
    ]
    for added in (
        lambda item, name: name + _file_name(item.path).removeprefix(name).replace(".", " "),
        lambda item, name: f"{item.path.parent.name} {name}",
    ):
        counts = Counter(names)
        names = [
            added(item, name) if counts[name] > 1 else name
            for item, name in zip(items, names, strict=True)
        ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        paths = [
            str(item.path) for item, name in zip(items, names, strict=True) if name == twice[0]
        ]
        raise ValueError(f"{' and '.join(paths)} would be written as {twice[0]}{extension}")
    return [name + extension for name in names]
