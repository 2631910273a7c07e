"""The dock widget "Many movies": a folder magnified as a layer was, with a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from magicgui.widgets import FileEdit, Label, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem

from napari_motionmag.compute.validate import rounded
from napari_motionmag.export.batch import Outputs, run_batch
from napari_motionmag.export.batch_items import find_items
from napari_motionmag.export.batch_table import DONE, FAILED, TABLE
from napari_motionmag.export.encoders import ENCODERS
from napari_motionmag.io.formats import writable
from napari_motionmag.magnification.recipe import arguments_for_another, is_magnified, recipe_of
from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.widgets.common.dock import Dock, reports_errors
from napari_motionmag.widgets.common.form import button, checkbox, choice, group, number, text
from napari_motionmag.widgets.common.jobs import on_main_thread
from napari_motionmag.widgets.magnify.repeat import NONE_YET, described

_COLUMNS = ("movie", "status", "result")
_TABLE_HEIGHT = 160  # px, at least


class BatchWidget(Dock):
    """Magnify all movies of a folder as a layer was magnified.

    Every field is an attribute, and calling the widget does what its button does, in the
    background.
    """

    dock_name = "many_movies"

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        super().__init__(napari_viewer)
        self.made.changed.connect(self._describe)
        self.source.changed.connect(self._suggest_output)
        self._describe()

    def __call__(self) -> None:
        """Begin, or go on where a run of the same settings in this folder was stopped."""
        if self._work.refused():
            return
        source = self._given(self.source, "Choose the folder of the movies")
        folder = self._given(self.output, "Choose a folder for the results")
        items = find_items([source], folder)
        settings = self.settings()
        outputs = Outputs(
            extension=self.extension.value,
            film=self.film.value,
            measure=self.measure.value,
        )
        self._show_rows([{"movie": str(item.path), "status": "waiting"} for item in items])

        def show(rows: list[dict]) -> None:
            self._show_rows(rows)
            counts = [sum(row["status"] == kind for row in rows) for kind in (DONE, FAILED)]
            self._messages.say_result(
                f"{counts[0]} done, {counts[1]} failed; the table is {folder / TABLE}"
            )

        self._work.run(
            lambda progress: run_batch(
                items,
                folder,
                settings,
                outputs,
                resume=True,
                progress=progress,
                on_change=self._post_row,
            ),
            show,
            title=f"{len(items)} movies",
            layers=[],
        )

    def settings(self) -> MagnifySettings:
        """Return the settings of the chosen layer, with the rate that was typed."""
        if self.made.value is None:
            raise ValueError(NONE_YET)
        arguments = arguments_for_another(recipe_of(self.made.value))
        settings = MagnifySettings.from_arguments(**arguments)
        return replace(settings, fps=self.fps.value) if self.fps.value else settings

    # ---- fields ----

    def _create_widgets(self) -> list[Widget]:
        self.made = choice(
            "made",
            "",
            lambda _: [layer for layer in self._images() if is_magnified(layer)],
            "The magnified layer whose settings are used.",
        )
        self.recipe = text("recipe", "How that layer was magnified.")
        self.source = _folder("source", "Movies in", "Folder of the movies.")
        self.output = _folder("output", "Results in", "Folder for the results and the table.")
        self.fps = number(
            "fps",
            "Frames per second at which the movies were recorded. 0: as each file says.",
            label="Rate",
            suffix=" fps",
            text_for_low="as the files say",
        )
        tooltip = "File format of the magnified movies. A run to .zarr goes on within a movie."
        self.extension = choice("extension", "Format", list(writable()), tooltip)
        films = [("none", ""), *((kind, kind) for kind in ENCODERS if kind)]
        self.film = choice("film", "Film", films, "Show each movie beside its original, too.")
        self.measure = checkbox(
            "measure", "Measure motion and noise", "With errors, before and after.", True
        )
        self.start = button(
            "start",
            "Start or go on",
            "Magnify all movies. A run that was stopped goes on where it was.",
            self._on_start_clicked,
        )
        self.cancel = button("cancel", "Stop", "Stop; “Start or go on” goes on later.", self._stop)
        self.cancel.visible = False
        form = group(
            [self.source, self.output, self.fps, self.extension, self.film, self.measure],
            labels=True,
            name="form",
        )
        self._table = _make_table()
        holder = group([])
        holder.native.layout().addWidget(self._table)
        return [
            Label(value="Same settings as", tooltip=self.made.tooltip),
            self.made,
            self.recipe,
            form,
            group([self.start, self.cancel], "horizontal"),
            holder,
        ]

    def _describe(self, _=None) -> None:
        made = self.made.value
        self.recipe.value = "" if made is None else described(recipe_of(made))
        self._messages.say(NONE_YET if made is None else "")

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not (self._closed or self.working):
            self._describe()

    def _suggest_output(self, _=None) -> None:
        """Suggest a folder beside that of the movies, if none is chosen."""
        chosen = _path_of(self.source)
        if chosen is not None and _path_of(self.output) is None:
            self.output.value = chosen.with_name(f"{chosen.name} magnified")

    def _given(self, field: FileEdit, otherwise: str) -> Path:
        path = _path_of(field)
        if path is None:
            raise ValueError(otherwise)
        return path

    # ---- running ----

    @reports_errors
    def _on_start_clicked(self) -> None:
        self._messages.forget()
        self()

    def _stop(self) -> None:
        self._messages.say("Stopping…")
        self._work.jobs.cancel()

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible, self.start.enabled = busy, not busy

    def _post_row(self, row: dict) -> None:
        """Show what became of a movie; called in the thread of the job."""
        on_main_thread(self._show_row, row)

    def _show_rows(self, rows: list[dict]) -> None:
        self._table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            name = QTableWidgetItem(Path(row["movie"]).name)
            name.setToolTip(row["movie"])
            self._table.setItem(place, 0, name)
            self._fill(place, row)

    def _show_row(self, row: dict) -> None:
        if self._closed:
            return
        for place in range(self._table.rowCount()):
            if self._table.item(place, 0).toolTip() == row["movie"]:
                self._fill(place, row)

    def _fill(self, place: int, row: dict) -> None:
        result = row.get("error") or _summary(row)
        for column, value in ((1, row["status"]), (2, result)):
            item = QTableWidgetItem(value)
            item.setToolTip(value)
            self._table.setItem(place, column, item)


def _summary(row: dict) -> str:
    """Return the measurement of a movie in a few words."""
    frequency = row.get("frequency (Hz)")
    if frequency is None:
        return row.get("note", "")
    return f"{rounded(frequency, 4)} Hz, {rounded(row['amplitude (px)'], 3)} px"


def _folder(name: str, label: str, tooltip: str) -> FileEdit:
    field = FileEdit(name=name, label=label, mode="d", nullable=True, value=None, tooltip=tooltip)
    field.native.setObjectName(name)
    return field


def _path_of(field: FileEdit) -> Path | None:
    value = field.value
    return None if value is None or str(value) in ("", ".") else Path(value)


def _make_table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setObjectName("table")
    table.setHorizontalHeaderLabels([name.capitalize() for name in _COLUMNS])
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.verticalHeader().hide()
    table.setMinimumHeight(_TABLE_HEIGHT)
    return table
