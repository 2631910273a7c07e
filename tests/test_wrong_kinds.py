"""Public functions refuse arguments of wrong kinds, and name them."""

import re

import numpy as np
import pytest
from half_moving import half_moving

from napari_motionmag import Movie, export, io, magnify, temporal, views

MOVIE = Movie(half_moving(), "TYX", 16, scale=(1, 0.5, 0.5), units=("s", "um", "um"))
REGION = (14, 24, 14, 26)
TIMES = np.arange(40.0)

TEXT = [["x"], {"x": 1}, object(), 1.5, True, b"x"]
FLAG = ["yes", [1], {"x": 1}, object(), 1.5, 1]
NUMBER = ["2", ["x"], {"x": 1}, object(), True, b"2"]
NUMBERS = ["abc", ["x"], {"x": 1}, object()]
KIND = ["abc", ["x"], {"x": 1}, object(), 1.5, True]


@pytest.fixture(scope="module")
def trace():
    return views.displacement_trace(MOVIE, REGION)


CALLS = {
    "movie": lambda trace, path, **k: Movie(half_moving(), "TYX", **k),
    "compose": lambda trace, path, **k: export.compose(MOVIE, **k),
    "panel": lambda trace, path, **k: export.panel(MOVIE, **k),
    "film": lambda trace, path, **k: export.Film(export.compose(MOVIE), **k),
    "look": lambda trace, path, **k: export.Look((0, 1), **k),
    "item": lambda trace, path, **k: export.Item(**{"path": "film.tif"} | k),
    "outputs": lambda trace, path, **k: export.Outputs(**k),
    "export": lambda trace, path, **k: export.export_movie(path / "o.gif", MOVIE, **k),
    "report": lambda trace, path, **k: export.write_report(
        path / "o.html", MOVIE, magnify(MOVIE, 3, method="linear"), **k
    ),
    "measure": lambda trace, path, **k: export.measure(MOVIE, temporal.FIR(1, 3, 16), **k),
    "save": lambda trace, path, **k: io.save_movie(path / "o.tif", half_moving(), "TYX", **k),
    "open": lambda trace, path, **k: io.open_movie(path / "film.tif", **k),
    "trace": lambda trace, path, **k: views.displacement_trace(MOVIE, REGION, **k),
    "map": lambda trace, path, **k: views.motion_map(MOVIE, **k),
    "floor": lambda trace, path, **k: views.noise_floor(MOVIE, **k),
    "spectrum": lambda trace, path, **k: views.motion_spectrum(trace, **k),
    "oscillation": lambda trace, path, **k: views.fit_oscillation(trace, **k),
    "sinusoid": lambda trace, path, **k: views.fit_sinusoid(
        **{"times": TIMES, "values": np.sin(TIMES)} | k
    ),
    "points": lambda trace, path, **k: views.intensity_trace(MOVIE, **k),
}


@pytest.mark.parametrize(
    ("call", "argument", "wrong"),
    [
        ("movie", "name", TEXT),
        ("movie", "fps", NUMBER),
        ("compose", "time_stamp", FLAG),
        *[
            ("compose", name, NUMBER)
            for name in ("speed", "playback_fps", "zoom", "pixel_size", "fps")
        ],
        ("panel", "label", TEXT),
        ("panel", "look", KIND),
        ("panel", "channels", KIND),
        ("film", "fastest", NUMBER),
        ("film", "plays", FLAG),
        ("look", "colormap", [["x"], object(), 1.5, True]),
        ("look", "gamma", NUMBER),
        ("item", "path", [["x"], 1.5, object()]),
        ("item", "fps", NUMBER),
        ("item", "axes", TEXT),
        ("outputs", "extension", TEXT),
        ("outputs", "film", TEXT),
        ("outputs", "speed", NUMBER),
        ("outputs", "measure", FLAG),
        ("outputs", "region", KIND),
        ("export", "overwrite", FLAG),
        ("report", "title", TEXT),
        ("report", "composition", KIND),
        ("report", "overwrite", FLAG),
        ("report", "region", KIND),
        ("measure", "result", KIND),
        ("measure", "region", KIND),
        ("measure", "at", KIND),
        ("save", "recipe", ["abc", ["x"], 1.5, True]),
        ("save", "intensity_range", KIND),
        ("save", "overwrite", FLAG),
        ("save", "resume", FLAG),
        ("open", "fps", NUMBER),
        ("trace", "brightness", FLAG),
        ("trace", "reach", NUMBER),
        ("trace", "noise", NUMBER),
        ("map", "noise", NUMBER),
        ("map", "frequency", NUMBER),
        ("floor", "measure", FLAG),
        ("spectrum", "direction", NUMBER),
        ("oscillation", "drift", FLAG),
        ("oscillation", "frequency", NUMBER),
        ("sinusoid", "times", [*NUMBERS, 1.5]),
        ("sinusoid", "values", NUMBERS),
        ("sinusoid", "sigma", NUMBERS),
        ("sinusoid", "enlarge", FLAG),
        ("points", "points", NUMBERS),
    ],
)
def test_a_wrong_kind_is_refused_and_named(trace, tmp_path, call, argument, wrong):
    io.save_movie(tmp_path / "film.tif", half_moving()[:4], "TYX")
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=rf"\b{re.escape(argument)}\b"):
            CALLS[call](trace, tmp_path, **{argument: value})
    assert [path.name for path in tmp_path.iterdir()] == ["film.tif"]
