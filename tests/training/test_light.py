import torch

from napari_motionmag.training.light import LARGEST, MAGNIFIED, Light


def _lights(count=400, factor=1.0, changes=True, grey=False):
    return Light.random(
        torch.full((count,), changes),
        torch.full((count,), factor),
        torch.full((count,), grey),
        16,
        torch.Generator().manual_seed(0),
    )


def test_steady_light_changes_nothing():
    frames = torch.rand(400, 3, 16, 16)
    assert torch.equal(_lights(changes=False).on(frames), frames)


def test_changes_are_small_and_smaller_at_high_factors():
    for factor in (1.0, 8.0, -100.0):
        amount = (_lights(factor=factor).gain - 1).abs().amax((1, 2, 3))
        largest = min(LARGEST, MAGNIFIED[1] / abs(factor))
        assert amount.max() <= 1.7 * largest + 1e-6  # a tint
        assert amount.max() > 0.9 * largest
        assert amount.min() < 3 * MAGNIFIED[0] / abs(factor)


def test_grey_frames_stay_grey():
    frames = torch.rand(400, 1, 16, 16).expand(-1, 3, -1, -1)
    lit = _lights(grey=True).on(frames)
    assert torch.equal(lit[:, :1].expand_as(lit), lit)
    colored = _lights().on(frames)
    assert not torch.equal(colored[:, :1].expand_as(colored), colored)


def test_half_of_the_lamps_shine_everywhere_alike():
    gain = _lights().gain
    alike = (gain.amax((2, 3)) - gain.amin((2, 3))).amax(1) == 0
    assert 0.4 < alike.float().mean() < 0.6


def test_a_share_of_the_change():
    light = _lights()
    frames = torch.rand(400, 3, 16, 16)
    half = light.on(frames, 0.5)
    assert torch.allclose(half, (frames + light.on(frames)) / 2, atol=1e-6)
