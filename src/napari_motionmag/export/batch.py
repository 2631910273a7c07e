"""Many movies at once: one recipe, a table of what was done, and where to go on from."""

from __future__ import annotations

import csv
import errno
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from napari_motionmag.compute.atomic import check_folder, locked, written_whole
from napari_motionmag.compute.validate import (
    above_zero,
    checked_flag,
    checked_text,
    existing_file,
    is_list,
)
from napari_motionmag.compute.versions import PACKAGE, version_of
from napari_motionmag.export.composition import compose, default_label
from napari_motionmag.export.encoders import ENCODERS
from napari_motionmag.export.look import Look
from napari_motionmag.export.measures import measure
from napari_motionmag.export.movie_file import check_export, export_movie
from napari_motionmag.io import check_output, open_movie, save_movie
from napari_motionmag.io.formats import format_of, readable
from napari_motionmag.io.journal import difference, fingerprint
from napari_motionmag.io.writer import checked_format
from napari_motionmag.magnification.layer import weights_hash
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.series import checked_region, part_of

TABLE, STATE, LOCK = "batch.csv", "batch.json", ".batch.lock"
WAITING, RUNNING, WRITTEN, DONE, FAILED = "waiting", "running", "written", "done", "failed"
_LISTS = (".txt", ".csv")
_FIRST = (  # columns of the table; those of measurements follow
    "movie", "status", "error", "output", "axes", "shape", "type", "fps", "factor", "method",
    "motion", "seconds", "finished", "version", "weights",
)  # fmt: skip
_STEPS = 1000  # of progress for each movie
_OURS = ("fingerprint",)  # in the state, not in the table


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


@dataclass(frozen=True)
class Outputs:
    """What a batch makes of each movie.

    Attributes
    ----------
    extension : str
        Of the magnified movies, as for `napari_motionmag.io.save_movie`.
    film : str
        Extension of a movie that shows each beside its original; none when empty.
    speed : float, optional
        Of its playback against real time.
    measure : bool
        Whether motion and noise are measured.
    region : (int, int, int, int), optional
        y0, y1, x0, x1 in px of the part to measure; where the motion stands out most when None.
    """

    extension: str = ".ome.tif"
    film: str = ""
    speed: float | None = None
    measure: bool = True
    region: tuple[int, int, int, int] | None = None

    def __post_init__(self):
        checked_text("extension", self.extension)
        checked_text("film", self.film)
        checked_flag("measure", self.measure)
        if self.speed is not None:
            above_zero("speed", self.speed)
        if self.region is not None and not is_list(self.region, 4):
            raise ValueError(f"region must be y0, y1, x0, x1 in px, got {self.region!r}")


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
    earlier = set() if results is None else _earlier_results(Path(results))
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


def run_batch(
    inputs: Sequence[str | Path | Item],
    folder: str | Path,
    settings: MagnifySettings | Mapping,
    outputs: Outputs | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    on_change: Callable[[dict], object] | None = None,
) -> list[dict]:
    """Magnify many movies alike, measure them, and write a table.

    A movie that fails does not stop the others: the table says why. ``batch.csv`` in `folder` is
    the table, ``batch.json`` where to go on from; both are up to date whenever the run ends.

    Parameters
    ----------
    inputs : sequence of path or Item
        As for `find_items`.
    folder : path
        Where the results go; made if it is not there.
    settings : MagnifySettings or mapping
        The settings, or arguments of `napari_motionmag.magnify`.
    outputs : Outputs, optional
        What is written and measured.
    resume : bool
        Go on with a run that was stopped: movies that are done are left as they are, unless their
        files have changed, and those that failed are tried again.
    overwrite : bool
        Begin anew, and replace what is there.
    progress : callable, optional
        Called as ``progress(done, total)`` now and then. An exception from it ends the run.
    on_change : callable, optional
        Called with the row of a movie when that changes.

    Returns
    -------
    list of dict
        The rows of the table.

    Raises
    ------
    FileExistsError
        If there is a batch in `folder` and neither `resume` nor `overwrite` is given.
    ValueError
        If the batch that is to be resumed was begun with other settings, an input is invalid, or
        an output would replace its movie.
    OSError
        If the folder cannot be written, its disk is full, or another process works there.

    Examples
    --------
    >>> from napari_motionmag import export
    >>> rows = export.run_batch(
    ...     ["movies"], "magnified", {"factor": 10, "mode": "temporal", "band": (1, 3)}
    ... )  # doctest: +SKIP
    """
    if not isinstance(settings, MagnifySettings):
        settings = MagnifySettings.from_arguments(**settings)
    folder = Path(folder)
    items = find_items(inputs, folder)
    made = not folder.is_dir()
    outputs = outputs or Outputs()
    names = _checked_names(folder, items, outputs)
    if made:
        check_folder(folder)
        if not folder.parent.is_dir():
            raise FileNotFoundError(f"{folder}: there is no folder {folder.parent}")
        folder.mkdir()
    busy = f"{folder}: another process works on a batch there; wait for it, or choose another"
    try:
        with locked(folder / LOCK, busy):
            batch = _Batch(folder, items, names, settings, outputs, on_change)
            batch.begin(resume, overwrite)
            batch.run(progress)
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # when it is empty: nothing was begun
    return batch.rows


