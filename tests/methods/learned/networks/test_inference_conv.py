"""Fused convolutions give what a convolution and what follows it give."""

import pytest
import torch
from torch.autograd import forward_ad

from napari_motionmag.methods.learned.networks import inference_conv as fused
from napari_motionmag.methods.learned.networks.difference import ResidualBlock
from napari_motionmag.methods.learned.networks.inference_conv import Conv2d

pytestmark = pytest.mark.skipif(not fused.has_fused(), reason="no oneDNN")


def noise(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("after", ["none", "relu", "leaky_relu"])
@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2, "padding": 1}, {"bias": False}])
def test_inference_equals_training(after, options):
    x = noise(2, 5, 17, 20)
    layer = Conv2d(5, 7, 3, after=after, **options)
    plain = layer(x)
    assert plain.requires_grad
    with torch.inference_mode():
        assert (layer(x) - plain).abs().max() <= 1e-5
    assert (plain.min() >= 0) == (after == "relu")


def test_blocks_leave_their_input_as_it_was():
    x = noise(1, 8, 12, 12)
    kept, block = x.clone(), ResidualBlock(8)
    plain = block(x)
    with torch.inference_mode():
        found = block(x)
    assert torch.equal(x, kept)
    assert (found - plain).abs().max() <= 1e-5


def test_no_fusing_under_autocast_or_with_gradients(monkeypatch):
    x, layer = noise(1, 4, 8, 8), Conv2d(4, 4, 3, after="relu")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    layer(x).sum().backward()
    assert layer.weight.grad.abs().sum() > 0
    with torch.no_grad(), forward_ad.dual_level():
        assert forward_ad.unpack_dual(layer(forward_ad.make_dual(x, x))).tangent is not None
    monkeypatch.setattr(fused, "has_fused", lambda: False)
    with torch.inference_mode():  # a PyTorch without them
        found = layer(x)
    assert (found - layer(x)).abs().max() == 0
