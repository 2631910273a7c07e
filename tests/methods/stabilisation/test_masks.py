"""Masks of layers, arrays and files, in the pixels of the movie."""

import base64
import json
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile

from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.stabilisation.layer_masks import mask_from_layer, mask_of
from napari_motionmag.methods.stabilisation.mask_files import pack, read_mask, unpack
from napari_motionmag.methods.stabilisation.stabilised import Stabilised

layers = pytest.importorskip("napari.layers")
pytestmark = pytest.mark.usefixtures("plain_napari")

AXES, SHAPE = "TYX", (4, 20, 30)
BOX = np.zeros(SHAPE[1:], bool)
BOX[5:9, 6:12] = True
FRAMES = np.stack([np.roll(BOX, k, 1) for k in range(4)])


def image(**placed):
    return layers.Image(np.zeros(SHAPE), **placed)


def same(found, expected):
    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)


def stacked(mask):
    return np.stack([mask[t] for t in range(mask.shape[0])])


# ---- labels ----


def test_labels_in_the_pixels_of_the_movie():
    same(mask_from_layer(layers.Labels(FRAMES * 4), AXES, SHAPE), FRAMES)
    same(mask_from_layer(layers.Labels(BOX * 4), AXES, SHAPE), BOX)
    same(mask_from_layer(layers.Labels(BOX), AXES, SHAPE, image()), BOX)
    scaled = {"scale": (0.1, 2, 3), "translate": (7, 8, 9)}
    same(mask_from_layer(layers.Labels(FRAMES, **scaled), AXES, SHAPE, image(**scaled)), FRAMES)


def test_labels_with_a_scale_and_a_place_of_their_own():
    # pixels twice as large, which start 4 px down and 2 px to the right
    source = image(scale=(1, 0.5, 0.5), translate=(0, 10, 20))
    coarse = np.zeros((6, 7), np.uint8)
    coarse[1:3, 2:5] = 2
    drawn = layers.Labels(
        coarse, scale=(1, 1), translate=(10 + 4 * 0.5 + 0.25, 20 + 2 * 0.5 + 0.25)
    )
    expected = np.zeros(SHAPE[1:], bool)
    expected[4 + 2 : 4 + 6, 2 + 4 : 2 + 10] = True
    same(mask_from_layer(drawn, AXES, SHAPE, source), expected)


def test_labels_turned_against_the_movie():
    # a quarter turn: rows of the labels are columns of the movie
    turned = layers.Labels(BOX.T.astype(int), rotate=90, scale=(1, 1))
    found = mask_from_layer(turned, AXES, SHAPE, image())
    to_labels = [turned.world_to_data((y, x)) for y, x in np.ndindex(*SHAPE[1:])]
    at = np.floor(np.array(to_labels) + 0.5).astype(int)
    inside = ((at >= 0) & (at < BOX.T.shape)).all(1)
    expected = np.zeros(len(at), bool)
    expected[inside] = BOX.T[tuple(at[inside].T)]
    same(found, expected.reshape(SHAPE[1:]))


def test_labels_that_start_later_than_the_movie():
    source = image(scale=(0.5, 1, 1))
    shifted = layers.Labels(FRAMES.astype(int), scale=(0.5, 1, 1), translate=(0.5, 0, 0))
    found = mask_from_layer(shifted, AXES, SHAPE, source)
    same(stacked(found), np.stack([np.zeros_like(BOX), *FRAMES[:3]]))
    with pytest.raises(ValueError, match="3 of 4 frames; frame 0 has none"):
        mask_of(shifted, AXES, SHAPE, source)


def test_axes_other_than_time_are_united():
    both = np.zeros((4, 2, 20, 30), int)
    both[:, 0, 2:4, 2:4] = 1
    both[:, 1, 10:12, 5:9] = 3
    found = mask_from_layer(layers.Labels(both), "TZYX", both.shape)
    same(found, (both > 0).any(1))
    # the movie has channels that the labels do not have
    found = mask_from_layer(layers.Labels(FRAMES.astype(int)), "CTYX", (3, *SHAPE))
    same(found, FRAMES)


