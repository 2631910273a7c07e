import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from napari_motionmag.methods.learned.networks.splatting import backward_flow, sample, splat


def _smooth(side=48):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (torch.sin(0.3 * x) * torch.cos(0.2 * y) + 0.01 * x).float()[None, None]


def _field(x, y, side=48):
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, side, side)


def test_splat_by_whole_pixels_moves_the_array():
    frame = _smooth()
    moved = splat(frame, _field(3, -2))
    assert torch.equal(moved[..., :-2, 3:], frame[..., 2:, :-3])
    assert not moved[..., -2:, :].any()


def test_splat_shares_between_four_pixels_and_loses_nothing_inside():
    one = torch.zeros(1, 1, 8, 8)
    one[..., 4, 4] = 1
    moved = splat(one, _field(0.25, 0.5, 8))[0, 0]
    expected = torch.tensor([[0.375, 0.125], [0.375, 0.125]])
    assert torch.allclose(moved[4:6, 4:6], expected)
    assert moved.sum() == pytest.approx(1)


def test_gradients_of_splatting_are_right():
    values = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    motion = (2 * torch.rand(1, 2, 4, 4, dtype=torch.float64) - 1).requires_grad_()
    assert torch.autograd.gradcheck(splat, (values, motion), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (4.3, -2.6)])
def test_a_pulled_frame_is_the_displaced_one(shift):
    frame = _smooth()
    source, coverage = backward_flow(_field(*shift), torch.zeros(1, 1, 48, 48))
    inner = (..., slice(10, -10), slice(10, -10))
    assert torch.allclose(source[inner], -_field(*shift)[inner], atol=0.01)
    assert torch.allclose(coverage[inner], torch.ones(1, 1, 28, 28), atol=1e-4)
    moved = sample(frame, source)
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    x, y = x - shift[0], y - shift[1]
    truth = (torch.sin(0.3 * x) * torch.cos(0.2 * y) + 0.01 * x)[None, None]
    assert (moved - truth)[inner].abs().max() < 0.02


@pytest.mark.parametrize("inference", [True, False], ids=["kernel", "torch"])
@pytest.mark.parametrize("amount", [0.02, 0.1, 0.25, 0.5, 0.9])
def test_a_pattern_is_sampled_where_it_is_asked_for(amount, inference):
    """Twelve pixels a period: the bicubic interpolation of PyTorch moves 0.136 px for 0.1 px."""
    x = torch.arange(96.0)
    frame = (0.5 + 0.4 * torch.sin(2 * torch.pi * x / 12)).expand(1, 2, 64, 96).contiguous()
    with torch.inference_mode(inference):
        found = sample(frame, _field(amount, 0.0, 96)[..., :64, :])
    truth = 0.5 + 0.4 * torch.sin(2 * torch.pi * (x + amount) / 12)
    assert (found - truth)[..., 12:-12].abs().max() < 3e-4


@pytest.mark.parametrize("inference", [True, False], ids=["kernel", "torch"])
def test_sampling_is_that_of_cubic_splines(inference):
    rng = np.random.default_rng(0)
    frame, source = rng.random((1, 3, 40, 56), np.float32), rng.normal(0, 3, (1, 2, 40, 56))
    with torch.inference_mode(inference):
        found = sample(torch.from_numpy(frame), torch.from_numpy(source.astype(np.float32)))
    y, x = np.mgrid[:40, :56]
    at = (y + source[0, 1]).clip(0, 39), (x + source[0, 0]).clip(0, 55)
    inner = (at[0] >= 12) & (at[0] <= 27) & (at[1] >= 12) & (at[1] <= 43)
    for plane, expected in zip(found[0].numpy(), frame[0], strict=True):
        expected = map_coordinates(expected.astype(float), at, order=3, mode="mirror")
        assert np.abs(plane - expected)[inner].max() < 2e-4
    with torch.inference_mode(inference):
        beyond = sample(torch.from_numpy(frame), torch.full((1, 2, 40, 56), 99.0))
    torch.testing.assert_close(beyond, torch.from_numpy(frame)[..., -1:, -1:].expand_as(beyond))


def test_no_motion_leaves_the_frame_as_it_is():
    frame = torch.rand(1, 3, 40, 1000)
    source, _ = backward_flow(torch.zeros(1, 2, 40, 1000), torch.rand(1, 1, 40, 1000))
    assert (sample(frame, source) - frame).abs().max() < 2e-4


def test_what_is_in_front_covers_what_is_behind():
    motion, importance = torch.zeros(1, 2, 32, 32), torch.full((1, 1, 32, 32), -3.0)
    motion[:, 0, 8:24, 4:12] = 10
    importance[:, :, 8:24, 4:12] = 3
    source, coverage = backward_flow(motion, importance)
    assert torch.allclose(source[0, 0, 10:22, 15:21], torch.tensor(-10.0), atol=0.1)
    assert torch.allclose(coverage[0, 0, 10:22, 15:21], torch.tensor(2.0))
    assert not coverage[0, 0, 10:22, 5:11].any()  # what comes to light


def test_holes_take_the_displacement_of_their_surroundings():
    motion = torch.zeros(1, 2, 64, 64)
    motion[:, 0, :, 32:] = 6
    source, coverage = backward_flow(motion, torch.zeros(1, 1, 64, 64))
    assert not coverage[0, 0, :, 33:37].any()
    assert (source[0, 0, :, 33:37] <= 0.01).all()
    assert (source[0, 0, :, 33:37] >= -6.01).all()
    assert torch.isfinite(source).all()


def test_a_lone_pixel_takes_the_displacement_around_it():
    motion = torch.zeros(1, 2, 32, 32)
    motion[:, 0, :, 16:] = 9.0  # an edge between two layers stays where it is
    lone = motion.clone()
    lone[0, :, 10, 5] = 40.0
    importance = torch.zeros(1, 1, 32, 32)
    importance[0, 0, 10, 5] = 3.0
    source, _ = backward_flow(motion, importance)
    speckled, _ = backward_flow(lone, importance)
    torch.testing.assert_close(speckled[..., :14], source[..., :14], atol=1e-5, rtol=0)
    assert (source[0, 0, :, 26:] + 9).abs().max() < 1e-5
