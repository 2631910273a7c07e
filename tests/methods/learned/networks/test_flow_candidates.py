import numpy as np
import pytest
import torch

from napari_motionmag.methods.learned.networks.flow_candidates import (
    CANDIDATES,
    FEATURES,
    flow_candidates,
    limited,
)


def _moved(shift, side=96, seed=0):
    """A smooth random picture and the same displaced by `shift` (y, x) px, exactly."""
    spectrum = np.fft.fft2(np.random.default_rng(seed).random((side, side)))
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    spectrum *= np.exp(-2 * (np.pi * 2.0) ** 2 * (fy**2 + fx**2))
    ramp = np.exp(-2j * np.pi * (fy * shift[0] + fx * shift[1]))
    pair = [np.fft.ifft2(s).real for s in (spectrum, spectrum * ramp)]
    return [torch.from_numpy(4 * p).float()[None, None] for p in pair]


@pytest.mark.parametrize("distance", [0.001, 0.1, 1.0])
def test_every_scale_finds_a_displacement_and_multiplies_it(distance):
    still, moved = _moved((0.6 * distance, -0.8 * distance))
    gain = 5.0 / distance
    motions, features = flow_candidates(
        0.5 * (still + moved), moved - still, torch.tensor([gain]), limit=48.0
    )
    assert motions.shape == (1, CANDIDATES, 2, 24, 24)
    assert features.shape == (1, CANDIDATES * FEATURES, 24, 24)
    inner = motions[0, ..., 6:-6, 6:-6].flatten(2).median(-1).values  # x, y
    assert torch.allclose(inner, torch.tensor([-4.0, 3.0]), rtol=0.05)
    explained = features.unflatten(1, (CANDIDATES, FEATURES))[0, :, 2, 6:-6, 6:-6]
    assert explained.mean() > 0.9


def test_coarse_scales_follow_motions_of_pixels():
    still, moved = _moved((0.0, 5.0))
    motions, _ = flow_candidates(0.5 * (still + moved), moved - still, torch.ones(1), limit=48.0)
    x = motions[0, -1, 0, 6:-6, 6:-6].median().item()
    assert x == pytest.approx(5, rel=0.15)


def test_no_variation_is_no_motion():
    still, _ = _moved((0, 0))
    motions, features = flow_candidates(still, torch.zeros_like(still), torch.tensor([1e3]), 48.0)
    assert not motions.any()
    assert torch.isfinite(features).all()


def test_noise_is_not_explained_by_motion():
    still, _ = _moved((0, 0))
    noise = 0.05 * torch.randn(still.shape, generator=torch.Generator().manual_seed(0))
    _, features = flow_candidates(still, noise, torch.ones(1), limit=48.0)
    explained = features.unflatten(1, (CANDIDATES, FEATURES))[0, 1:3, 2]
    assert explained.mean() < 0.2


def test_flat_frames_give_finite_candidates():
    flat = torch.full((1, 1, 32, 32), 0.5)
    noise = 1e-3 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    motions, features = flow_candidates(flat, noise, torch.tensor([1000.0]), limit=48.0)
    assert torch.isfinite(motions).all()
    assert torch.isfinite(features).all()
    assert motions.norm(dim=2).max() <= 48.001


def test_limit_keeps_the_direction():
    motion = torch.tensor([30.0, -40.0]).view(1, 2, 1, 1)
    assert torch.allclose(limited(motion, 10.0).flatten(), torch.tensor([6.0, -8.0]))
    assert torch.equal(limited(motion, 60.0), motion)
    assert not limited(torch.zeros(1, 2, 1, 1), 10.0).any()


def test_limit_is_approached_smoothly():
    lengths = torch.linspace(0, 100, 1001)
    motion = torch.stack([0.6 * lengths, 0.8 * lengths]).view(1, 2, 1, -1)
    short = limited(motion, 48.0).norm(dim=1).flatten()
    torch.testing.assert_close(short[lengths < 42], lengths[lengths < 42])
    assert (short.diff() > -1e-4).all()
    assert short.diff().diff().abs().max() < 0.01
    assert 47.9 < short[-1] <= 48.0
