import pickle
import time
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from motion import fourier_shift, measured_shift, smooth_texture

from napari_motionmag import Movie, magnify, temporal
from napari_motionmag.magnification.magnification import magnify_layer, plan


def _moving(n=6, size=32, amplitude=0.3, dtype=np.float32, top=1.0):
    """A texture that moves along x as a sinusoid."""
    texture = smooth_texture(size)
    moves = amplitude * np.sin(2 * np.pi * np.arange(n) / n)
    frames = np.stack([fourier_shift(texture, 0, d) for d in moves]) * top
    return frames.astype(dtype)


def test_magnify_is_the_function_whichever_module_came_first():
    import napari_motionmag.magnification.magnification

    assert callable(napari_motionmag.magnify)
    assert napari_motionmag.magnify is magnify


def test_result_is_lazy_and_like_the_source(counting_source):
    frames = _moving(dtype=np.uint16, top=60000)
    movie, reads = counting_source(frames)
    out = magnify(movie, 5)
    assert isinstance(out, da.Array)
    assert (out.shape, out.dtype) == (movie.shape, movie.dtype)
    assert out.chunks == ((1,) * 6, (32,), (32,))
    assert reads == []


# uint8 movies need no frame to know their range, so that every read is one of the operator's.
@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({}, {0, 4}),
        ({"reference": 2}, {2, 4}),
        ({"reference": [1, 2, 5]}, {1, 2, 4, 5}),
        ({"reference": slice(0, 2)}, {0, 1, 4}),
        ({"mode": "dynamic"}, {3, 4}),
        ({"mode": temporal.Dynamic(lag=3)}, {1, 4}),
    ],
)
@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_a_frame_reads_what_it_needs_and_no_more(counting_source, options, needed, model):
    movie, reads = counting_source(_moving(dtype=np.uint8, top=255))
    magnify(movie, 5, model=model, **options)[4].compute()
    assert sorted(reads) == sorted(needed)


def test_a_temporal_frame_reads_the_filters_window(counting_source):
    movie, reads = counting_source(_moving(n=80, size=16, dtype=np.uint8, top=255))
    magnify(movie, 5, mode="temporal", band=(4, 8), fps=30)[40].compute()
    window, _ = temporal.FIR(4, 8, fps=30).row(40, 80)
    assert sorted(reads) == sorted(window.tolist())
    assert len(reads) < 80


def test_range_of_16_bit_movies_costs_at_most_five_reads(counting_source):
    movie, reads = counting_source(_moving(n=50, size=16, dtype=np.uint16, top=60000))
    magnify(movie, 5)[30].compute()
    assert len(set(reads) - {0, 30}) <= 5


def test_huge_movie_returns_at_once_and_reads_nothing():
    reads = []

    def block(block_id=None):
        reads.append(block_id)
        return np.zeros((1, 2048, 2048), np.uint16)

    chunks = ((1,) * 100_000, (2048,), (2048,))
    movie = da.map_blocks(block, chunks=chunks, dtype=np.uint16, meta=np.empty((0, 0, 0), "u2"))
    magnify(movie, 10)  # imports
    spent = []
    for _ in range(3):
        started = time.thread_time()
        magnify(movie, 10)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.1
    assert reads == []


def test_factor_one_is_the_identity_to_the_bit():
    frames = _moving()
    assert np.array_equal(magnify(frames, 1).compute(), frames)


@pytest.mark.parametrize("reference", [0, 3])
def test_the_reference_frame_stays_as_it_is(reference):
    frames = _moving(dtype=np.uint16, top=60000)
    out = magnify(frames, 20, reference=reference)[reference].compute()
    assert np.array_equal(out, frames[reference])


def test_still_movie_stays_still_at_any_factor():
    frames = np.repeat(_moving(n=1, dtype=np.uint16, top=60000), 5, axis=0)
    for mode in ("static", "dynamic"):
        assert np.array_equal(magnify(frames, 1000, mode=mode).compute(), frames)


@pytest.mark.parametrize("model", ["difference", "oh2018"])
@pytest.mark.parametrize(("delta", "factor"), [(0.3, 5.0), (0.05, 30.0)])
def test_shipped_weights_magnify_by_the_factor(model, delta, factor):
    texture = smooth_texture(96, cutoff=0.08)
    frames = np.stack([texture, fourier_shift(texture, 0, delta)]).astype(np.float32)
    out = magnify(frames, factor, model=model)[1].compute()
    moved = measured_shift(texture, out)[1]
    assert 0.7 * factor * delta < moved < 1.3 * factor * delta


