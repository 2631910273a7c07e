"""magnify_layer: what a magnified layer has from its source."""

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_motionmag import __version__, magnify_layer
from napari_motionmag.magnification.layer import magnified_name


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 3000, (6, 16, 20)).astype(np.uint16)


def test_calibration_and_look_are_copied(frames):
    affine = np.eye(4)
    affine[1, 3] = 7
    source = Image(
        frames,
        name="cell",
        scale=(0.1, 0.2, 0.3),
        translate=(1, 2, 3),
        rotate=30,
        shear=(0.1, 0, 0),
        affine=affine,
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        colormap="magenta",
        contrast_limits=(100, 2000),
        gamma=0.7,
        interpolation2d="cubic",
        interpolation3d="nearest",
        blending="additive",
        opacity=0.6,
        rendering="average",
    )
    source.contrast_limits_range = (0, 4000)
    layer = magnify_layer(source, 4, method="phase")
    assert np.allclose(
        layer._data_to_world.affine_matrix, source._data_to_world.affine_matrix, atol=1e-12
    )
    assert np.array_equal(layer.affine.affine_matrix, source.affine.affine_matrix)
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels
    assert layer.colormap.name == "magenta"
    for name in (
        "contrast_limits",
        "contrast_limits_range",
        "gamma",
        "interpolation2d",
        "interpolation3d",
        "blending",
        "opacity",
        "rendering",
        "rgb",
    ):
        assert getattr(layer, name) == getattr(source, name), name
    assert layer.projection_mode == "none"
    assert layer.visible


def test_data_are_lazy_and_the_recipe_is_kept(frames):
    layer = magnify_layer(Image(frames, name="cell"), 4, method="phase")
    assert isinstance(layer.data, da.Array)
    assert layer.data.chunks == ((1,) * 6, (16,), (20,))
    about = layer.metadata["napari_motionmag"]
    assert (about["source"], about["version"]) == ("cell", __version__)
    assert (about["recipe"]["factor"], about["recipe"]["method"]) == (4, "phase")


def test_making_a_layer_reads_little(frames, counting_source):
    movie, reads = counting_source(frames)
    source = Image(movie, contrast_limits=(0, 3000), cache=False, visible=False)
    reads.clear()
    magnify_layer(source, 1)  # napari draws the frame it shows first
    assert reads == [0]


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ({"operator": "static"}, "static"),
        ({"operator": "dynamic", "lag": 1}, "dynamic"),
        ({"operator": "fir", "low": 72.0, "high": 92.5}, "72-92.5 Hz"),
        ({"operator": "acceleration", "frequency": 3.0}, "acceleration 3 Hz"),
    ],
)
def test_names(operator, kind):
    recipe = {"factor": 10.0, "method": "learned", "operator": operator}
    assert magnified_name("cell", recipe) == f"x10 cell learned {kind}"


def test_rgb_and_multiscale(frames):
    colour = np.random.default_rng(1).integers(0, 255, (4, 16, 20, 3)).astype(np.uint8)
    assert magnify_layer(Image(colour, rgb=True), 3, method="phase").rgb
    pyramid = [np.repeat(np.repeat(frames, 2, 1), 2, 2), frames]
    layer = magnify_layer(Image(pyramid, multiscale=True), 3, method="phase")
    assert not layer.multiscale
    assert layer.data.shape == pyramid[0].shape
