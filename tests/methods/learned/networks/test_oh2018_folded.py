"""The rearranged network gives the numbers of the plain one, which the paper's layers make."""

import pytest
import torch

from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.networks import oh2018_folded
from napari_motionmag.methods.learned.networks.inference_conv import has_fused
from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Config, Oh2018Net
from napari_motionmag.methods.learned.networks.oh2018_folded import (
    FoldedOh2018,
    fold_last,
    fold_upsampling,
    for_inference,
)
from napari_motionmag.methods.learned.precision import test_frames as two_frames

KINDS = [False, pytest.param(True, marks=pytest.mark.skipif(not has_fused(), reason="no oneDNN"))]


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def network(**config):
    torch.manual_seed(0)
    net = Oh2018Net(Oh2018Config(**config)).eval().requires_grad_(False)
    for layer in net.modules():  # biases that are all zero would hide mistakes at borders
        if getattr(layer, "bias", None) is not None:
            torch.nn.init.normal_(layer.bias, 0, 0.3)
    return net


@pytest.mark.parametrize("fused", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("manipulator", ["nonlinear", "linear"])
def test_equals_the_plain_network(fused, channels, manipulator):
    net = network(
        channels=channels,
        manipulator=manipulator,
        manipulator_bias=channels == 3,
        local_mean=5 * (channels == 1),
    )
    folded = FoldedOh2018(net, fused=fused)
    a, b = noise(2, channels, 36, 52), noise(2, channels, 36, 52, seed=1)
    with torch.inference_mode():
        expected = net(a, b, 3.0)
        shape_a = folded.shape(a)
        texture, shape_b = folded.encoder(b)
        delta = folded.variation(shape_b - shape_a)
        found = folded.decoder(texture, shape_b - delta + folded.response(delta, 3.0))
    assert (found - expected).abs().max() <= 1e-5
    assert (expected.amax() - expected.amin()) > 0.05
    for mine, its in zip((texture, shape_b), net.encoder(b), strict=True):
        assert (mine - its).abs().max() <= 1e-5


@pytest.mark.parametrize("fused", KINDS)
def test_arguments_are_left_as_they_were(fused):
    net = network(channels=1)
    folded = FoldedOh2018(net, fused=fused)
    with torch.inference_mode():
        frame = noise(1, 1, 16, 16)
        texture, shape = folded.encoder(frame)
        kept = [x.clone() for x in (frame, texture, shape)]
        folded.encoder(frame)
        folded.response(shape, 3.0)
        folded.decoder(texture, shape)
    assert all(torch.equal(*pair) for pair in zip((frame, texture, shape), kept, strict=True))


@pytest.mark.parametrize("fused", KINDS)
def test_strips_of_rows_are_the_whole(fused, monkeypatch):
    folded = FoldedOh2018(network(channels=1), fused=fused)
    with torch.inference_mode():
        texture, shape = folded.encoder(noise(2, 1, 36, 52))
        whole = folded.decoder(texture, shape.clone())
        monkeypatch.setattr(oh2018_folded, "_ROWS", 7)
        strips = folded.decoder(texture, shape)
    assert strips.shape == whole.shape
    assert (strips - whole).abs().max() <= 1e-6


def test_low_precision_stays_near():
    net = network(channels=1)
    low = FoldedOh2018(net, torch.bfloat16)
    frame = noise(1, 1, 32, 32)
    with torch.inference_mode():
        texture, shape = low.encoder(frame)
        found = low.decoder(texture, shape.float())
        expected = net.decoder(*net.encoder(frame))
    assert found.dtype == torch.float32  # pictures are not rounded
    assert (found - expected).abs().mean() < 0.02 * expected.abs().mean()


def test_folding_saves_arithmetic():
    plain = torch.nn.Conv2d(64, 32, 3)
    weight, bias = fold_upsampling(plain)
    assert weight.shape == (128, 64, 2, 2)
    # of one cell at the low resolution, against four pixels at the high
    assert weight[0].numel() * 128 == 4 / 9 * (4 * plain.weight.numel())
    assert bias.shape == (128,)
    weight, _ = fold_last(torch.nn.Conv2d(32, 3, 7))
    assert weight.shape == (12, 128, 4, 4)


def test_bfloat16_draws_the_picture_of_float32():
    """A gray level of 255 is not passed: what is multiplied and what is drawn stays float32."""
    drawn = {}
    rest, frame = two_frames(torch.device("cpu"))
    for dtype in (torch.float32, torch.bfloat16):
        parts = for_inference(weights.load("oh2018")[0].to_grey(), dtype)
        with torch.inference_mode():
            texture, shape = parts.encoder(frame)
            delta = parts.variation(shape - parts.encoder(rest)[1])
            shape = shape - delta + parts.response(delta, 20.0)
            drawn[dtype] = parts.decoder(texture, shape)
    assert shape.dtype == drawn[torch.bfloat16].dtype == torch.float32
    assert 0 < (drawn[torch.bfloat16] - drawn[torch.float32]).abs().max() < 0.8 / 255
