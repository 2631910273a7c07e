"""The steerable pyramid against its definition, pyrtools and plenoptic."""

import math

import numpy as np
import plenoptic
import pyrtools
import pytest
import torch

from napari_motionmag.compute.cache import Cache, set_budget
from napari_motionmag.methods.classical.pyramids import steerable
from napari_motionmag.methods.classical.pyramids.steerable import (
    PYRAMIDS,
    SteerablePyramid,
    get_pyramid,
)

SHAPES = [(64, 64), (65, 63), (33, 128), (96, 130), (8, 9), (57, 200)]
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def noise(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def grating(shape, wavelength, angle=0.0, shift=0.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = x * np.cos(angle) + y * np.sin(angle) - shift
    return torch.from_numpy(np.cos(2 * np.pi * along / wavelength))


def squared_response(made):
    """Sum of the squared responses of all subbands and residuals."""
    high, low = made.residual_windows(half=False)
    total = high.square() + low.square()
    for level in range(made.levels):
        size, reach = made._geometry(level)
        # the real part of a one-sided subband has half of its power on either side
        power = 2 * made.filters(level).double().square().sum(0)
        power = (power + torch.roll(power.flip((0, 1)), (1, 1), (0, 1))) / 2
        ry, rx = (torch.arange(-f, f + 1, device=made.device) for f in reach)
        here = (ry[:, None] % size[0], rx % size[1])
        total[ry[:, None] % made.shape[0], rx % made.shape[1]] += power[here]
    return total


def residual_images(made, spectrum):
    """High-pass and low-pass residual at full resolution."""
    windows = made.residual_windows(half=True)
    return [made.image(spectrum * window.to(made.dtype)) for window in windows]


def decompose(made, image):
    return dict(made.coefficients(made.spectrum(image)))


@pytest.mark.parametrize("pyramid", PYRAMIDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("device", DEVICES)
def test_squared_responses_sum_to_one_and_the_pyramid_collapses_to_the_image(
    shape, pyramid, device
):
    made = SteerablePyramid(shape, pyramid, dtype=torch.float64, device=device)
    assert (squared_response(made) - 1).abs().max() < 1e-12

    image = noise(shape).to(device)
    spectrum = made.spectrum(image)
    back = made.reconstruct(made.coefficients(spectrum), made.residuals(spectrum))
    assert (back - image).abs().max() < 1e-12


@pytest.mark.parametrize("pyramid", PYRAMIDS)
@pytest.mark.parametrize("shape", [(64, 48), (45, 61)])
def test_energy_of_all_parts_is_that_of_the_image(shape, pyramid):
    # a tight frame; a wrong normalisation of any window breaks it, on cropped bands too
    made = SteerablePyramid(shape, pyramid, dtype=torch.float64)
    image = noise(shape, 1)
    spectrum = made.spectrum(image)
    total = sum((residual**2).mean() for residual in residual_images(made, spectrum))
    for _, values in made.coefficients(spectrum):
        # real part of an analytic signal: half of its power
        total += (values.abs() ** 2).mean() / 2
    assert total.item() == pytest.approx((image**2).mean().item(), rel=1e-12)


def test_both_residuals_are_needed():
    made = SteerablePyramid((64, 64), dtype=torch.float64)
    image = noise((64, 64))
    spectrum = made.spectrum(image)
    bands = decompose(made, image)
    without = made.reconstruct(bands.items(), torch.zeros_like(spectrum))
    lost = image - without
    # what white noise has beyond r = 1 and in the transition below it
    assert 0.3 < lost.std() / image.std() < 0.8
    torch.testing.assert_close(lost, made.image(made.residuals(spectrum)), atol=1e-12, rtol=0)


def window(r, r0, width):
    octaves = np.clip(np.log2(np.maximum(r, 1e-300) / r0), -width, 0)
    return np.cos(np.pi / 2 * octaves / width)


@pytest.mark.parametrize(
    ("pyramid", "p", "n", "width"),
    [("octave", 1, 4, 1.0), ("half-octave", 2, 8, 0.75), ("quarter-octave", 4, 8, 0.75)],
)
def test_filters_follow_their_formula(pyramid, p, n, width):
    shape = (48, 50)
    made = SteerablePyramid(shape, pyramid, dtype=torch.float64)
    assert made.height == 3
    assert len(made.bands) == 3 * p * n
    fy, fx = np.meshgrid(2 * np.fft.fftfreq(shape[0]), 2 * np.fft.fftfreq(shape[1]), indexing="ij")
    r, theta = np.hypot(fy, fx), np.arctan2(fy, fx)
    k = n - 1
    c = 2 ** (2 * k) * math.factorial(k) ** 2 / (n * math.factorial(2 * k))
    image = noise(shape, 2)
    spectrum = np.fft.fft2(image.numpy())
    for band, values in made.coefficients(made.spectrum(image)):
        radial = window(r, 2 ** (-(band.level + 1) / p), width)
        for j in range(band.level + 1):
            radial = radial * np.sqrt(1 - window(r, 2 ** (-j / p), width) ** 2)
        off = (theta - np.pi * band.orientation / n + np.pi) % (2 * np.pi) - np.pi
        angular = np.sqrt(c) * 2 * np.cos(off) ** k * (np.abs(off) < np.pi / 2)
        full = np.fft.ifft2(spectrum * radial * angular)
        # the cropped band is the full one, sampled more coarsely
        ours = np.fft.fft2(values.numpy()) / values.numel()
        theirs = np.fft.fft2(full) / full.size
        h, w = values.shape
        for y in range(-(h - 1) // 2, (h - 1) // 2 + 1):
            for x in (0, 1, (w - 1) // 2, -1):
                assert ours[y, x] == pytest.approx(theirs[y, x], abs=1e-12)


@pytest.mark.parametrize("size", [64, 128])
def test_agrees_with_pyrtools(size):
    image = noise((size, size), 3)
    made = SteerablePyramid((size, size), "octave", dtype=torch.float64)
    theirs = pyrtools.pyramids.SteerablePyramidFreq(image.numpy(), order=3, is_complex=True)
    assert made.levels == theirs.num_scales
    spectrum = made.spectrum(image)
    for band, values in made.coefficients(spectrum):
        other = theirs.pyr_coeffs[(band.level, band.orientation)]
        assert values.shape == other.shape
        # they multiply by (-i)^order and let the amplitude grow with the downsampling
        ours = values.numpy() * (-1j) ** 3 * 4**band.level
        # their windows are looked up in tables
        assert np.abs(ours - other).max() < 2e-4 * np.abs(other).max()
    high = theirs.pyr_coeffs["residual_highpass"]
    assert np.abs(residual_images(made, spectrum)[0].numpy() - high).max() < 2e-4


@pytest.mark.parametrize("shape", [(64, 64), (64, 128)])
def test_agrees_with_plenoptic(shape):
    image = noise(shape, 4)
    made = SteerablePyramid(shape, "octave", dtype=torch.float64)
    theirs = plenoptic.process.SteerablePyramidFreq(
        shape, order=3, is_complex=True, tight_frame=False
    ).to(torch.float64)
    coefficients = theirs(image[None, None])
    for band, values in made.coefficients(made.spectrum(image)):
        other = coefficients[band.level][0, 0, band.orientation]
        ours = values * (-1j) ** 3 * 4**band.level
        assert (ours - other).abs().max() < 2e-4 * other.abs().max()
    low = coefficients["residual_lowpass"][0, 0] / 4**made.levels
    step = 2**made.levels
    ours = residual_images(made, made.spectrum(image))[1][::step, ::step]
    torch.testing.assert_close(ours, low, atol=2e-5, rtol=0)


@pytest.mark.parametrize("pyramid", PYRAMIDS)
@pytest.mark.parametrize("angle", [0.0, np.pi / 2, np.pi / 4])
def test_coefficients_keep_the_amplitude_and_their_phase_moves_with_the_image(pyramid, angle):
    shape = (64, 64)
    made = SteerablePyramid(shape, pyramid, dtype=torch.float64)
    cycles = np.array([8 * np.sin(angle), 8 * np.cos(angle)]).round()
    wavelength = 64 / np.hypot(*cycles)
    delta = 0.07
    still, moved = (grating(shape, wavelength, angle, s) for s in (0, delta))
    best = 0.0
    for (band, a), (_, b) in zip(
        made.coefficients(made.spectrum(still)),
        made.coefficients(made.spectrum(moved)),
        strict=True,
    ):
        amplitude = a.abs().mean().item()
        if amplitude < 1e-3:
            continue
        assert a.abs().std() < 1e-12  # one sided: nothing beats with its mirror image
        best = max(best, amplitude)
        turn = torch.angle(b / a)
        along = np.cos(angle - band.angle)
        expected = -2 * np.pi * delta / wavelength * np.sign(along)
        assert (turn - expected).abs().max() < 1e-10
    assert 0.5 < best <= 1.05


def test_one_subband_at_a_time(monkeypatch):
    made = SteerablePyramid((64, 64))
    calls = []
    whole = made.analyse
    monkeypatch.setattr(made, "analyse", lambda *args: calls.append(args[1:]) or whole(*args))
    walk = made.coefficients(made.spectrum(noise((64, 64))))
    band, values = next(walk)
    assert calls == [(0, 0)]
    assert (band.level, band.orientation, values.shape) == (0, 0, (64, 64))
    sizes = [v.numel() for _, v in walk]
    # deep bands are cheap: all levels together take little more than the finest
    assert sum(sizes) < 3.4 * 64 * 64 + 4 * 64 * 64
    assert sizes[-1] == 64


def test_stacks_of_images_are_treated_one_by_one():
    made = SteerablePyramid((40, 52), "half-octave", dtype=torch.float64)
    images = noise((2, 3, 40, 52))
    together = decompose(made, images)
    for band, values in decompose(made, images[1, 2]).items():
        torch.testing.assert_close(together[band][1, 2], values, atol=1e-13, rtol=0)
    spectrum = made.spectrum(images)
    back = made.reconstruct(together.items(), made.residuals(spectrum))
    assert (back - images).abs().max() < 1e-12


def test_single_precision():
    made = SteerablePyramid((65, 64), "half-octave")
    image = noise((65, 64)).float()
    spectrum = made.spectrum(image)
    values = decompose(made, image)
    assert {v.dtype for v in values.values()} == {torch.complex64}
    back = made.reconstruct(values.items(), made.residuals(spectrum))
    assert back.dtype == torch.float32
    assert (back - image).abs().max() < 1e-5


def test_height_can_be_less():
    made = SteerablePyramid((64, 64), height=2, dtype=torch.float64)
    assert [b.level for b in made.bands] == [0] * 4 + [1] * 4
    assert (squared_response(made) - 1).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"shape": (64, 64), "pyramid": "third"}, "pyramid"),
        ({"shape": (64, 7)}, "shape"),
        ({"shape": (64,)}, "shape"),
        ({"shape": (64, 64), "height": 5}, "height"),
        ({"shape": (64, 64), "height": 0}, "height"),
        ({"shape": (64, 64), "dtype": torch.int32}, "dtype"),
    ],
)
def test_errors_name_the_argument(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        SteerablePyramid(**arguments)


def test_image_of_another_size():
    with pytest.raises(ValueError, match=r"image must end in \(64, 64\), got \(64, 32\)"):
        SteerablePyramid((64, 64)).spectrum(torch.zeros(64, 32))


def test_filters_are_made_once_and_forgotten_in_the_end(monkeypatch):
    size = SteerablePyramid((32, 32)).nbytes()
    cache = Cache()
    monkeypatch.setattr(steerable, "_PYRAMIDS", cache)
    first = get_pyramid((32, 32))
    assert get_pyramid((32, 32), device=torch.device("cpu")) is first
    assert first.filters(0) is first.filters(0)
    assert sum(first.filters(k).nbytes for k in range(first.levels)) == size
    assert get_pyramid((32, 32), dtype=torch.float64) is not first
    assert cache.nbytes == 3 * size
    set_budget(2 * size)
    try:
        assert cache.nbytes == 2 * size
        get_pyramid((32, 32), height=1)
        assert get_pyramid((32, 32)) is not first
    finally:
        set_budget(None)
