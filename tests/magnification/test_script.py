"""Scripts: running them makes the same arrays, in a process of their own without Qt."""

import subprocess
import sys

import numpy as np
import pytest
from napari.layers import Image

from napari_motionmag import Movie, magnify, magnify_layer, samples, temporal, views
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.io.napari_reader import read_layers
from napari_motionmag.magnification.script import Call, FromLayer, magnification_of, source
from napari_motionmag.methods.options import method_options

SMALL = {"n_frames": 6, "size": 64}


def run(text: str) -> dict:
    namespace: dict = {}
    exec(compile(text, "script", "exec"), namespace)
    return namespace


def sample_layer(name="beating_cell", **overrides) -> Image:
    data, about = samples.load(name, **{**SMALL, **overrides})
    return Image(
        data,
        name=about["title"],
        scale=about["scale"],
        units=about["units"],
        axis_labels=tuple(about["axes"].replace("S", "")),
        metadata=about,
        rgb="S" in about["axes"],
    )


def file_layer(path) -> Image:
    ((data, arguments, _),) = read_layers(path)
    return Image(data, **arguments)


def same(layer: Image, frames=(0, 3)) -> None:
    """Compare a magnified layer with what the script of it makes."""
    made = run(source(magnification_of(layer)))["magnified"]
    assert (made.shape, made.dtype) == (layer.data.shape, layer.data.dtype)
    for t in frames:
        expected, found = (np.asarray(d[t].compute()) for d in (layer.data, made))
        assert np.array_equal(expected, found), t


# ---- values ----


def literal(value):
    """Return the Python of a value that is the argument of a call."""
    lines = source(Call("math", "call", value)).splitlines()
    return lines[-1].removeprefix("result = call(").removesuffix(")")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64(0.1), "0.1"),
        (np.int32(7), "7"),
        (np.bool_(True), "True"),
        ((1,), "(1,)"),
        ([(0, 1.5), None], "[(0, 1.5), None]"),
        (slice(2, 5), "slice(2, 5)"),
        (slice(None, None, 2), "slice(None, None, 2)"),
        ('it\'s "so"', "'it\\'s \"so\"'"),
        ("plain", '"plain"'),
        ({"a": (1.0, 2)}, '{"a": (1.0, 2)}'),
        (float("inf"), 'float("inf")'),
    ],
)
def test_plain_values_are_python_that_means_them(value, text):
    assert literal(value) == text
    again = eval(text)
    assert again == value


def test_what_cannot_be_written_is_refused():
    with pytest.raises(TypeError, match="object cannot be written into a script"):
        literal(object())
    with pytest.raises(ValueError, match="array of 5001 numbers is too large"):
        literal(np.zeros(5001))


@pytest.mark.parametrize(
    "operator",
    [
        temporal.Static(slice(0, 3)),
        temporal.Static((1, 4), fps=3),
        temporal.Dynamic(lag=2),
        temporal.FIR(1, 2, fps=10, taps=11),
        temporal.Butterworth(1, 2, 10, order=3, zero_phase=True),
        temporal.DifferenceOfIIR(1, 2),
        temporal.Acceleration(1.5, fps=10),
        views.NoiseModel(0.5, floor=2.0),
    ],
    ids=repr,
)
def test_operators_and_models_are_written_as_constructor_calls(operator):
    call = Call("builtins", "repr", operator)
    assert run(source(call))["result"] == repr(operator)


def test_arrays_keep_their_type():
    for array in (np.eye(2), np.eye(2, dtype=np.float32), np.arange(3), np.zeros((0, 2))):
        made = run(source(Call("numpy", "copy", array)))["result"]
        assert made.dtype == array.dtype
        assert np.array_equal(made, array)


# ---- calls ----


def test_calls_are_written_once_in_order_and_long_ones_in_several_lines():
    first = Call("builtins", "dict", a=[1, 2]).named("found", "what it is")
    long = Call("builtins", "max", first.part('["a"]'), key=None, default=["x" * 70])
    text = source(first, long, Call(first, "get", "a").named("found"), title="Three calls")
    assert text.splitlines()[0] == '"""Three calls'
    assert text.count("dict(") == 1
    assert '# what it is\nfound = dict(a=[1, 2])\nresult = max(\n    found["a"],\n' in text
    made = run(text.replace("default", "# default").replace("key=None,", ""))
    assert made["result"] == 2
    assert made["found_2"] == [1, 2]