def test_lazy_labels_are_read_frame_by_frame(counting_source):
    lazy, reads = counting_source(FRAMES.astype(np.uint8))
    mask, frame = mask_of(layers.Labels(lazy), AXES, SHAPE, image())
    reads.clear()
    same(np.asarray(mask[2]), FRAMES[2])
    assert (frame, reads) == (None, [2])
    moved = layers.Labels(lazy, translate=(0, 0, 1))
    mask, _ = mask_of(moved, AXES, SHAPE, image())
    reads.clear()
    same(mask[1], np.roll(FRAMES[1], 1, 1))
    assert reads == [1]


def test_labels_painted_in_one_frame_are_the_mask_of_that_frame():
    painted = np.zeros(SHAPE, int)
    painted[2] = BOX
    mask, frame = mask_of(layers.Labels(painted), AXES, SHAPE, image())
    same(mask, BOX)
    assert frame == 2
    mask, frame = mask_of(painted, AXES, SHAPE)
    same(mask, BOX)
    assert frame == 2


# ---- shapes ----

CORNERS = np.array([[5.2, 6.2], [5.2, 11.3], [8.3, 11.3], [8.3, 6.2]])


def test_shapes_in_the_pixels_of_the_movie():
    mask = mask_from_layer(layers.Shapes([CORNERS], shape_type="polygon"), AXES, SHAPE, image())
    assert mask.shape == SHAPE[1:]
    assert mask[6, 8]
    assert not mask[12, 8]
    assert 10 <= mask.sum() <= 24


@pytest.mark.parametrize("shape_type", ["polygon", "rectangle", "ellipse"])
def test_shapes_drawn_in_micrometres(shape_type):
    # 0.1 um a px: coordinates of the drawing are a tenth of pixels
    source = image(scale=(1, 0.1, 0.1), translate=(0, 3, 4))
    drawn = layers.Shapes([CORNERS * 2 / 10 + (3, 4)], shape_type=shape_type)
    plain = layers.Shapes([CORNERS * 2], shape_type=shape_type)
    same(
        mask_from_layer(drawn, AXES, SHAPE, source),
        plain.to_masks(mask_shape=SHAPE[1:])[0].astype(bool),
    )


def test_shapes_drawn_in_a_frame_are_the_mask_of_that_frame():
    there = [np.column_stack([np.full(4, 3.0), CORNERS])]
    mask, frame = mask_of(layers.Shapes(there, shape_type="polygon"), AXES, SHAPE, image())
    assert frame == 3
    assert mask[6, 8]
    two = there + [np.column_stack([np.full(4, 1.0), CORNERS])]
    with pytest.raises(ValueError, match="2 of 4 frames; frame 0 has none"):
        mask_of(layers.Shapes(two, shape_type="polygon"), AXES, SHAPE, image())
    each = [np.column_stack([np.full(4, float(t)), CORNERS + t]) for t in range(4)]
    mask, frame = mask_of(layers.Shapes(each, shape_type="polygon"), AXES, SHAPE, image())
    assert (mask.shape, frame) == (SHAPE, None)
    assert mask[3, 9, 11]
    assert not mask[0, 9, 11]


# ---- plain values and files ----


@pytest.mark.parametrize("mask", [BOX, FRAMES, np.random.default_rng(0).random((37, 41)) < 0.5])
def test_a_mask_comes_back_from_plain_values(mask):
    about = json.loads(json.dumps(pack(mask, "cell")))
    assert about["name"] == "cell"
    same(unpack(about), mask)
    same(mask_of(about, "TYX", (4, *mask.shape[-2:]))[0], mask)


def test_large_masks_are_named_and_not_kept():
    about = pack(np.random.default_rng(0).random((900, 900)) < 0.5, "noise")
    assert len(about["sha256"]) == 64
    with pytest.raises(ValueError, match=r"mask 'noise' of shape \(900, 900\) was too large"):
        unpack(about)
    assert pack(None) is None
    # an outline is small, however large the frame
    y, x = np.ogrid[:2048, :2048]
    assert len(pack(np.hypot(y - 900, x - 800) < 500)["bits"]) < 20_000