axes_and_shapes = st.permutations("TYX").flatmap(
    lambda letters: st.tuples(
        st.just("".join(letters)), st.sampled_from(["", "Z", "C", "ZC"]), st.booleans()
    )
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(axes_and_shapes, st.sampled_from(["u1", "u2", "i2", "f4", "f8"]))
def test_any_axes_and_dtype_come_back(layout, dtype):
    letters, others, rgb = layout
    axes = others + letters + ("S" if rgb else "")
    sizes = {"T": 3, "Y": 9, "X": 12, "Z": 2, "C": 2, "S": 3}
    shape = tuple(sizes[a] for a in axes)
    rng = np.random.default_rng(0)
    movie = (rng.random(shape) * (1 if dtype[0] == "f" else 100)).astype(dtype)
    out = magnify(movie, 3.0, axes=axes, denoise=0)
    result = out.compute()
    assert (result.shape, result.dtype) == (movie.shape, movie.dtype)
    still = np.take(result, 0, axes.index("T"))
    assert np.allclose(still, np.take(movie, 0, axes.index("T")), rtol=1e-6)


def test_other_axes_are_magnified_one_by_one():
    a, b = _moving(seed := 4, 24), _moving(seed, 24, amplitude=0.1)
    both = np.stack([a, b], axis=1)
    out = magnify(both, 5, axes="TCYX", intensity_range=(0, 1)).compute()
    for k, single in enumerate((a, b)):
        alone = magnify(single, 5, intensity_range=(0, 1)).compute()
        assert np.array_equal(out[:, k], alone)


def test_alpha_passes_through():
    rng = np.random.default_rng(0)
    movie = rng.integers(0, 255, (3, 16, 16, 4), dtype=np.uint8)
    out = magnify(movie, 4, axes="TYXS").compute()
    assert np.array_equal(out[..., 3], movie[..., 3])


def test_grey_in_rgb_stays_grey():
    grey = _moving(dtype=np.uint8, top=255)
    out = magnify(np.stack([grey] * 3, -1), 8, axes="TYXS").compute().astype(int)
    # The networks draw three colours; what they add to the frame must be nearly the same.
    assert np.abs(out[..., 0] - out[..., 1]).max() <= 12


def test_results_can_be_pickled_and_computed_elsewhere():
    frames = _moving()
    out = magnify(frames, 4)
    again = pickle.loads(pickle.dumps(out))
    assert np.array_equal(again[3].compute(), out[3].compute())


def test_schedulers_agree():
    out = magnify(_moving(), 4, mode="dynamic")
    with dask.config.set(scheduler="synchronous"):
        one = out.compute()
    with dask.config.set(scheduler="threads", num_workers=4):
        many = out.compute()
    assert np.array_equal(one, many)


def test_zarr_source(tmp_path):
    import zarr

    frames = _moving(dtype=np.uint16, top=60000)
    stored = zarr.create_array(tmp_path / "m.zarr", data=frames, chunks=(1, 32, 32))
    assert np.array_equal(magnify(stored, 3)[2].compute(), magnify(frames, 3)[2].compute())


def test_operator_objects_are_modes():
    frames = _moving(n=20, size=16)
    by_name = magnify(frames, 3, mode="temporal", band=(2, 4), fps=20)[9].compute()
    by_object = magnify(frames, 3, mode=temporal.FIR(2, 4), fps=20)[9].compute()
    assert np.array_equal(by_name, by_object)


def test_recipe_says_how_it_was_made():
    recipe = plan(_moving(), 4, mode="dynamic").recipe
    assert recipe["factor"] == 4
    assert recipe["method"] == "learned"
    again = temporal.TemporalOperator.from_dict(recipe["operator"])
    assert again == temporal.Dynamic()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"factor": float("nan")}, ValueError, "factor must be finite, got nan"),
        ({"factor": float("inf")}, ValueError, "factor must be finite"),
        ({"factor": 1e308}, ValueError, "factor must be finite, got 1e\\+308"),
        ({"factor": -(10**400)}, ValueError, "factor must be finite, got -1000.*000;"),
        ({"factor": "ten"}, TypeError, "factor must be a number, got 'ten'"),
        ({"factor": True}, TypeError, "factor must be a number"),
        ({"method": "magic"}, ValueError, "method must be one of .*'learned'.*got 'magic'"),
        ({"mode": "sideways"}, ValueError, "mode must be"),
        ({"mode": "temporal", "fps": 30}, ValueError, "band"),
        ({"mode": "temporal", "band": (2, 4)}, ValueError, "fps"),
        ({"mode": "temporal", "band": (2, 40), "fps": 30}, ValueError, "15"),
        ({"reference": 6}, (ValueError, IndexError), "reference"),
        ({"filter": "boxcar", "mode": "temporal", "band": (2, 4), "fps": 30}, ValueError, "filter"),
        ({"model": "nonsense"}, ValueError, "model must be one of"),
        ({"device": "toaster"}, ValueError, "device must be"),
        ({"intensity_range": (1, 1)}, ValueError, "intensity_range"),
        ({"intensity_range": (0, 1e-300)}, ValueError, "intensity_range .* 1e-30 to 1e38 apart"),
        ({"intensity_range": (0, 10**400)}, ValueError, "intensity_range .* 1e-30 to 1e38 apart"),
        ({"intensity_range": (-1e308, 1e308)}, ValueError, "1e-30 to 1e38 apart"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        magnify(_moving(), **{"factor": 4, **arguments})


@pytest.mark.parametrize(
    ("movie", "message"),
    [
        (np.zeros((1, 32, 32)), "at least 2 frames"),
        (np.zeros((5, 6, 32)), "at least 8 x 8 px"),
        (np.zeros((2, 3, 32, 32)), "axes"),
        (np.zeros((32, 32)), "axes"),
    ],
)
def test_bad_movies_are_refused_at_once(movie, message):
    with pytest.raises(ValueError, match=message):
        magnify(movie, 4)


@pytest.mark.parametrize("method", ["learned", "phase", "riesz"])
def test_too_small_frames_are_refused_at_once_by_every_method(method):
    with pytest.raises(ValueError, match=f"at least 8 x 8 px for method '{method}', got 6 x 32"):
        magnify(np.zeros((5, 6, 32)), 4, method=method)


@pytest.mark.parametrize("method", ["phase", "riesz", "linear", "lagrangian"])
def test_classical_methods_by_name(method):
    texture = smooth_texture(64, cutoff=0.08)
    frames = np.stack([texture, fourier_shift(texture, 0, 0.1)])
    moved = measured_shift(texture, magnify(frames, 4, method=method)[1].compute())[1]
    assert 0.3 < moved < 0.48


def test_options_of_a_method_are_passed_on_or_refused():
    frames = _moving()
    octave = magnify(frames, 3, method="phase", pyramid="octave")[2].compute()
    assert not np.array_equal(octave, magnify(frames, 3, method="phase")[2].compute())
    with pytest.raises(
        TypeError, match=r"unknown arguments \['bogus'\]; method 'phase' takes also"
    ):
        magnify(frames, 3, method="phase", bogus=1)
    with pytest.raises(ValueError, match="only the learned method takes"):
        magnify(frames, 3, method="phase", tile=64)


def test_non_finite_pixels_are_reported_not_spread():
    frames = _moving()
    frames[3, 5, 7] = np.nan
    out = magnify(frames, 4, intensity_range=(0, 1))
    assert np.isfinite(out[2].compute()).all()
    with pytest.raises(ValueError, match="frame t=3 of the movie has 1 pixel that is NaN"):
        out[3].compute()


def test_layer_needs_an_image():
    from napari.layers import Points

    with pytest.raises(TypeError, match="Points"):
        magnify_layer(Points(np.zeros((2, 3))), 4)


def test_movie_objects_bring_their_frame_rate():
    movie = Movie(_moving(n=20, size=16), fps=20)
    assert plan(movie, 3, mode="temporal", band=(2, 4)).operator.fps == 20


@pytest.mark.parametrize("filter", ["fir", "butterworth", "iir", "acceleration"])
def test_a_record_shorter_than_a_period_is_said(filter):
    movie = np.random.default_rng(0).random((30, 16, 16))
    settings = {"mode": "temporal", "fps": 30, "filter": filter, "method": "linear"}
    with pytest.warns(UserWarning, match=r"30 frames last 1 s at 30 fps, .* at 1 Hz or above"):
        magnify(movie, 5, band=(0.2, 0.5), **settings)
    with pytest.warns(UserWarning, match="less than a period of 0.2 Hz, 5 s"):
        magnify(movie, 5, band=(2, 3), more_bands=[(0.2, 0.5, 3)], **settings | {"filter": "fir"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        magnify(movie, 5, band=(1, 3), **settings)
        magnify(movie, 5, band=(1, 3), **settings | {"fps": 30.03})
