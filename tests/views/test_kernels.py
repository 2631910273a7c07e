"""Kernels and activations against networks whose weights are set by hand."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_motionmag import magnify, views
from napari_motionmag.methods.learned import weights
from napari_motionmag.views.activations import unit_activations
from napari_motionmag.views.figures.mosaic import mosaic
from napari_motionmag.views.kernels import encoder_kernels, kernel_kind

pytestmark = pytest.mark.filterwarnings("ignore:.*of a frame would move by more")  # untrained


def grid(side):
    half = side // 2
    return np.mgrid[-half : half + 1, -half : half + 1].astype(float)


@pytest.mark.parametrize("angle", [0.0, 0.4, 0.8, np.pi / 2, 2.5])
def test_directional_filters_are_gabor_like(angle):
    y, x = grid(15)
    along = np.cos(angle) * x + np.sin(angle) * y
    envelope = np.exp(-(x**2 + y**2) / (2 * 2.5**2))
    for phase in (0.0, np.pi / 2):
        gabor = envelope * np.cos(2 * np.pi * along / 6 + phase)
        assert kernel_kind(gabor) == "gabor-like"
    assert kernel_kind(along * envelope) == "gabor-like"  # first derivative of a Gaussian


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.2])
def test_other_kinds(sigma):
    y, x = grid(15)
    squared = (x**2 + y**2) / sigma**2
    gaussian = np.exp(-squared / 2)
    assert kernel_kind(gaussian) == "blur"
    assert kernel_kind(-3 * gaussian) == "blur"
    assert kernel_kind((2 - squared) * gaussian) == "laplacian-like"
    assert kernel_kind(x * y * gaussian) == "corner-like"
    assert kernel_kind((x**2 - y**2) * gaussian) == "corner-like"


def test_a_delta_is_a_blur_and_nothing_is_an_error():
    delta = np.zeros((9, 9))
    delta[4, 4] = 1
    assert kernel_kind(delta) == "blur"
    with pytest.raises(ValueError, match="not all zero"):
        kernel_kind(np.zeros((5, 5)))
    with pytest.raises(ValueError, match="two-dimensional"):
        kernel_kind(np.ones(5))


def clear(network):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()


@pytest.fixture
def linear_oh2018(tmp_path):
    """Shape: a known 7 x 7 kernel in unit 3, its square law in unit 5; texture: its sum."""
    blocks = dict.fromkeys(("encoder_blocks", "head_blocks", "decoder_blocks"), 1)
    network = weights.build("oh2018", {"channels": 1, **blocks})
    clear(network)
    encoder = network.encoder
    random = np.random.default_rng(0)
    kernel = random.normal(size=(7, 7)) * 0.1
    with torch.no_grad():
        encoder.first.weight[0, 0] = torch.from_numpy(kernel).float()
        encoder.first.bias[0] = 50  # far from where ReLU bends
        encoder.first.weight[1, 0] = encoder.first.weight[0, 0]  # bends at 0
        encoder.down.weight[0, 0, 1, 1] = encoder.down.weight[1, 1, 1, 1] = 1
        encoder.shape_in.weight[3, 0, 1, 1] = encoder.shape_in.weight[5, 1, 1, 1] = 1
        encoder.texture_in.weight[2, 0] = 1
    path = tmp_path / "linear.safetensors"
    weights.save(path, network, {"model": "oh2018"})
    return path, 2 * kernel  # frames enter as 2 x - 1


@pytest.fixture
def few_places(monkeypatch):
    monkeypatch.setattr("napari_motionmag.views.estimators.kernel_fit._PLACES", 3)


def pictures(count=4, side=112):
    random = np.random.default_rng(1)
    return [random.random((side, side)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("method", ["least_squares", "impulse"])
def test_kernel_of_a_linear_encoder_is_found(linear_oh2018, few_places, method):
    path, expected = linear_oh2018
    count = 2 if method == "impulse" else 4
    found = encoder_kernels(pictures(count), path, "shape", size=9, method=method)
    assert found.stride == 2
    assert found.units.tolist() == [3, 5]  # the others do not respond
    assert found.errors[0] < 0.02
    assert 0.2 < found.errors[1] < 0.9
    np.testing.assert_allclose(found.kernels[0][1:-1, 1:-1], expected, atol=0.02)
    np.testing.assert_allclose(found.kernels[0][[0, -1]], 0, atol=0.02)
    # half-wave rectified noise follows its input with half the slope
    share = (found.kernels[1][1:-1, 1:-1] * expected).sum() / (expected**2).sum()
    assert share == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("method", ["least_squares", "impulse"])
def test_texture_is_at_a_quarter_of_the_resolution(linear_oh2018, few_places, method):
    path, kernel = linear_oh2018
    count = 2 if method == "impulse" else 12
    found = encoder_kernels(pictures(count), path, "texture", n=1, size=13, method=method)
    assert found.stride == 4
    # 3 x 3 taps at distance 2 px, each with the first kernel
    expected = np.zeros((13, 13))
    for y in (1, 3, 5):
        for x in (1, 3, 5):
            expected[y : y + 7, x : x + 7] += kernel
    assert found.errors[0] < 0.03
    np.testing.assert_allclose(found.kernels[0], expected, atol=0.05)
    assert np.corrcoef(found.kernels[0].ravel(), expected.ravel())[0, 1] > 0.995


def test_variation_kernel_of_the_difference_network(tmp_path, few_places):
    network = weights.build("difference", {"channels": 1})
    clear(network)
    with torch.no_grad():
        # channels after unshuffling: 4 of the frame, then 4 of the magnified variation
        encoder = network.motion
        encoder.head.weight[0, 4, 1, 1] = 1.0
        encoder.head.weight[0, 5, 1, 1] = -1.0
        encoder.head.weight[1, 0, 1, 1] = 1.0
        encoder.head.bias[:2] = 10
        encoder.down.weight[7, 0, 1, 1] = 1.0
        encoder.down.weight[8, 1, 1, 1] = 1.0
    path = tmp_path / "edge.safetensors"
    weights.save(path, network, {"model": "difference"})
    found = encoder_kernels(pictures(1, 80), path, size=7)
    expected = np.zeros((7, 7))
    expected[3, 3:5] = 2, -2  # the variation enters doubled, as black is -1 and white is 1
    assert found.units.tolist() == [7]
    assert found.stride == 4
    np.testing.assert_allclose(found.kernels[0], expected, atol=1e-6)
    assert found.errors[0] == pytest.approx(0, abs=1e-6)
    assert found.kinds == ("gabor-like",)
    texture = encoder_kernels(pictures(1, 80), path, "texture", size=7)
    assert texture.units.tolist() == [8]
    with pytest.raises(ValueError, match="method must be 'impulse'"):
        encoder_kernels(pictures(2), path, method="least_squares")


@pytest.mark.parametrize("model", ["oh2018", "difference"])
def test_shipped_networks_give_kernels_sorted_by_error(few_places, model):
    found = encoder_kernels(pictures(1, 96), model, n=3, size=9, method="impulse")
    assert found.kernels.shape == (3, 9, 9)
    assert (np.diff(found.errors) >= 0).all()
    assert (found.errors > 0).all()
    assert (found.errors < 1).all()
    assert len(found.kinds) == 3


def test_movies_and_colour_are_taken(linear_oh2018):
    path, expected = linear_oh2018
    movie = (np.stack(pictures(3)) * 255).astype(np.uint8)
    found = views.encoder_kernels(movie, path, "shape", n=1, size=9)
    np.testing.assert_allclose(found.kernels[0][1:-1, 1:-1], expected, atol=0.02)
    rgb = [np.repeat(picture[..., None], 3, -1) for picture in pictures()]
    found = views.encoder_kernels(rgb, path, "shape", n=1, size=9)
    np.testing.assert_allclose(found.kernels[0][1:-1, 1:-1], expected, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"representation": "colour"}, "representation must be one of"),
        ({"n": 0}, "n must be a whole number"),
        ({"size": 8}, "size must be an odd"),
        ({"method": "guess"}, "method must be one of"),
        ({"frames": []}, "frames is empty"),
        ({"frames": [np.zeros((20, 90))]}, "at least 64 px"),
        ({"frames": [np.full((90, 90), np.nan)]}, "frames must be finite"),
        ({"frames": pictures(1, 80), "size": 25}, "give more or larger frames"),
    ],
)
def test_wrong_arguments_are_named(linear_oh2018, options, message):
    arguments = {"frames": pictures(1), **options}
    with pytest.raises(ValueError, match=message):
        encoder_kernels(model=linear_oh2018[0], **arguments)


# ---- activations --------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    def save(model, **config):
        torch.manual_seed(0)
        network = weights.build(model, config)
        with torch.no_grad():  # a last layer of zeros would hide everything
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.05)
        path = tmp_path / f"{model}.safetensors"
        weights.save(path, network, {"model": model})
        return path

    return save


def movie(colour=False):
    random = np.random.default_rng(0)
    return random.random((4, 34, 45, 3) if colour else (4, 34, 45)).astype(np.float32)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("model", ["oh2018", "difference"])
def test_decoded_frames_are_those_of_magnify(small, model, colour):
    blocks = {"decoder_blocks": 2} if model == "oh2018" else {"quarter": 16}
    path = small(model, **blocks)
    noisy = movie(colour)
    for frames in (noisy, gaussian_filter(noisy, (0, 4, 4, 0)[: noisy.ndim])):
        found = unit_activations(frames, 2, (1.5, 4), model=path, mode="dynamic")
        for factor, decoded in zip((1.5, 4), found.decoded, strict=True):
            whole = magnify(frames, factor, model=path, mode="dynamic", intensity_range=(0, 1))
            np.testing.assert_allclose(decoded, whole[2].compute(), atol=1e-5)


def test_layers_units_and_factors_of_oh2018(small):
    path = small("oh2018", manipulator="linear", decoder_blocks=1)
    found = unit_activations(movie(), 3, (2, 5), model=path, units=4)
    assert {layer: maps.shape for layer, maps in found.maps.items()} == {
        "texture": (1, 4, 9, 12),
        "shape": (1, 4, 17, 23),
        "manipulator": (2, 4, 17, 23),
        "fusion": (2, 4, 17, 23),
    }
    assert found.strides == {"texture": 4, "shape": 2, "manipulator": 2, "fusion": 2}
    two, five = found.maps["manipulator"]
    np.testing.assert_allclose(five, 2.5 * two, rtol=1e-4, atol=1e-6)
    # the linear manipulator gives m times the difference of shapes
    first = unit_activations(
        movie(), 0, (1,), model=path, units={"shape": range(32)}, layers=["shape"]
    )
    last = unit_activations(
        movie(), 3, (1,), model=path, units={"shape": range(32)}, layers=["shape"]
    )
    difference = (last.maps["shape"] - first.maps["shape"])[0, found.units["manipulator"]]
    np.testing.assert_allclose(two, 2 * difference, atol=1e-4)
    picture = found.mosaic("manipulator")
    assert picture.shape == (4 * 18 - 1, 2 * 24 - 1)
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert found.mosaic("texture", columns=4).shape == (9, 4 * 13 - 1)
    with pytest.raises(ValueError, match="layer must be one of"):
        found.mosaic("deep")


def test_still_frames_leave_nothing_to_manipulate(small):
    path = small("oh2018", decoder_blocks=1)
    still = np.repeat(movie()[:1], 3, axis=0)
    found = unit_activations(still, 2, (10,), model=path, layers=["manipulator"])
    assert np.abs(found.maps["manipulator"]).max() < 1e-4


def test_layers_of_the_difference_network(small):
    path = small("difference", quarter=16)
    found = unit_activations(movie(), 1, (3,), model=path, units=2)
    assert found.strides == {
        "encoding": 4,
        "motion": 4,
        "displacement": 1,
        "drawing": 4,
        "fusion": 2,
    }
    assert found.maps["encoding"].shape == (1, 2, 9, 12)
    assert found.maps["displacement"].shape == (1, 2, 34, 45)
    # hooks are gone: a second look sees the same, once
    again = unit_activations(movie(), 1, (3,), model=path, units=2)
    np.testing.assert_array_equal(found.maps["motion"], again.maps["motion"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": 9}, "t must be within 0..3"),
        ({"factors": ()}, "factors must be one finite number"),
        ({"layers": ["deep"]}, "must be among texture, shape, manipulator, fusion"),
        ({"units": 0}, "units must be a number from 1 up"),
        ({"units": {"shape": [99]}, "layers": ["shape"]}, r"must be within 0\.\.31"),
        ({"units": {"shape": [1]}, "layers": ["fusion"]}, "must name the units of layer 'fusion'"),
    ],
)
def test_wrong_arguments_of_activations_are_named(small, options, message):
    path = small("oh2018", decoder_blocks=1)
    with pytest.raises(ValueError, match=message):
        unit_activations(movie(), **{"t": 1, "model": path, **options})


# ---- mosaics ------------------------------------------------------------------------------------


def test_mosaic_places_and_scales():
    parts = np.arange(3 * 2 * 2, dtype=float).reshape(3, 2, 2)
    each = mosaic(parts, columns=2, gap=1)
    assert each.shape == (5, 5)
    np.testing.assert_allclose(each[:2, 3:], [[0, 1 / 3], [2 / 3, 1]])
    assert each[2, 0] == 1  # gap
    assert each[4, 4] == 1  # empty place
    together = mosaic(parts, columns=3, gap=0, scaling="all")
    np.testing.assert_allclose(together[0], np.array([0, 1, 4, 5, 8, 9]) / 11)
    signed = mosaic(np.array([[[-2.0, 1.0]]]), signed=True)
    np.testing.assert_allclose(signed, [[0, 0.75]])
    colour = mosaic(np.random.default_rng(0).random((5, 4, 4, 3)))
    assert colour.shape == (9, 14, 3)
    with pytest.raises(ValueError, match="pictures must have the shape"):
        mosaic(np.zeros((0, 4, 4)))