def test_damaged_bits_are_refused():
    about = pack(BOX)
    for bits in ("?", about["bits"][:-8], about["bits"][8:]):
        with pytest.raises(ValueError, match="damaged"):
            unpack({**about, "bits": bits})
    with pytest.raises(ValueError, match="damaged"):
        unpack({**about, "shape": [3, 3]})


def test_masks_from_files(tmp_path):
    np.save(tmp_path / "m.npy", FRAMES * 3.0)
    tifffile.imwrite(tmp_path / "m.tif", (BOX * 255).astype("u1"))
    same(read_mask(tmp_path / "m.npy"), FRAMES)
    same(read_mask(str(tmp_path / "m.tif")), BOX)
    same(mask_of(tmp_path / "m.tif", AXES, SHAPE)[0], BOX)
    np.save(tmp_path / "line.npy", np.ones(5))
    (tmp_path / "bad.tif").write_bytes(b"no tiff")
    with pytest.raises(ValueError, match=r"must be \(Y, X\) or \(T, Y, X\), got shape \(5,\)"):
        read_mask(tmp_path / "line.npy")
    with pytest.raises(ValueError, match="cannot be read"):
        read_mask(tmp_path / "bad.tif")
    with pytest.raises(ValueError, match=r"\.npy, \.tif or \.tiff file"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(FileNotFoundError):
        read_mask(tmp_path / "none.npy")


# ---- errors ----


def test_what_is_no_mask_is_refused():
    with pytest.raises(ValueError, match=r"Labels layer must have the shape \(4, 20, 30\)"):
        mask_from_layer(layers.Labels(FRAMES[:, 1:].astype(int)), AXES, SHAPE)
    with pytest.raises(ValueError, match="marks no pixel"):
        mask_of(layers.Labels(np.zeros(SHAPE, int)), AXES, SHAPE, image())
    with pytest.raises(ValueError, match="holds no shape"):
        mask_of(layers.Shapes(), AXES, SHAPE)
    with pytest.raises(ValueError, match="marks no pixel"):
        mask_of(layers.Shapes([CORNERS + 90], shape_type="polygon"), AXES, SHAPE)
    with pytest.raises(TypeError, match="Labels or Shapes layer, got Image"):
        mask_of(image(), AXES, SHAPE)
    with pytest.raises(ValueError, match=r"\(4, 20, 30\) of the movie, got \(20, 3\)"):
        mask_of(BOX[:, 6:9], AXES, SHAPE)
    with pytest.raises(TypeError, match="mask must be boolean"):
        mask_of(BOX * 1.0, AXES, SHAPE)
    with pytest.raises(TypeError, match="mask=layer"):
        Stabilised(LinearMagnifier(), mask=layers.Labels(BOX.astype(int)))


@pytest.mark.parametrize(
    "shape",
    [[2**20, 2**20], [3, -3], [3.0, 3], [37], "37", None, [2**29, 1]],
)
def test_shapes_that_no_mask_has_are_refused(shape):
    with pytest.raises(ValueError, match="mask: its shape in the recipe must be"):
        unpack({**pack(BOX), "shape": shape})


def test_a_text_that_expands_to_gigabytes_costs_no_more_than_the_movie():
    zeros = base64.b64encode(zlib.compress(bytes(200 * 2**20), 9)).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"damaged .more instead of"):
        mask_of({"shape": list(SHAPE[-2:]), "bits": zeros}, "TYX", SHAPE)
    with pytest.raises(ValueError, match="mask must have the shape"):
        mask_of({"shape": [16384, 16384], "bits": zeros}, "TYX", SHAPE)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2e6


def test_damaged_mask_files_are_named(tmp_path):
    for name in ("m.npy", "m.tif"):
        (tmp_path / name).write_bytes(b"no mask")
        with pytest.raises(ValueError, match=f"mask: .*{name} cannot be read"):
            read_mask(tmp_path / name)
