import numpy as np
import pytest
import torch
from motion import measured_shift

from napari_motionmag.temporal import FIR
from napari_motionmag.training.images import PicturePool
from napari_motionmag.training.light import Light
from napari_motionmag.training.scenes import SampleMix, SceneMaker
from napari_motionmag.training.sensor import Sensor
from napari_motionmag.training.sequences import FRAMES, Sequence

NOW = FRAMES // 2
IN_BAND = 0  # a seed whose light flickers within the band
STEADY = Light(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def maker():
    return SceneMaker(PicturePool(procedural_count=4, seed=3), size=128)


def _perfect():
    return Sensor(
        photons=torch.tensor([torch.inf]),
        read=torch.zeros(1),
        pattern=torch.zeros(1),
        levels=torch.zeros(1),
        clips=torch.tensor([False]),
        gray=torch.tensor([False]),
    )


def _sequence(background, band=(0.13, 0.27)):
    weights = torch.zeros(FRAMES, dtype=torch.float64)
    indices, shares = FIR(*band, fps=1, taps=FRAMES).row(NOW, FRAMES)
    weights[torch.from_numpy(indices)] = torch.from_numpy(shares)
    return Sequence(background, torch.zeros(FRAMES, 0, 2), weights)


def test_motion_in_the_band_is_selected_and_the_drift_is_not():
    time = torch.arange(FRAMES) - NOW
    drift = 1.0 * torch.sin(2 * torch.pi * 0.03 * time)[:, None] * torch.tensor([[1.0, 0.0]])
    wave = 0.3 * torch.cos(2 * torch.pi * 0.2 * time)[:, None] * torch.tensor([[0.0, 1.0]])
    selected, _ = _sequence(drift + wave).selected()
    assert selected[0, 0].abs() < 0.03
    assert selected[0, 1].item() == pytest.approx(0.3, rel=0.05)


def test_truth_is_the_middle_frame_with_only_the_selected_motion_magnified(maker):
    time = torch.arange(FRAMES) - NOW
    course = 0.2 * torch.cos(2 * torch.pi * 0.2 * time)[:, None] * torch.tensor([[0.6, 0.8]])
    scene = maker.scene(["blurred"], _generator(1))
    pattern = torch.zeros(1, 3, 128, 128)
    sequence = _sequence(course)
    made = sequence.render(scene, 6.0, STEADY, _perfect(), pattern, _generator())
    asked = 5 * sequence.selected()[0][0].numpy()
    measured = measured_shift(
        made["b"][0, 1].double().numpy(), made["target"][0, 1].double().numpy(), border=20
    )
    assert np.abs(measured - asked).max() < 0.01
    field = made["motion"][0, :, 64, 64].flip(0).numpy()  # x, y
    assert np.allclose(field, asked / 5, atol=1e-5)


def test_variation_is_what_the_filter_makes_of_the_movie(maker):
    """First order: D = -grad . w; a frame moved by the selected motion differs by D."""
    time = torch.arange(FRAMES) - NOW
    course = 0.05 * torch.cos(2 * torch.pi * 0.2 * time)[:, None] * torch.tensor([[1.0, 0.0]])
    scene = maker.scene(["blurred"], _generator(2))
    pattern = torch.zeros(1, 3, 128, 128)
    made = _sequence(course).render(scene, 0.0, STEADY, _perfect(), pattern, _generator())
    change = (made["b"] - made["target"]) @ torch.eye(128)  # m = 0 removes what is selected
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    expected = (change * weights).sum(1, keepdim=True)
    error = (made["variation"] - expected).abs().max()
    assert error < 0.05 * expected.abs().max()


def test_batches_hold_sequences_of_the_same_bytes(maker):
    maker = SceneMaker(maker.pool, size=128, mix=SampleMix(sequences=1.0))
    one, two = (maker.batch(3, _generator(5)) for _ in range(2))
    assert not one.two_frame.any()
    for name, value in vars(one).items():
        assert torch.equal(value, getattr(two, name)), name
        assert torch.isfinite(value).all(), name


def test_light_of_a_movie_is_in_its_variation_and_the_target_has_that_of_the_middle(maker):
    scene = maker.scene(["background"], _generator(4))
    pattern = torch.zeros(1, 3, 128, 128)
    still = _sequence(torch.zeros(FRAMES, 2))
    lamp = Light(torch.full((1, 1, 1, 1), 1.05), torch.zeros(1, 3, 1, 1))
    clean = scene.render(torch.zeros(1, 2), torch.zeros(0, 2))
    made = still.render(scene, 20.0, lamp, _perfect(), pattern, _generator(IN_BAND))
    assert torch.allclose(made["target"], 1.05 * clean, atol=1e-5)
    assert torch.allclose(made["b"], made["target"], atol=1e-5)
    assert made["variation"].abs().max() > 1e-3
