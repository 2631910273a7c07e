import pytest
import torch
import torch.nn.functional as F

from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Config, Oh2018Net
from napari_motionmag.training.linear_start import start_as_linear, start_as_pyramid


@pytest.mark.parametrize("manipulator", ["nonlinear", "linear"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [0.0, 1.0, 3.5, -2.0])
def test_the_output_is_that_of_the_linear_method(manipulator, channels, factor):
    network = Oh2018Net(Oh2018Config(manipulator=manipulator, channels=channels))
    generator = torch.Generator().manual_seed(0)
    start_as_linear(network, generator)
    a = torch.rand(2, channels, 32, 40, generator=generator)
    b = (a + 0.05 * torch.randn(a.shape, generator=generator)).clamp(0, 1)
    linear = a + factor * (b - a)
    expected = F.interpolate(F.avg_pool2d(linear, 2), scale_factor=2, mode="nearest")
    with torch.no_grad():
        drawn = network(a, b, factor)
    assert torch.allclose(drawn, expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pyramid_is_the_linear_method_of_smooth_pictures(channels):
    generator = torch.Generator().manual_seed(0)
    network = Oh2018Net(Oh2018Config(channels=channels))
    start_as_pyramid(network, generator)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(80.0), indexing="ij")
    waves = [0.5 + 0.4 * torch.sin(x / 9 + y / 14 + shift) for shift in (0.0, 0.05)]
    a, b = (wave.expand(1, channels, -1, -1) for wave in waves)
    expected = F.interpolate(F.avg_pool2d(a + 3 * (b - a), 2), scale_factor=2, mode="nearest")
    with torch.no_grad():
        drawn = network(a, b, 3.0)
        texture, shape = network.encoder(b)
    error = (drawn - expected)[..., 16:-16, 16:-16].abs()
    assert error.mean() < 0.03  # of a range of 0.8
    # texture shows the picture, shape what is fine in it
    assert texture[0, 0, 4:-4, 4:-4].std() > 4 * shape[0, 0, 8:-8, 8:-8].std()


@pytest.mark.parametrize("factor", [0.01, 1.0, 1000.0])
def test_the_manipulator_multiplies_exactly(factor):
    network = Oh2018Net()
    start_as_linear(network)
    delta = torch.randn(1, 32, 8, 8)
    with torch.no_grad():
        response = network.manipulator.response(delta, factor)
    assert torch.equal(response[:, :12], factor * delta[:, :12])
    assert torch.equal(response[:, 12:], torch.zeros_like(response[:, 12:]))


@pytest.mark.parametrize("start", [start_as_linear, start_as_pyramid])
def test_weights_of_every_layer_can_be_learned(start):
    network = Oh2018Net()
    start(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    a, b, target = torch.rand(3, 1, 3, 32, 32)
    for _ in range(3):  # gradients pass a block of zeros from the second step on
        optimizer.zero_grad()
        (network(a, b, 4.0) - target).square().mean().backward()
        optimizer.step()
    still = [name for name, p in network.named_parameters() if not p.grad.abs().any()]
    assert still == []
