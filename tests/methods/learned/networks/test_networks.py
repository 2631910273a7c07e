import numpy as np
import pytest
import torch

from napari_motionmag.methods.learned.networks.difference import DifferenceConfig, DifferenceNet
from napari_motionmag.methods.learned.networks.oh2018 import (
    Manipulator,
    Oh2018Config,
    Oh2018Net,
    without_local_mean,
)
from napari_motionmag.methods.learned.networks.windows import windowed_mean
from napari_motionmag.methods.learned.weights import load


@pytest.fixture
def difference():
    torch.manual_seed(0)
    network = DifferenceNet().eval()
    torch.nn.init.normal_(network.drawing.tail.weight, 0, 0.01)
    torch.nn.init.normal_(network.motion.choose.weight, 0, 0.1)
    return network.requires_grad_(False)


@pytest.fixture
def oh2018():
    torch.manual_seed(0)
    return Oh2018Net().eval().requires_grad_(False)


@pytest.fixture
def oh2018_local_mean():
    torch.manual_seed(0)
    return Oh2018Net(Oh2018Config(local_mean=17)).eval().requires_grad_(False)


def _noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _macs_a_pixel(network, *inputs):
    """Multiply-adds of all convolutions, by hooks on what really ran."""
    total = 0

    def count(module, _, out):
        nonlocal total
        total += out[0].numel() * module.weight[0].numel()

    hooks = [
        m.register_forward_hook(count) for m in network.modules() if isinstance(m, torch.nn.Conv2d)
    ]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return total / inputs[0][0, 0].numel()


def test_difference_costs_at_most_110_gmac_a_full_hd_frame(difference):
    macs = _macs_a_pixel(difference, _noise(1, 3, 64, 64), _noise(1, 1, 64, 64), torch.ones(1))
    with_padding = (1920 + 32) * (1080 + 32)
    assert macs * with_padding <= 110e9


def test_oh2018_is_the_papers_size(oh2018):
    assert 0.85e6 < sum(p.numel() for p in oh2018.parameters()) < 1.0e6
    frame = _noise(1, 3, 64, 64)
    texture, shape = oh2018.encoder(frame)
    assert texture.shape == (1, 32, 16, 16)
    assert shape.shape == (1, 32, 32, 32)


def test_still_scene_stays_still_at_any_factor(difference):
    frame = _noise(1, 3, 64, 64)
    still = torch.zeros(1, 1, 64, 64)
    assert torch.equal(difference(frame, still, torch.tensor([999.0])), frame)


def test_drawing_and_denoising_are_apart(difference):
    frame, change = _noise(1, 3, 64, 96), torch.zeros(1, 1, 64, 96)
    motion = torch.zeros(1, 2, 64, 96)
    motion[:, 0, :, 48:] = 12.0  # a hole opens behind the right half
    difference._displacement = lambda *_: (motion, 0 * motion[:, :1], torch.zeros(1, 8, 32, 48))
    change[..., 48:] = 0.1

    def drawn(draw, denoise):
        gain = torch.tensor([3.0])
        options = {"draw": draw, "denoise": torch.tensor([denoise])}
        whole, _, moved = difference.parts(frame, change, gain, **options)
        return (whole - moved).abs().amax((0, 1, 2))

    hole, far = slice(50, 58), [*range(36), *range(76, 80)]
    both, holes, noise = drawn(True, 1.0), drawn(True, 0.0), drawn(False, 1.0)
    assert both[hole].min() > 1e-4
    assert both[far].min() > 1e-4
    torch.testing.assert_close(holes[hole], both[hole])
    assert not holes[far].any()
    assert not noise[hole].any()
    torch.testing.assert_close(noise[far], both[far])
    torch.testing.assert_close(drawn(True, 0.5)[far], 0.5 * both[far])


def test_without_drawing_the_frame_is_only_moved(difference):
    frame, change = _noise(1, 3, 64, 64), 0.1 * (_noise(1, 1, 64, 64, seed=1) - 0.5)
    gain = torch.tensor([3.0])
    drawn, _, moved = difference.parts(frame, change, gain)
    assert torch.equal(difference(frame, change, gain, draw=False, denoise=torch.zeros(1)), moved)
    assert (drawn - moved).abs().max() > 1e-3
    assert (moved - frame).abs().max() > 1e-3


