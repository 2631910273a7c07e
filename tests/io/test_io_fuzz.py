"""Damaged files: each is read as far as it goes or refused in one line that names it.

`NAPARI_MOTIONMAG_FUZZ=500` tries more damages of each file than a test run does.
"""

import json
import os
import random
import resource
import shutil
import sys
import time
import traceback
import tracemalloc
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile
from safetensors.torch import load_file, save_file

from napari_motionmag import Movie
from napari_motionmag.cli.main import _is_refusal
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.io.napari_reader import get_reader
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.recipe import arguments as recipe_arguments
from napari_motionmag.magnification.recipe import recipe_of, repeated
from napari_motionmag.methods.learned import weights

for needed in ("av", "nd2", "pylibCZIrw"):
    pytest.importorskip(needed)
from czi_file import write_czi  # noqa: E402
from damage import damaged  # noqa: E402
from nd2_file import write_nd2  # noqa: E402

pytest.importorskip("zarr")

TRIES = int(os.environ.get("NAPARI_MOTIONMAG_FUZZ", "25"))
SECONDS, BYTES = 5, 200 * 2**20
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
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


def czi(path):
    write_czi(path, FRAMES, "T", interval=0.1, stamps=np.arange(6) / 10)


def nd2(path):
    write_nd2(path, FRAMES[:, None, None], times=100.0 * np.arange(6))


WRITERS = {
    "ij.tif": imagej,
    "deflate.tif": compressed,
    "film.ome.tif": ours,
    "film.npy": ours,
    "film.zarr": ours,
    "film.mp4": ours,
    "film.avi": ours,
    "film.mov": ours,
    "film.czi": czi,
    "film.nd2": nd2,
}


def read_all(path):
    """Open a file and read its frames; return the error, if it is a clear one."""
    try:
        movie = open_movie(path)
        where = (0,) * len(movie.other_axes)
        for t in range(min(movie.n_frames, 8)):
            movie.read(t, where)
    except (ValueError, OSError, ImportError, MemoryError) as error:
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


# ---- recipes, weights and journals ----

WRONG = (None, True, -1, 0, 2**70, 1e308, -0.5, float("nan"), float("inf"), "", "x" * 300, "static")
WRONG += ([], [1], [None, None], {}, {"slice": [1]}, {"model": []}, "\n\0", [[1, 2], [3]])


def places(value, path=()):
    """List where the values of nested lists and dicts are."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += places(inner, (*path, key))
    return found


def with_a_wrong_value(content, rng: random.Random):
    """Replace, remove or add a value somewhere."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.choice([1, 1, 1, 2])):
        *where, key = rng.choice(places(content))
        inner = content
        for step in where:
            inner = inner[step]
        kind = rng.choice(["replace", "replace", "replace", "remove", "add"])
        if kind == "replace":
            inner[key] = rng.choice(WRONG)
        elif kind == "remove":
            del inner[key]
        elif isinstance(inner, dict):
            name = rng.choice(["lag", "sigma", "band", "__class__", "shape", "x"])
            inner[name] = rng.choice(WRONG)
        if not places(content):
            break
    return content


def check_refusal(error, named: str = "") -> None:
    """Check that an error is one line that one of our checks raised, and names the file."""
    ours = _is_refusal(error) or isinstance(error, ImportError | OSError)
    assert ours, traceback.format_exception(error)
    text = str(error)
    assert text.strip()
    assert "\n" not in text.strip(), text
    assert named in text


@contextmanager
def bounded(name, number, size):
    """Bound time and memory, that of torch too."""
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT - before
    assert time.monotonic() - began < SECONDS, f"{name}, damage {number} takes too long"
    assert grown < 10 * size + BYTES, f"{name}, damage {number} takes {grown} bytes"


