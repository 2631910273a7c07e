"""Damaged files: each is read as far as it goes or refused in one line that names it.

`NAPARI_MOTIONMAG_FUZZ=500` tries more damages of each file than a test run does.
"""

import os
import random
import shutil
import time
import tracemalloc
import warnings

import numpy as np
import pytest
import tifffile

from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.io.napari_reader import get_reader

pytest.importorskip("av")
pytest.importorskip("zarr")

TRIES = int(os.environ.get("NAPARI_MOTIONMAG_FUZZ", "25"))
SECONDS, BYTES = 5, 200 * 2**20
FRAMES = np.random.default_rng(0).integers(0, 200, (6, 24, 26)).astype("u2")


def imagej(path):
    metadata = {"axes": "TYX", "finterval": 0.1, "unit": "um"}
    tifffile.imwrite(path, FRAMES, imagej=True, resolution=(4, 4), metadata=metadata)


def compressed(path):
    tifffile.imwrite(path, FRAMES, compression="zlib", metadata={"axes": "TYX", "fps": 5})


def ours(path):
    calibration = {"scale": (0.1, 0.5, 0.5), "units": ("s", "um", "um")}
    small = FRAMES.astype("u1") if path.suffix in (".mp4", ".avi", ".mov") else FRAMES
    save_movie(path, small, fps=10, recipe={"factor": 3}, **calibration)


WRITERS = {
    "ij.tif": imagej,
    "deflate.tif": compressed,
    "film.ome.tif": ours,
    "film.npy": ours,
    "film.zarr": ours,
    "film.mp4": ours,
    "film.avi": ours,
    "film.mov": ours,
}


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut off the end, or overwrite a run of bytes."""
    content = bytearray(content)
    kind = rng.choice(["flip", "flip", "head", "cut", "zero", "fill"])
    if kind == "cut":
        return bytes(content[: rng.randrange(len(content))])
    if kind in ("flip", "head"):
        end = min(len(content), 600) if kind == "head" else len(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            content[rng.randrange(end)] ^= 1 << rng.randrange(8)
        return bytes(content)
    start = rng.randrange(len(content))
    stop = min(len(content), start + rng.choice([1, 4, 40]))
    content[start:stop] = bytes([0 if kind == "zero" else 255]) * (stop - start)
    return bytes(content)


def read_all(path):
    """Open a file and read its frames; return the error, if it is a clear one."""
    try:
        movie = open_movie(path)
        where = (0,) * len(movie.other_axes)
        for t in range(min(movie.n_frames, 8)):
            movie.read(t, where)
    except (ValueError, OSError, ImportError) as error:
        text = str(error)
        assert str(path) in text or "NaN or" in text, f"no path in {text!r}"
        assert "\n" not in text.strip(), text
        return error
    return None


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert read_all(path) is None
    whole = {
        file: file.read_bytes() for file in ([path] if path.is_file() else path.rglob("*.json"))
    }
    if path.is_dir():
        chunk = path / "0" / "c" / "2" / "0" / "0"
        whole[chunk] = chunk.read_bytes()
    rng = random.Random(name)
    for number in range(TRIES):
        file = rng.choice(sorted(whole))
        for other, content in whole.items():
            other.write_bytes(content)
        file.write_bytes(damaged(whole[file], rng))
        began = time.monotonic()
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_all(path)
            get_reader(str(path))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert time.monotonic() - began < SECONDS, f"{name}, damage {number} takes too long"
        assert peak < 10 * len(whole[file]) + BYTES, f"{name}, damage {number} takes {peak} bytes"
    shutil.rmtree(tmp_path, ignore_errors=True)
