"""A record of written frames, from which an interrupted run resumes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path


class Journal:
    """The frames of an unfinished output that are complete.

    A text file beside the output: the first line holds the settings and the state of the source,
    each further line the index of a frame. A line follows when its frame is written, so that the
    listed frames are complete whenever the process is killed; the others are written again.
    """

    def __init__(self, path: Path, source: Mapping | None = None):
        self.path = path
        self.source = _plain(source)
        self._file = None

    def read(self, settings: Mapping) -> set[tuple[int, ...]] | None:
        """Return the indices of complete frames, or None when there is no journal.

        ValueError when it is damaged, or of other settings or another source.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            first, *lines = content.decode().split("\n")
            if not lines:  # the first line is torn
                return None
            begun = json.loads(first)
            before, source = begun["settings"], begun["source"]
            # the last line is torn when the process was killed while writing it, else empty
            written = {tuple(map(int, line.split())) for line in lines[:-1]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(
                f"{self.path}: is damaged ({type(error).__name__}: {error}); remove it and "
                f"{self._output}, or write without resuming"
            ) from error
        settings = _plain(settings)
        if before != settings:
            raise ValueError(
                f"the unfinished {self._output} was begun with other settings "
                f"({difference(before, settings)}); remove it and its .journal, or "
                "write without resuming"
            )
        if source != self.source:
            raise ValueError(
                f"the source changed since the unfinished {self._output} was begun "
                f"({difference(source, self.source)}); remove it and its .journal, or "
                "write without resuming"
            )
        return written

    @property
    def _output(self) -> Path:
        return self.path.with_suffix("")

    def begin(self, settings: Mapping) -> None:
        """Start a new journal."""
        beside = self.path.with_name(self.path.name + ".new")
        content = {"settings": settings, "source": self.source}
        beside.write_text(json.dumps(content) + "\n")
        os.replace(beside, self.path)

    def __enter__(self) -> Journal:
        self._file = open(self.path, "r+")
        # a torn last line goes
        end = self._file.read().rfind("\n") + 1
        self._file.seek(end)
        self._file.truncate()
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()

    def add(self, frame: Sequence[int]) -> None:
        """Record that a frame is written."""
        self._file.write(" ".join(map(str, frame)) + "\n")
        self._file.flush()

    def remove(self) -> None:
        """Delete the journal."""
        self.path.unlink(missing_ok=True)


def _plain(content):
    """Return the content as JSON reads it back (tuples as lists)."""
    return json.loads(json.dumps(content))


def difference(before, now) -> str:
    """Describe the first difference between two JSON values."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return f"{json.dumps(before)}, now {json.dumps(now)}"
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            inner = difference(before.get(key), now.get(key))
            return f"{key}: {inner}" if ": " not in inner or inner[0] in '"[' else inner
    return "nothing"


def fingerprint(path: str | Path) -> dict:
    """Return bytes, number and last change (ns) of a file, folder or pattern of files."""
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    elif not path.exists():
        files = list(path.parent.glob(path.name)) or files
    found = [file.stat() for file in files]
    return {
        "bytes": sum(status.st_size for status in found),
        "files": len(found),
        "changed": max((status.st_mtime_ns for status in found), default=0),
    }
