"""The table of a batch, and the file from which it goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_motionmag.compute.atomic import written_whole
from napari_motionmag.io.journal import difference

TABLE, STATE, LOCK = "batch.csv", "batch.json", ".batch.lock"
WAITING, RUNNING, WRITTEN, DONE, FAILED = "waiting", "running", "written", "done", "failed"
FIRST = (  # columns of the table; those of measurements follow
    "movie", "status", "error", "output", "axes", "shape", "type", "fps", "factor", "method",
    "motion", "seconds", "finished", "version", "weights",
)  # fmt: skip
_OURS = ("fingerprint",)  # in the state, not in the table


class BatchTable:
    """The rows of a batch, one for each movie, as they are kept in its folder.

    `made_with`, the settings of the batch, may be anything that JSON shows.
    """

    def __init__(self, folder: Path, made_with: Mapping):
        self.folder = folder
        self.made_with = json.loads(json.dumps(made_with, default=str))
        self.rows: list[dict] = []

    def read(self) -> dict[str, dict]:
        """Return the rows of an earlier run by movie; ValueError if its settings were others."""
        path = self.folder / STATE
        if not path.exists():
            return {}
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            before, rows = state["made with"], state["movies"]
            known = {row["movie"]: row for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: is damaged ({type(error).__name__}: {error}); remove it, or begin anew "
                "with overwrite=True (--overwrite)"
            ) from error
        if before != self.made_with:
            raise ValueError(
                f"the batch in {self.folder} was begun with other settings "
                f"({difference(before, self.made_with)}); choose another folder, or begin anew "
                "with overwrite=True (--overwrite)"
            )
        return known

    def save(self) -> None:
        """Write the rows for people and for the next run."""
        state = {"made with": self.made_with, "movies": self.rows}
        with written_whole(self.folder / STATE) as partial:
            partial.write_text(json.dumps(state, indent=1, default=str), encoding="utf-8")
        with written_whole(self.folder / TABLE) as partial:
            _write_csv(partial, self.rows)


def earlier_results(folder: Path) -> set[Path]:
    """Return what an earlier batch wrote into a folder; nothing where its state is damaged."""
    try:
        rows = json.loads((folder / STATE).read_text(encoding="utf-8"))["movies"]
        names = {row[kind] for row in rows for kind in ("output", "film") if row.get(kind)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {folder.absolute() / name for name in names}


def _write_csv(path: Path, rows: Sequence[Mapping]) -> None:
    """Write rows as CSV, the columns in the order in which rows have them."""
    columns = dict.fromkeys(FIRST)
    for row in rows:
        columns |= dict.fromkeys(key for key in row if key not in _OURS)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(row.get(name)) for name in columns])


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
