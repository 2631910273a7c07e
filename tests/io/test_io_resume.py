"""Killed while writing and started again: the same bytes as if nothing had happened."""

import random
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_motionmag.io import save_movie
from napari_motionmag.io.journal import Journal, fingerprint

pytest.importorskip("zarr")

SHAPE, AXES = (6, 2, 3, 24, 25), "TZCYX"
WRITER = """
import sys, time
import dask.array as da, numpy as np
from napari_motionmag import Movie
from napari_motionmag.io import save_movie
def block(block_id):
    time.sleep(0.004)
    rng = np.random.default_rng(block_id[:3])
    return rng.integers(0, 99, (1, 1, 1, 24, 25)).astype("u2") * (block_id[0] != 2)  # black, too
data = da.map_blocks(block, chunks=((1,) * 6, (1,) * 2, (1,) * 3, (24,), (25,)), dtype="u2",
                     meta=np.empty((0,) * 5, "u2"))
units = ("s", "um", "pixel", "um", "um")
movie = Movie(data, "TZCYX", fps=8, scale=(1, 2, 1, 0.5, 0.5), units=units)
print("begun", flush=True)
save_movie(sys.argv[1], movie, recipe={"factor": 3}, resume=True)
"""


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_killed_at_random_moments_the_bytes_are_the_same(tmp_path):
    def start(name):
        argv = [sys.executable, "-c", WRITER, str(tmp_path / name)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE)

    whole = start("whole.zarr")
    assert whole.stdout.readline() == b"begun\n"
    begun = time.monotonic()
    assert whole.wait(60) == 0
    lasts = time.monotonic() - begun
    rng = random.Random(0)
    path = tmp_path / "killed.zarr"
    killed = 0
    for share in (0.1, 0.5, rng.uniform(0.3, 0.9)):
        process = start("killed.zarr")
        process.stdout.readline()
        time.sleep(share * lasts)
        killed += process.poll() is None
        process.kill()  # kill -9
        process.wait(60)
        if path.exists():
            break
        partial = path.with_name(".killed.zarr.partial")
        if (partial / "0" / "c" / "0").is_dir():  # what a chunk looks like that is half written
            (partial / "0" / "c" / "0" / "1.5f.partial").write_bytes(b"half")
    assert killed >= 2
    if not path.exists():
        final = start("killed.zarr")
        assert final.wait(60) == 0
    assert contents(path) == contents(tmp_path / "whole.zarr")
    assert not list(tmp_path.glob(".*"))


def test_a_torn_chunk_is_written_anew(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (5, 8, 9)).astype("u2")
    save_movie(tmp_path / "whole.zarr", data, recipe={})

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    path = tmp_path / "film.zarr"
    with pytest.raises(KeyboardInterrupt):
        save_movie(
            path, da.from_array(data, chunks=(1, 8, 9)), recipe={}, resume=True, progress=stop
        )
    journal = tmp_path / ".film.zarr.partial.journal"
    assert journal.read_text().splitlines()[1:] == ["0", "1", "2"]
    # killed while writing frame 2 and the journal
    chunk = tmp_path / ".film.zarr.partial" / "0" / "c" / "2" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:7])
    journal.write_text(journal.read_text().removesuffix("\n"))
    save_movie(path, data, recipe={}, resume=True)
    assert contents(path) == contents(tmp_path / "whole.zarr")


def test_a_frame_that_only_the_journal_has_is_written(tmp_path):
    data = np.random.default_rng(0).integers(1, 99, (5, 8, 9)).astype("u2")

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_movie(tmp_path / "film.zarr", data, recipe={}, resume=True, progress=stop)
    journal = tmp_path / ".film.zarr.partial.journal"
    journal.write_text(journal.read_text() + "4\n77\n")
    save_movie(tmp_path / "film.zarr", data, recipe={}, resume=True)
    save_movie(tmp_path / "whole.zarr", data, recipe={})
    assert contents(tmp_path / "film.zarr") == contents(tmp_path / "whole.zarr")


def test_a_store_without_a_journal_is_written_anew(tmp_path):
    data = np.full((4, 8, 9), 3, "u2")
    (tmp_path / ".film.zarr.partial").mkdir()
    (tmp_path / ".film.zarr.partial" / "rest").write_text("of an older run")
    save_movie(tmp_path / "film.zarr", data, recipe={}, resume=True)
    assert [item.name for item in tmp_path.iterdir()] == ["film.zarr"]
    assert not (tmp_path / "film.zarr" / "rest").exists()


def test_the_journal_survives_any_cut(tmp_path):
    path = tmp_path / "a.journal"
    journal = Journal(path, {"bytes": 1})
    assert journal.read({"a": (1, 2)}) is None
    journal.begin({"a": (1, 2)})
    with journal:
        journal.add((0, 3))
        journal.add((12, 1))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = journal.read({"a": (1, 2)})
        if cut < first:
            assert found is None
            continue
        assert found == {(0, 3), (12, 1)} if cut == len(whole) else found <= {(0, 3)}
        with journal:
            journal.add((7, 7))
        assert journal.read({"a": (1, 2)}) == found | {(7, 7)}


def test_fingerprints_tell_changes(tmp_path):
    store = tmp_path / "film.zarr"
    store.mkdir()
    (store / "0").write_bytes(b"abc")
    before = fingerprint(store)
    assert fingerprint(store) == before
    (store / "1").write_bytes(b"")
    assert fingerprint(store) != before
    pattern = fingerprint(tmp_path / "film.zarr" / "*")
    assert (pattern["files"], pattern["bytes"]) == (2, 3)
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "none" / "*")
    file = tmp_path / "film.npy"
    file.write_bytes(b"abc")
    before = fingerprint(file)
    time.sleep(0.01)
    file.write_bytes(b"abd")
    assert fingerprint(file) != before
