"""Outputs appear whole or not at all, whatever happens."""

import os

import pytest

from napari_motionmag.compute.atomic import locked, written_whole


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "film.tif"
    with written_whole(path, overwrite=False) as partial:
        partial.write_text("new")
        assert partial.parent == path.parent
        assert partial.name.startswith(".film.tif.")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_appears_in_the_meantime_is_kept(tmp_path):
    path = tmp_path / "film.tif"

    def write():
        with written_whole(path, overwrite=False) as partial:
            partial.write_text("new")
            path.write_text("of someone else")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_text() == "of someone else"
    assert list(tmp_path.iterdir()) == [path]


def is_store(path):
    return (path / "zarr.json").exists()


def store(path, text):
    path.mkdir()
    (path / "zarr.json").write_text(text)


def test_a_store_replaces_a_store(tmp_path):
    path = tmp_path / "film.zarr"
    store(path, "old")
    with written_whole(path, overwrite=True, may_replace_folder=is_store) as partial:
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

    monkeypatch.setattr("napari_motionmag.compute.atomic.os.rename", fail)
    with (
        pytest.raises(OSError, match="no more"),
        written_whole(path, overwrite=True, may_replace_folder=is_store) as partial,
    ):
        store(partial, "new")
    assert (path / "zarr.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kept_partial_survives_failure_only(tmp_path):
    path = tmp_path / "film.zarr"

    def interrupted():
        with written_whole(path, resumable=True) as partial:
            store(partial, "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (partial,) = tmp_path.iterdir()
    with written_whole(path, resumable=True) as again:
        assert again == partial
        assert (again / "zarr.json").read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_cannot_be_removed_does_not_fail(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError("it is open, as Windows says")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with locked(tmp_path / "lock", "busy"):
        pass
    with locked(tmp_path / "lock", "busy"), pytest.raises(BlockingIOError, match="busy"):
        locked(tmp_path / "lock", "busy").__enter__()


def test_a_lock_that_its_holder_just_removed_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_motionmag.compute.atomic._lock", lambda file: os.remove(file.name))
    with pytest.raises(BlockingIOError, match="busy"):
        locked(tmp_path / "lock", "busy").__enter__()
