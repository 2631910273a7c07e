"""Outputs appear whole or not at all, whatever happens."""

import os

import pytest

from napari_motionmag.io.atomic import appearing_whole


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "film.tif"
    with appearing_whole(path) as partial:
        partial.write_text("new")
        assert partial.parent == path.parent
        assert partial.name.startswith(".film.tif.")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_appears_in_the_meantime_is_kept(tmp_path):
    path = tmp_path / "film.tif"

    def write():
        with appearing_whole(path) as partial:
            partial.write_text("new")
            path.write_text("of someone else")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_text() == "of someone else"
    assert list(tmp_path.iterdir()) == [path]


def store(path, text):
    path.mkdir()
    (path / "zarr.json").write_text(text)


def test_a_store_replaces_a_store(tmp_path):
    path = tmp_path / "film.zarr"
    store(path, "old")
    with appearing_whole(path, overwrite=True, directory=True) as partial:
        store(partial, "new")
    assert (path / "zarr.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_store_comes_back_when_renaming_fails(tmp_path, monkeypatch):
    path = tmp_path / "film.zarr"
    store(path, "old")
    rename = os.rename

    def fail(source, target):
        if str(source).endswith(".partial"):
            raise OSError("no more")
        rename(source, target)

    monkeypatch.setattr("napari_motionmag.io.atomic.os.rename", fail)
    with (
        pytest.raises(OSError, match="no more"),
        appearing_whole(path, overwrite=True, directory=True) as partial,
    ):
        store(partial, "new")
    assert (path / "zarr.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kept_partial_survives_failure_only(tmp_path):
    path = tmp_path / "film.zarr"

    def interrupted():
        with appearing_whole(path, kept=True) as partial:
            store(partial, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (partial,) = tmp_path.iterdir()
    with appearing_whole(path, kept=True) as again:
        assert again == partial
        assert (again / "zarr.json").read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]