def test_rounding_noise_of_a_temporal_filter_is_not_motion(difference):
    frame = _noise(1, 3, 64, 64)
    rounding = 1e-8 * (_noise(1, 1, 64, 64, seed=1) - 0.5)
    assert (difference(frame, rounding, torch.tensor([999.0])) - frame).abs().max() < 1 / 255


def test_displacement_is_linear_in_the_factor(difference):
    """A hundredth of the variation at a hundred times the gain moves the frame as far."""
    frame, change = _noise(2, 3, 64, 64), 1e-3 * (_noise(2, 1, 64, 64, seed=1) - 0.5)
    torch.nn.init.zeros_(difference.motion.head.weight)  # blind to how large the variation is
    large, _, _ = difference.displacement(frame, change, torch.tensor([2.0, 30.0]))
    small, _, _ = difference.displacement(frame, change / 100, torch.tensor([200.0, 3000.0]))
    assert large.abs().max() > 0.05
    assert torch.allclose(large, small, rtol=0.02, atol=0.01)


def test_grey_stays_grey(difference):
    frame, change = _noise(1, 1, 64, 64), _noise(1, 1, 64, 64, seed=1) - 0.5
    drawn = difference(frame.expand(-1, 3, -1, -1), change, torch.tensor([20.0]))
    assert (drawn.amax(1) - drawn.amin(1)).max() < 1e-4


@pytest.mark.parametrize("kind", ["difference", "oh2018"])
def test_grey_network_equals_three_equal_channels(kind, request):
    network = request.getfixturevalue(kind)
    frame, change = _noise(1, 1, 64, 64), _noise(1, 1, 64, 64, seed=1) - 0.5
    rgb = frame.expand(-1, 3, -1, -1)
    if kind == "difference":
        colour = network(rgb, change, torch.tensor([5.0]))
        grey = network.to_grey()(frame, change, torch.tensor([5.0]))
    else:
        other = (frame + 0.1 * change).clamp(0, 1)
        colour = network(other.expand(-1, 3, -1, -1), rgb, 4.0)
        grey = network.to_grey()(other, frame, 4.0)
    # displacements in white noise magnify how luma is rounded
    close = 1e-3 if kind == "difference" else 1e-5
    assert torch.allclose(colour.mean(1, keepdim=True), grey, atol=close)


def test_bias_free_manipulator_depends_on_factor_times_delta_alone():
    torch.manual_seed(0)
    manipulator = Manipulator(Oh2018Config()).requires_grad_(False)
    delta = _noise(1, 32, 8, 8) - 0.5
    assert torch.allclose(
        manipulator.response(delta / 100, 100.0), manipulator.response(delta, 1.0), atol=1e-5
    )
    assert not manipulator.response(torch.zeros_like(delta), 1000.0).any()


def test_linear_manipulator_is_equation_2():
    manipulator = Manipulator(Oh2018Config(manipulator="linear"))
    a, b = _noise(1, 32, 8, 8), _noise(1, 32, 8, 8, seed=1)
    assert torch.allclose(manipulator(a, b - a, 3.0), a + 3 * (b - a))


def test_unknown_manipulator_is_refused():
    with pytest.raises(ValueError, match="manipulator must be 'nonlinear' or 'linear', got 'x'"):
        Oh2018Config(manipulator="x")


def test_windows_of_the_local_mean_are_odd():
    for window in (-3, 4):
        with pytest.raises(ValueError, match=f"local_mean must be 0 or odd, got {window}"):
            Oh2018Config(local_mean=window)


def test_without_the_local_mean_light_of_an_area_is_no_variation():
    delta = _noise(1, 32, 40, 40) - 0.5
    assert without_local_mean(delta, 0) is delta
    lit = without_local_mean(delta + 0.7, 5)
    assert torch.allclose(lit, without_local_mean(delta, 5), atol=1e-5)
    ramp = torch.linspace(0, 1, 40).expand(1, 32, 40, 40)
    assert without_local_mean(ramp, 5)[..., 8:-8].abs().max() < 1e-6
    fine = torch.where(torch.arange(40) % 2 == 0, 1.0, -1.0).expand(1, 32, 40, 40)
    assert torch.allclose(without_local_mean(fine, 5)[..., 8:-8], fine[..., 8:-8], atol=0.05)


