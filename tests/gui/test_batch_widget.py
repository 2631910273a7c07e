"""The dock that magnifies a folder of movies as a layer was magnified."""

import csv

import numpy as np
import pytest

from napari_motionmag import magnify, magnify_layer
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.widgets.export.batch import BatchWidget


@pytest.fixture
def folder(tmp_path, frames):
    folder = tmp_path / "movies"
    folder.mkdir()
    for name in ("a.ome.tif", "c.ome.tif"):
        save_movie(folder / name, frames, fps=10)
    (folder / "b.tif").write_bytes(b"II*\0")
    return folder


@pytest.fixture
def dock(viewer, movie, folder):
    viewer.add_layer(magnify_layer(movie, 3, method="linear", device="cpu"))
    widget = BatchWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Many movies")
    widget.measure.value = False
    return widget


def cells(dock):
    table = dock._table
    return [[table.item(y, x).text() for x in range(2)] for y in range(table.rowCount())]


def test_a_folder_is_magnified_as_the_layer_was(dock, folder, frames, click, settled, tmp_path):
    assert dock.recipe.value.startswith("x3, linear")
    dock.source.value = folder
    out = tmp_path / "movies magnified"
    assert dock.output.value == out
    click(dock, "start")
    settled(dock)
    assert dock.status.value == f"2 done, 1 failed; the table is {out / 'batch.csv'}"
    assert cells(dock) == [["a.ome.tif", "done"], ["b.tif", "failed"], ["c.ome.tif", "done"]]
    assert dock._table.item(1, 2).text().startswith("not a readable tiff")
    wanted = magnify(frames, 3, method="linear", device="cpu", fps=10).compute()
    assert (np.asarray(open_movie(out / "a.ome.tif").data) == wanted).all()
    with open(out / "batch.csv", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "failed", "done"]


def test_what_was_stopped_goes_on(dock, folder, click, settled, tmp_path):
    dock.source.value = folder
    click(dock, "start")
    dock._work.jobs.cancel()
    settled(dock)
    assert dock.status.value == "Cancelled"
    click(dock, "start")
    settled(dock)
    assert dock.status.value.startswith("2 done, 1 failed")


def test_what_is_missing_is_said(viewer, dock, click, settled, notifications):
    click(dock, "start")
    assert dock.status.value == "Choose the folder of the movies"
    viewer.layers.pop()
    click(dock, "start")
    settled(dock)
    assert notifications()[-1][0] == "error"
