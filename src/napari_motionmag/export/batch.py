"""Many movies at once: each is magnified alike, measured, and shown."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from glob import escape
from pathlib import Path

from napari_motionmag.compute.atomic import check_folder, locked
from napari_motionmag.compute.validate import above_zero, checked_flag, checked_text, is_list
from napari_motionmag.compute.versions import PACKAGE, version_of
from napari_motionmag.export.batch_items import Item, find_items, output_names
from napari_motionmag.export.batch_table import (
    DONE,
    FAILED,
    FIRST,
    LOCK,
    RUNNING,
    STATE,
    WAITING,
    WRITTEN,
    BatchTable,
)
from napari_motionmag.export.composition import compose
from napari_motionmag.export.encoders import ENCODERS
from napari_motionmag.export.look import Look
from napari_motionmag.export.measures import measure
from napari_motionmag.export.movie_file import check_export, export_movie
from napari_motionmag.export.panels import default_label
from napari_motionmag.io import check_output, open_movie, save_movie
from napari_motionmag.io.journal import fingerprint
from napari_motionmag.io.writer import checked_format
from napari_motionmag.magnification.layer import weights_hash
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.settings import OF_THE_MOVIE, MagnifySettings
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.series import checked_region, part_of

_STEPS = 1000  # of progress for each movie


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
        self._table = BatchTable(folder, _made_with(settings, outputs))
        self.rows = self._table.rows
        for item, name in zip(items, self.names, strict=True):  # refuses what cannot be written
            check_output(folder / name, overwrite=True, source=item.path)
            if outputs.film:
                check_export(self._film(name), overwrite=True)

    def begin(self, resume: bool, overwrite: bool) -> None:
        """Take over the state of an earlier run, or begin a new one."""
        known = self._table.read() if resume and not overwrite else {}
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
            kept = {key: row[key] for key in (FIRST if measured_only else ()) if key in row}
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
        for stale in self.folder.glob(f".{escape(target.name)}.*.partial"):
            stale.unlink()  # of a run that was killed: nobody else writes here
        format_ = checked_format(target)
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

    def _save(self, changed: dict | None = None) -> None:
        self._table.save()
        if changed is not None and self.on_change is not None:
            self.on_change(dict(changed))


def _made_with(settings: MagnifySettings, outputs: Outputs) -> dict:
    """Return what must be the same in a run that goes on."""
    plain = {
        name: value.to_dict() if isinstance(value, TemporalOperator) else value
        for name, value in settings.arguments().items()
    }
    return {"settings": plain, "outputs": vars(outputs)}


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
    names = output_names(items, outputs.extension)
    for name in names:
        checked_format(folder / name)
    if outputs.film.lower() not in ENCODERS:
        known = ", ".join(extension for extension in ENCODERS if extension)
        raise ValueError(f"film must be one of {known}, or empty; got {outputs.film!r}")
    return names


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