def _earlier_results(folder: Path) -> set[Path]:
    """Return what an earlier batch wrote into a folder; nothing where its state is damaged."""
    try:
        rows = json.loads((folder / STATE).read_text(encoding="utf-8"))["movies"]
        names = {row[kind] for row in rows for kind in ("output", "film") if row.get(kind)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {folder.absolute() / name for name in names}


class _Stopped(BaseException):
    """Carries what `progress` raised past everything that catches errors."""


class _Batch:
    """The movies of a batch and their rows."""

    def __init__(
        self,
        folder: Path,
        items: list[Item],
        names: list[str],
        settings: MagnifySettings,
        outputs: Outputs,
        on_change: Callable | None,
    ):
        self.folder, self.items, self.names = folder, items, names
        self.settings, self.outputs = settings, outputs
        self.on_change = on_change
        self.rows: list[dict] = []
        for item, name in zip(items, self.names, strict=True):  # refuses what cannot be written
            check_output(folder / name, overwrite=True, source=item.path)
            if outputs.film:
                check_export(self._film(name), overwrite=True)

    def begin(self, resume: bool, overwrite: bool) -> None:
        """Take over the state of an earlier run, or begin a new one."""
        self._signature = json.loads(json.dumps(self._settings_as_plain(), default=str))
        known = self._read_state() if resume and not overwrite else {}
        if not (resume or overwrite) and (self.folder / STATE).exists():
            raise FileExistsError(
                f"{self.folder} holds a batch already; go on with it by resume=True (--resume), "
                "or replace it with overwrite=True (--overwrite)"
            )
        self.owned = {row["output"] for row in known.values() if row.get("output")}
        self.overwrite = overwrite
        for item in self.items:
            row = known.get(str(item.path.absolute()), {})
            if row.get("status") not in (DONE, WRITTEN, FAILED):
                row = row | {"status": WAITING}
            self.rows.append({"movie": str(item.path.absolute()), **row})
        self._save()

    def run(self, progress: Callable | None) -> None:
        total = _STEPS * len(self.items)
        movies = zip(self.items, self.names, self.rows, strict=True)
        for k, (item, name, row) in enumerate(movies):

            def report(done: int, of: int, k: int = k) -> None:
                try:
                    if progress is not None:
                        progress(k * _STEPS + _STEPS * done // max(of, 1), total)
                except BaseException as error:
                    raise _Stopped from error

            try:
                self._one(item, name, row, report)
                report(1, 1)
            except BaseException as error:
                if row["status"] == RUNNING:
                    row["status"] = WAITING
                    self._save(row)
                if isinstance(error, _Stopped):
                    raise error.__cause__ from None
                raise

    # ---- one movie ----

    def _one(self, item: Item, name: str, row: dict, report: Callable) -> None:
        target = self.folder / name
        try:
            state = fingerprint(item.path) if item.path.exists() else None
            same = state is not None and row.get("fingerprint") == state and target.exists()
            if same and row["status"] == DONE:
                return
            measured_only = same and row["status"] == WRITTEN
            kept = {key: row[key] for key in (_FIRST if measured_only else ()) if key in row}
            kept |= {"movie": row["movie"], "status": WRITTEN if measured_only else RUNNING}
            ours = self.overwrite or name in self.owned
            kept |= {"error": "", "fingerprint": state, **({"output": name} if ours else {})}
            row.clear()
            row.update(kept)
            self._save(row)
            begun = time.monotonic()
            movie, magnification = self._planned(item)
            if not measured_only:
                if not ours and target.exists():
                    raise FileExistsError(
                        f"{target} exists already, and not by this batch; overwrite=True "
                        "(--overwrite) replaces it"
                    )
                row["output"] = name
                self.owned.add(name)
                row |= _facts(movie, magnification)
                self._save(row)
                self._write(target, item, movie, magnification, part_of(report, 0, 0.6))
                row["status"] = WRITTEN
                row["seconds"] = round(time.monotonic() - begun, 2)
                self._save(row)
            self._look_at(target, movie, magnification, row, report)
            row |= {"status": DONE, "finished": _now()}
        except Exception as error:
            row |= {"status": FAILED, "error": _one_line(error, item.path), "finished": _now()}
            if _is_full(error):
                self._save(row)
                raise
        self._save(row)

    def _planned(self, item: Item):
        traits = {name: getattr(self.settings, name) for name in OF_THE_MOVIE}
        traits |= {name: value for name, value in (("fps", item.fps), ("axes", item.axes)) if value}
        movie = open_movie(item.path, **traits)
        if self.outputs.measure:
            checked_region(movie, self.outputs.region)
        return movie, plan(movie, replace(self.settings, **traits))

    def _write(self, target: Path, item: Item, movie: Movie, magnification, report) -> None:
        for stale in self.folder.glob(f".{target.name}.*.partial"):
            stale.unlink()  # of a run that was killed: nobody else writes here
        format_ = format_of(target)
        result = magnification.movie.replace(
            data=magnification.dask(),
            intensity_range=movie.intensity_range if format_.name == "video" else None,
            name=item.path.stem,
        )
        recipe = magnification.recipe | {
            "program": f"{PACKAGE} {version_of()}",
            "source": item.path.name,
        }
        resumes = format_.holds is not None and not target.exists()
        save_movie(
            target,
            result,
            recipe=recipe,
            overwrite=not resumes,
            resume=resumes,
            source=fingerprint(item.path) if resumes else None,
            progress=report,
        )

    def _look_at(self, target: Path, movie: Movie, magnification, row: dict, report) -> None:
        """Measure and show the result, from its file."""
        if not (self.outputs.measure or self.outputs.film):
            return
        result = open_movie(target, fps=movie.fps, axes=magnification.movie.axes)
        source = magnification.movie
        plane = {letter: 0 for letter in source.other_axes}
        if self.outputs.measure:
            found = measure(
                source,
                magnification.operator,
                result,
                region=self.outputs.region,
                at=plane or None,
                progress=part_of(report, 0.6, 0.9),
            )
            row |= found.row()
        if self.outputs.film:
            label = default_label(magnification.dask())
            look = Look(source.intensity_range)
            composition = compose(
                {"original": source, label: result},
                looks=[look, look],
                at=plane or None,
                speed=self.outputs.speed,
            )
            film = self._film(target.name)
            export_movie(film, composition, overwrite=True, progress=part_of(report, 0.9, 1))
            row["film"] = film.name

    def _film(self, name: str) -> Path:
        stem = name.removesuffix(self.outputs.extension)
        return self.folder / f"{stem} film{self.outputs.film}"

    # ---- state ----

    def _settings_as_plain(self) -> dict:
        arguments = self.settings.arguments()
        plain = {
            name: value.to_dict() if isinstance(value, TemporalOperator) else value
            for name, value in arguments.items()
        }
        return {"settings": plain, "outputs": vars(self.outputs)}

    def _read_state(self) -> dict[str, dict]:
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
        if before != self._signature:
            raise ValueError(
                f"the batch in {self.folder} was begun with other settings "
                f"({difference(before, self._signature)}); choose another folder, or begin anew "
                "with overwrite=True (--overwrite)"
            )
        return known

    def _save(self, changed: dict | None = None) -> None:
        state = {"made with": self._signature, "movies": self.rows}
        with written_whole(self.folder / STATE) as partial:
            partial.write_text(json.dumps(state, indent=1, default=str), encoding="utf-8")
        with written_whole(self.folder / TABLE) as partial:
            write_table(partial, self.rows)
        if changed is not None and self.on_change is not None:
            self.on_change(dict(changed))


def write_table(path: Path, rows: Sequence[Mapping]) -> None:
    """Write rows as CSV, the columns in the order in which rows have them."""
    columns = dict.fromkeys(_FIRST)
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


def _facts(movie: Movie, magnification) -> dict:
    """Return what is known of a movie and its magnification before it is drawn."""
    recipe = magnification.recipe
    return {
        "axes": movie.axes,
        "shape": " x ".join(map(str, movie.shape)),
        "type": str(movie.dtype),
        "fps": movie.fps,
        "factor": magnification.factor,
        "method": recipe["method"],
        "motion": magnification.operator.describe(),
        "version": version_of(),
        "weights": (weights_hash(recipe) or "")[:16],
    }


def _checked_names(folder: Path, items: Sequence[Item], outputs: Outputs) -> list[str]:
    """Return a name for each output, of a kind that can be written."""
    names = _output_names(items, outputs.extension)
    for name in names:
        checked_format(folder / name)
    if outputs.film.lower() not in ENCODERS:
        known = ", ".join(extension for extension in ENCODERS if extension)
        raise ValueError(f"film must be one of {known}, or empty; got {outputs.film!r}")
    return names


def _output_names(items: Sequence[Item], extension: str) -> list[str]:
    """Return a name for each output; movies of one name get that of their kind or folder added."""
    names = [item.path.name.removesuffix(item.path.suffix).removesuffix(".ome") for item in items]
    for added in (
        lambda item, name: f"{name} {item.path.suffix.removeprefix('.')}",
        lambda item, name: f"{item.path.parent.name} {name}",
    ):
        counts = Counter(names)
        names = [
            added(item, name) if counts[name] > 1 else name
            for item, name in zip(items, names, strict=True)
        ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several movies would be written as {twice[0]}{extension}")
    return [name + extension for name in names]


def _one_line(error: Exception, path: Path) -> str:
    """Return the message of an error, without the path of its movie, which stands beside it."""
    text = " ".join(str(error).split())
    for start in (path.absolute(), path):
        text = text.removeprefix(f"{start}: ")
    known = isinstance(error, ValueError | TypeError | OSError | ImportError) and text
    return text if known else f"{type(error).__name__}: {text}"


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG):
            return True
        error = error.__cause__
    return False


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