def test_the_local_mean_is_that_of_windows_in_the_frame():
    delta = _noise(2, 32, 150, 70) - 0.3
    mean = windowed_mean(windowed_mean(delta, 17), 17)
    assert torch.allclose(without_local_mean(delta, 17), delta - mean, atol=1e-6)


def test_light_of_an_area_stays_as_it_is_whatever_the_factor():
    """Where the shape of a frame differs by a constant alone, each factor draws the same."""
    torch.manual_seed(0)
    network = Oh2018Net(Oh2018Config(local_mean=5)).requires_grad_(False)
    shape, texture = _noise(1, 32, 24, 24), _noise(1, 32, 12, 12)
    drawn = []
    for factor in (2.0, 500.0):
        delta = network.variation(torch.full_like(shape, 0.25))
        drawn.append(network.decoder(texture, network.manipulator(shape - delta, delta, factor)))
    assert torch.allclose(*drawn, atol=1e-3)


def test_change_of_chroma_alone_is_not_magnified():
    torch.manual_seed(0)
    network = Oh2018Net(Oh2018Config(chroma_doubt=4)).eval().requires_grad_(False)
    a, gray = _noise(1, 3, 24, 24), _noise(2, 1, 24, 24).expand(-1, 3, -1, -1)
    b = a + torch.tensor([0.114, 0.0, -0.299]).view(1, 3, 1, 1) * _noise(1, 1, 24, 24, seed=1)
    torch.testing.assert_close(network(a, b, 100.0), network(b, b, 1.0), atol=1e-3, rtol=0)
    # frames without color are drawn as before
    plain = Oh2018Net().eval().requires_grad_(False)
    plain.load_state_dict(network.state_dict())
    pair = gray.chunk(2)
    torch.testing.assert_close(network(*pair, 5.0), plain(*pair, 5.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["difference", "pair", "oh2018", "oh2018_local_mean"])
def test_halo_covers_the_receptive_field(kind, request):
    """Beyond the halo nothing may reach a pixel: measured by what gradients touch."""
    network = request.getfixturevalue("difference" if kind == "pair" else kind)
    halo = network.pair_halo if kind == "pair" else network.halo
    size = 4 * halo
    middle = size // 2
    reach = []
    for place in (middle, middle + 1, middle + 2, middle + 3):
        frame = _noise(1, 3, size, 16).requires_grad_(True)
        change = (_noise(1, 1, size, 16, seed=1) - 0.5).requires_grad_(True)
        if kind == "difference":
            out = network(frame, change, torch.tensor([9.0]))
        elif kind == "pair":  # displacements of several px, so that it is aligned
            out = network(frame, change, torch.tensor([0.5]), pair=True)
        else:
            out = network(frame.detach() + change, frame, 2.0)
        out[..., place, :].sum().backward()
        for x in (frame, change):
            touched = np.nonzero(x.grad.abs().sum((0, 1, 3)).numpy())[0]
            reach += [place - touched.min(), touched.max() - place]
    assert max(reach) <= halo
    assert max(reach) > halo / 2  # the measurement sees far


def test_config_round_trip():
    config = DifferenceConfig(quarter=32, drawing=(16, 24, 32, 24))
    assert DifferenceConfig(**config.to_dict()) == config


@pytest.mark.parametrize(("step", "factor"), [(1.5, 6), (2.0, 6), (3.0, 5)])
def test_what_is_compared_again_is_drawn_no_worse(step, factor):
    """A disc on an even ground, whose border shows nothing that could be aligned."""
    network = load("difference")[0].to_grey()
    y, x = np.mgrid[:128, :160]

    def disc(moved):
        away = np.hypot(y - 64, x - 60 - moved) - 24
        return torch.from_numpy(0.3 + 0.5 / (1 + np.exp(away / 0.7))).float()[None, None]

    frame, truth = disc(step), disc(factor * step)
    arguments = frame, frame - disc(0), torch.tensor([factor - 1.0])
    with torch.no_grad():
        once, again = (network(*arguments, pair=pair) for pair in (False, True))
    assert (again - truth).abs().mean() < 1.2 * (once - truth).abs().mean()
