"""A region of the frames, and frames at reduced resolution."""

import dask.array as da
import numpy as np
import pytest
from motion import fourier_shift, smooth_texture

from napari_motionmag import Movie, magnify, magnify_layer
from napari_motionmag.movie.region import Region


def _movie(height=300, width=330, n=3):
    texture = smooth_texture(max(height, width))[:height, :width]
    return np.stack([fourier_shift(texture, 0.1 * t, 0.3 * t) for t in range(n)]).astype("f4")


@pytest.fixture(scope="module")
def frames():
    return _movie()


@pytest.mark.parametrize("model", ["difference", "oh2018"])
@pytest.mark.parametrize("region", [(100, 180, 90, 150), (0, 40, 290, 330), (0, 300, 7, 300)])
def test_a_region_is_drawn_as_in_the_whole_frame(frames, model, region):
    options = {"model": model, "intensity_range": (0, 1), "mode": "dynamic"}
    whole = magnify(frames, 8, **options)[2].compute()
    y0, y1, x0, x1 = region
    part = magnify(frames, 8, region=region, **options)
    assert part.shape == (3, y1 - y0, x1 - x0)
    assert np.abs(part[2].compute() - whole[y0:y1, x0:x1]).max() < 1e-5


def test_the_range_is_that_of_the_whole_movie():
    movie = (1000 * _movie()).astype(np.uint16)
    movie[:, 0, :40] = 60000
    whole = magnify(movie, 5, mode="dynamic")[2].compute()
    part = magnify(movie, 5, mode="dynamic", region=(100, 150, 100, 150))[2].compute()
    assert np.array_equal(part, whole[100:150, 100:150])


def test_only_the_region_is_read(frames):
    seen = []

    def block(block_id=None):
        seen.append(block_id)
        return np.zeros((1, 100, 100), np.uint8)

    chunks = ((1,) * 5, (100,) * 10, (100,) * 10)
    movie = da.map_blocks(block, chunks=chunks, dtype="u1", meta=np.empty((0, 0, 0), "u1"))
    magnify(movie, 3, method="phase", region=(410, 480, 710, 780))[3].compute()
    assert {t for t, _, _ in seen} == {0, 3}
    assert {y for _, y, _ in seen} <= {3, 4, 5}
    assert {x for _, _, x in seen} <= {6, 7, 8}


def test_a_preview_is_the_movie_of_means(frames):
    reduced = frames[:, :298, :].reshape(3, 149, 2, 165, 2).mean(axis=(2, 4))
    movie = frames[:, :299]
    out = magnify(movie, 6, preview=2, intensity_range=(0, 1))
    assert out.shape == (3, 149, 165)
    expected = magnify(reduced.astype("f4"), 6, intensity_range=(0, 1))
    assert np.abs(out[1].compute() - expected[1].compute()).max() < 1e-5


def test_averages_are_not_rounded_before_they_are_magnified():
    rng = np.random.default_rng(0)
    movie = rng.integers(90, 110, (2, 64, 64)).astype(np.uint8)
    fine = movie.reshape(2, 32, 2, 32, 2).mean(axis=(2, 4)).astype("f4")
    out = magnify(movie, 4, preview=2, method="linear")[1].compute()
    expected = magnify(fine, 4, method="linear", intensity_range=(0, 255))[1].compute()
    assert np.abs(out - expected).max() <= 0.5 + 1e-3


def test_region_and_preview_together(frames):
    options = {"intensity_range": (0, 1), "preview": 2}
    whole = magnify(frames, 6, **options)[2].compute()
    part = magnify(frames, 6, region=(100, 200, 60, 161), **options)[2].compute()
    assert part.shape == (50, 50)
    assert np.abs(part - whole[50:100, 30:80]).max() < 1e-5


@pytest.mark.parametrize("axes", ["TYX", "CTYX", "TYXS", "YXTC"])
def test_axes_come_out_in_their_order(axes):
    sizes = {"T": 3, "C": 2, "Y": 40, "X": 50, "S": 4}
    movie = np.random.default_rng(0).integers(0, 255, [sizes[a] for a in axes]).astype(np.uint8)
    out = magnify(movie, 1, axes=axes, region=(5, 25, 9, 39), preview=1)
    cut = {"Y": slice(5, 25), "X": slice(9, 39)}
    assert np.array_equal(out.compute(), movie[tuple(cut.get(a, slice(None)) for a in axes)])
    half = magnify(movie, 3, axes=axes, preview=2, method="linear").compute()
    assert half.shape == tuple({"Y": 20, "X": 25}.get(a, sizes[a]) for a in axes)


def test_a_part_is_an_array(frames):
    part = Region.make(Movie(frames), (10, 60, 20, 90))
    assert part.shape == (3, 50, 70)
    assert np.array_equal(part[1:3, 4], frames[1:3, 14, 20:90])
    assert np.array_equal(part[2], frames[2, 10:60, 20:90])
    assert np.array_equal(np.asarray(part[:, :, 3]), frames[:, 10:60, 23])
    assert np.array_equal(part[...], frames[:, 10:60, 20:90])
    assert np.array_equal(part[..., 3], frames[:, 10:60, 23])
    assert np.array_equal(part[[2, 0], 4:9], frames[[2, 0], 14:19, 20:90])


def test_large_integers_are_read_as_they_are():
    movie = np.full((2, 20, 20), 2**63 - 1) - np.arange(20)
    assert np.array_equal(Region.make(Movie(movie), (0, 10, 5, 15))[:], movie[:, :10, 5:15])


@pytest.mark.parametrize("preview", [1, 2])
def test_the_layer_lies_where_the_region_is(preview):
    from napari.layers import Image

    movie = (255 * _movie(64, 80)).astype(np.uint8)
    layer = Image(
        movie, scale=(0.5, 2, 3), translate=(1, 10, 20), rotate=30, contrast_limits=(0, 255)
    )
    made = magnify_layer(layer, 1, region=(16, 48, 24, 72), preview=preview)
    # the middle of a square of pixels of the source is the middle of a pixel of the part
    at = np.array([2, 5, 7.0])
    there = at * (1, preview, preview) + (0, 16, 24) + np.array([0, 0.5, 0.5]) * (preview - 1)
    assert np.allclose(made.data_to_world(at), layer.data_to_world(there))
    assert made.metadata["napari_motionmag"]["recipe"]["region"] == (16, 48, 24, 72)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"region": (0, 10, 0)}, ValueError, "region must be four whole numbers"),
        ({"region": (0, 400, 0, 10)}, ValueError, "within the frames of 300 x 330 px"),
        ({"region": (10, 10, 0, 10)}, ValueError, "region must be"),
        ({"region": (0.5, 10, 0, 10)}, TypeError, "region must be"),
        ({"region": (0, 4, 0, 50)}, ValueError, "at least 8 x 8 px"),
        ({"preview": 0}, ValueError, "preview must be within 1..16, got 0"),
        ({"preview": 1.5}, TypeError, "preview must be a whole number"),
        ({"region": (0, 3, 0, 50), "preview": 4}, ValueError, "preview must be within 1..3, got 4"),
        ({"preview": 2, "stabilise": "rigid"}, ValueError, "without stabilise"),
    ],
)
def test_bad_parts_are_refused(frames, arguments, error, message):
    with pytest.raises(error, match=message):
        magnify(frames, 3, **arguments)