def test_any_title_is_a_docstring():
    text = source(Call("builtins", "dict"), title='of "a\\b""" and')
    assert compile(text, "script", "exec").co_consts[0].splitlines()[0] == "of 'a\\b''' and"


def test_a_variable_is_not_called_like_a_function():
    text = source(Call("builtins", "sorted", (2, 1)).named("sorted"))
    assert run(text)["sorted_2"] == [1, 2]


# ---- how a movie is opened again ----


@pytest.mark.parametrize("name", samples.NAMES)
def test_a_sample_is_loaded_again(name):
    size = 144 if name in ("vesicles", "cilia") else 112
    layer = sample_layer(name, size=size, seed=3)
    movie = run(source(Call("builtins", "id", layer)))["movie"]
    expected = Movie.from_any(layer)
    assert np.array_equal(movie.data, expected.data)
    for key in ("axes", "fps", "scale", "units"):
        assert getattr(movie, key) == getattr(expected, key), key


def test_a_sample_that_was_changed_is_not_taken_for_the_sample():
    layer = sample_layer()
    layer.data = layer.data + 1
    text = source(Call("builtins", "id", layer))
    assert "samples" not in text
    assert 'viewer.layers["Beating' in text.replace("'", '"')


def test_a_file_is_opened_again_with_what_was_said_otherwise(tmp_path):
    path = tmp_path / "film.ome.tif"
    data = np.random.default_rng(0).integers(0, 900, (5, 2, 20, 24)).astype(np.uint16)
    save_movie(path, Movie(data, "TCYX", 10, scale=(0.1, 1, 0.5, 0.5), units=("s", "", "um", "um")))
    layer = file_layer(path)
    text = source(Call("builtins", "id", layer))
    assert f'open_movie("{path}")' in text
    layer.scale = (0.1, 1, 0.25, 0.25)
    said = FromLayer(layer, Movie.from_any(layer, fps=25, intensity_range=(0, 900)))
    movie = run(source(Call("builtins", "id", said)))["movie"]
    assert np.array_equal(np.asarray(movie.data), data)
    assert (movie.axes, movie.fps, movie.given_range) == ("TCYX", 25, (0, 900))
    assert movie.scale[2:] == (0.25, 0.25)


def test_a_file_that_is_something_else_now_is_not_opened(tmp_path):
    path = tmp_path / "film.ome.tif"
    data = np.random.default_rng(0).integers(0, 900, (5, 20, 24)).astype(np.uint16)
    save_movie(path, Movie(data, "TYX", 10))
    layer = file_layer(path)
    layer.data = np.asarray(layer.data) + 1
    text = source(Call("builtins", "id", layer))
    assert "open_movie" not in text
    assert "other frames" in text
    assert "napari's console" in text
    path.unlink()
    assert "no such file" in source(Call("builtins", "id", layer))


def test_a_movie_in_memory_is_taken_from_the_viewer():
    data = np.random.default_rng(0).random((4, 20, 24))
    layer = Image(data, name='my "cell"', scale=(0.5, 1, 1), units=("s", "pixel", "pixel"))
    text = source(Call("napari_motionmag", "magnify", layer, 2, method="phase"))
    assert "has no file" in text

    class Viewer:
        layers = {'my "cell"': layer}  # noqa: RUF012

    namespace = {"viewer": Viewer}
    exec(text, namespace)
    assert namespace["movie"].data is layer.data
    assert namespace["movie"].fps == 2


# ---- magnified layers ----

MODES = [
    {"mode": "static"},
    {"mode": "static", "reference": slice(0, 3)},
    {"mode": "static", "reference": [0, 2]},
    {"mode": "dynamic"},
    *(
        {"mode": "temporal", "band": (2.0, 6.0), "filter": name}
        for name in ("fir", "butterworth", "iir", "acceleration")
    ),
    {"mode": temporal.Butterworth(2, 6, zero_phase=True)},
    {"mode": temporal.Dynamic(lag=2)},
]


@pytest.mark.parametrize("said", MODES, ids=lambda said: "-".join(map(str, said.values())))
def test_every_mode_and_filter(said):
    same(magnify_layer(sample_layer(), 4, method="linear", **said))


@pytest.mark.parametrize("method", ["learned", "phase", "riesz", "linear", "lagrangian"])
def test_every_method(method):
    layer = sample_layer(n_frames=3)
    same(magnify_layer(layer, 3, method=method), frames=[2])


