"""Light is not motion: what a lamp does is neither moved nor magnified."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_motionmag import magnify
from napari_motionmag.methods.learned.networks.light import without_light

SIZE = 96


def texture(seed=0, sigma=1.5):
    noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return 0.5 + 0.12 * smooth / smooth.std()


def moved(picture, dy, dx):
    spectrum = ndimage.fourier_shift(np.fft.fft2(picture), (dy, dx))
    return np.fft.ifft2(spectrum).real


def left(a, b):
    """What is left of b - a, as a share of it."""
    a, b = (torch.from_numpy(x.astype(np.float32))[None, None] for x in (a, b))
    variation = b - a
    rest = without_light(0.5 * (a + b), variation)
    return (rest.square().mean() / variation.square().mean()).sqrt().item(), rest


ROW = np.arange(SIZE) / SIZE
LAMPS = {
    "brighter": lambda x: 1.01 * x,
    "darker": lambda x: 0.98 * x,
    "haze": lambda x: x + 0.004,
    "shadow": lambda x: x * (1 + 0.02 * np.sin(np.pi * ROW)),
    "bleaching": lambda x: 0.95 * x - 0.01,
}


@pytest.mark.parametrize("lamp", LAMPS)
def test_light_is_taken_away(lamp):
    picture = texture()
    share, _ = left(picture, LAMPS[lamp](picture))
    assert share < (0.15 if lamp == "shadow" else 0.01)


@pytest.mark.parametrize("shift", [(0.01, 0.0), (0.3, -0.2), (0.0, 1.0)])
def test_motion_is_left(shift):
    a = texture()
    b = moved(a, *shift)
    _, rest = left(a, b)
    taken = (rest[0, 0].numpy() - (b - a))[16:-16, 16:-16]
    assert np.abs(taken).max() < 0.01 * np.abs(b - a).max()


def test_motion_is_left_where_things_move_apart():
    a = texture()
    b = np.where(ROW < 0.5, moved(a, 0.2, 0), moved(a, -0.3, 0.1))
    share, _ = left(a, b)
    assert share > 0.98


def test_noise_is_left():
    rng = np.random.default_rng(1)
    a = texture()
    share, _ = left(a, a + rng.normal(scale=0.01, size=a.shape))
    assert share > 0.99


def test_light_under_noise_is_taken_away():
    rng = np.random.default_rng(1)
    a = texture()
    noise = rng.normal(scale=0.004, size=a.shape)
    _, rest = left(a, 1.01 * a + noise)
    assert np.corrcoef(rest[0, 0].numpy().ravel(), noise.ravel())[0, 1] > 0.98


def test_any_size_of_variation_is_treated_alike():
    a = texture()
    b = moved(1.02 * a, 0.05, 0)
    picture = torch.from_numpy((0.5 * (a + b)).astype(np.float32))[None, None]
    variation = torch.from_numpy((b - a).astype(np.float32))[None, None]
    whole, tiny = without_light(picture, variation), without_light(picture, 1e-3 * variation)
    torch.testing.assert_close(tiny * 1e3, whole, rtol=1e-3, atol=1e-6)
    assert not without_light(picture, torch.zeros_like(variation)).any()


@pytest.mark.parametrize("color", [False, True])
def test_a_lamp_moves_nothing(color):
    picture = texture() * 255
    frames = np.stack([picture, 1.01 * picture, 0.99 * picture]).astype(np.float32)
    if color:
        frames = np.repeat(frames[..., None], 3, axis=-1)
    magnified = magnify(frames, 8, device="cpu", intensity_range=(0, 255))
    np.testing.assert_allclose(magnified.compute(), frames, atol=0.3)