MASK = np.zeros((24, 26), bool)
MASK[4:9, 5:20] = True
MADE = {
    "static": {"reference": [0, 2]},
    "sliced": {"reference": slice(1, 3)},
    "dynamic": {"mode": "dynamic", "method": "phase", "pyramid": "octave", "sigma": 1.0},
    "fir": {"mode": "temporal", "band": (1, 2), "method": "linear", "lambda_c": 8.0},
    "iir": {"mode": "temporal", "band": (1, 2), "filter": "iir", "method": "riesz"},
    "lagrangian": {"method": "lagrangian", "intensity_range": (0, 200), "axes": "TYX"},
    "aligned": {"method": "linear", "stabilise": {"model": "rigid"}, "mask": MASK},
    "region": {"region": (0, 20, 2, 22), "preview": 1, "model": "oh2018"},
}


@pytest.mark.parametrize("name", MADE)
def test_damaged_recipes_are_used_or_refused_in_one_line(name):
    movie = Movie(FRAMES, "TYX", fps=10)
    recipe = json.loads(json.dumps(plan(movie, 3, **MADE[name]).recipe))
    text = json.dumps(recipe).encode()
    rng = random.Random(name)
    for number in range(TRIES):
        if rng.random() < 0.3:
            try:
                changed = json.loads(damaged(text, rng))
            except ValueError:  # no JSON any more: whoever reads it has said so
                continue
        else:
            changed = with_a_wrong_value(recipe, rng)
        with bounded(name, number, len(text)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                arguments = recipe_arguments(recipe_of(changed))
                plan(movie, **arguments)
                repeated(changed, movie)
            except (ValueError, TypeError, ImportError) as error:
                check_refusal(error)


@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_damaged_weights_are_loaded_or_refused_in_one_line(tmp_path, model):
    path = tmp_path / "w.safetensors"
    small = {"half": 4, "quarter": 4, "eighth": 4, "context": 2, "hidden": 4}
    config = small | {"drawing": [4, 4, 4, 4]} if model == "difference" else {"decoder_blocks": 1}
    weights.save(path, weights.build(model, config), {"model": model, "steps": 3})
    whole = path.read_bytes()
    card = weights.read_card(path)
    tensors = {name: one.clone() for name, one in load_file(path).items()}  # the file changes
    rng = random.Random(model)
    for number in range(TRIES):
        if rng.random() < 0.5:
            path.write_bytes(damaged(whole, rng))
        else:
            changed = with_a_wrong_value(card, rng)
            save_file(tensors, path, metadata={"card": json.dumps(changed)})
        with bounded(model, number, len(whole)):
            try:
                weights.load(path)
            except (ValueError, TypeError, OSError) as error:
                check_refusal(error, path.name)


def test_damaged_journals_are_continued_or_refused_in_one_line(tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    path = tmp_path / "film.zarr"
    with pytest.raises(KeyboardInterrupt):
        save_movie(path, FRAMES, recipe={"factor": 3}, resume=True, progress=stop)
    journal = tmp_path / ".film.zarr.partial.journal"
    whole = journal.read_bytes()
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / ".film.zarr.partial", kept)
    rng = random.Random(0)
    for number in range(4 * TRIES):
        shutil.rmtree(tmp_path / ".film.zarr.partial", ignore_errors=True)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(kept, tmp_path / ".film.zarr.partial")
        if rng.random() < 0.7:
            kept_whole = rng.choice([0, whole.index(b"\n") + 1])
            content = whole[:kept_whole] + damaged(whole[kept_whole:], rng)
        else:
            first, *rest = whole.split(b"\n")
            first = json.dumps(with_a_wrong_value(json.loads(first), rng)).encode()
            content = b"\n".join([first, *rest])
        journal.write_bytes(content)
        with bounded("journal", number, len(whole)):
            try:
                save_movie(path, FRAMES, recipe={"factor": 3}, resume=True)
            except (ValueError, OSError) as error:
                check_refusal(error, path.name)
                continue
        np.testing.assert_array_equal(open_movie(path).as_dask().compute(), FRAMES)