def test_options_of_the_methods_are_kept():
    layer = sample_layer(n_frames=3)
    for method in ("phase", "riesz", "linear", "lagrangian"):
        said = {}
        for option in method_options(method):
            if option.kind == "choice" and len(option.choices) > 1:
                said[option.name] = option.choices[-1]
        made = magnify_layer(layer, 3, method=method, **said)
        text = source(magnification_of(made))
        assert all(f'{key}="{value}"' in text for key, value in said.items()), text
        same(made, frames=[2])


def test_names_in_metadata_are_never_written_as_code():
    evil = "sigma=__import__('os').system('id'), pyramid"
    made = magnify_layer(sample_layer(n_frames=3), 3, method="phase")
    made.metadata["napari_motionmag"]["recipe"]["options"] = {evil: "octave"}
    with pytest.raises(ValueError, match=r"unknown options .*'phase' has"):
        source(magnification_of(made))
    for name in (evil, "lambda", ""):
        with pytest.raises(ValueError, match="cannot be the name of an argument"):
            source(Call("builtins", "dict", **{name: 1}))
    made.metadata["napari_motionmag"]["recipe"]["options"] = {"pyramid": '"); import os  #'}
    compile(source(magnification_of(made)), "script", "exec")
    assert "\nimport os" not in source(magnification_of(made))


def test_alignment_is_kept_with_its_mask():
    mask = np.zeros((64, 64), bool)
    mask[20:44, 20:44] = True
    layer = sample_layer(n_frames=3)
    made = magnify_layer(layer, 3, method="linear", stabilise="translation", mask=mask)
    same(made, frames=[2])


def test_a_mask_that_the_recipe_could_not_keep_is_refused():
    layer = sample_layer(n_frames=3)
    mask = np.ones((64, 64), bool)
    made = magnify_layer(layer, 3, method="linear", stabilise="translation", mask=mask)
    del made.metadata["napari_motionmag"]["recipe"]["mask"]["bits"]
    with pytest.raises(ValueError, match=r"mask .* was too large to be kept"):
        magnification_of(made)


@pytest.mark.parametrize("name", ["pulsing_epithelium", "drifting_membrane"])
def test_channels_and_colours(name):
    same(magnify_layer(sample_layer(name, size=112), 5, method="riesz"))


@pytest.mark.parametrize("gone", [False, True])
def test_an_intensity_range_and_a_file(tmp_path, monkeypatch, gone):
    path = tmp_path / "film.ome.tif"
    data = np.random.default_rng(0).integers(0, 900, (5, 2, 20, 24)).astype(np.uint16)
    save_movie(path, Movie(data, "TCYX", 10))
    layer = magnify_layer(file_layer(path), 0, method="phase", intensity_range=(100, 5000))
    if gone:  # the file is written in the layer
        monkeypatch.setattr("napari_motionmag.magnification.script.source_of", lambda _: None)
    same(layer)


def test_a_view_of_a_magnified_layer():
    layer = sample_layer()
    made = magnify_layer(layer, 4, method="linear")
    line = [(10, 10), (40, 50)]
    calls = [
        Call("napari_motionmag.views", "slice_view", x, line).named("view") for x in (layer, made)
    ]
    namespace = run(source(*calls))
    assert np.array_equal(namespace["view"], views.slice_view(layer, line))
    assert np.array_equal(np.asarray(namespace["view_2"]), np.asarray(views.slice_view(made, line)))


def test_a_script_runs_without_qt_and_napari(tmp_path):
    path = tmp_path / "film.ome.tif"
    data = np.random.default_rng(0).integers(0, 900, (5, 20, 24)).astype(np.uint16)
    save_movie(path, Movie(data, "TYX", 10))
    layer = magnify_layer(file_layer(path), 3, mode="temporal", band=(1, 3))
    check = (
        "\nimport sys, numpy\n"
        "assert not {'napari', 'qtpy'} & set(sys.modules), 'napari was imported'\n"
        f"numpy.save({str(tmp_path / 'out.npy')!r}, magnified[2].compute())\n"
    )
    script = tmp_path / "script.py"
    script.write_text(source(magnification_of(layer)) + check)
    subprocess.run([sys.executable, script], check=True, timeout=120)
    expected = magnify(open_movie(path), 3, mode="temporal", band=(1, 3))[2].compute()
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
