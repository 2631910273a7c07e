"""The Riesz pyramid and what is magnified with it."""

import math
import time
import warnings

import numpy as np
import pytest
import torch
from gratings import displacement, fourier_shift, grating, texture

from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.pyramids.riesz import (
    HIGH_TAPS,
    LOW_TAPS,
    RieszPyramid,
    _transfer,
)
from napari_motionmag.methods.classical.riesz import RieszMagnifier, _RieszPhases

# Upper left quarters, centre included, of the 9 x 9 filters printed in the supplement.
LOW_9X9 = [
    [-0.0001, -0.0007, -0.0023, -0.0046, -0.0057],
    [-0.0007, -0.0030, -0.0047, -0.0025, -0.0003],
    [-0.0023, -0.0047, 0.0054, 0.0272, 0.0387],
    [-0.0046, -0.0025, 0.0272, 0.0706, 0.0910],
    [-0.0057, -0.0003, 0.0387, 0.0910, 0.1138],
]
HIGH_9X9 = [
    [0.0000, 0.0003, 0.0011, 0.0022, 0.0027],
    [0.0003, 0.0020, 0.0059, 0.0103, 0.0123],
    [0.0011, 0.0059, 0.0151, 0.0249, 0.0292],
    [0.0022, 0.0103, 0.0249, 0.0402, 0.0469],
    [0.0027, 0.0123, 0.0292, 0.0469, -0.9455],
]


class Static:
    def row(self, t, n):
        return (np.array([0, t]), np.array([-1.0, 1.0])) if t else (np.array([0]), np.zeros(1))


class Row:
    """The same weights for every output frame."""

    def __init__(self, weights):
        self.weights = np.asarray(weights, float)

    def row(self, t, n):
        return np.arange(len(self.weights)), self.weights


def scene(n, shape=(48, 57), seed=5):
    still = 0.5 + 0.1 * texture(64, 0.05, 0.7, seed)
    shifts = 0.2 * np.random.default_rng(seed).normal(size=(n, 2)).cumsum(0)
    return [fourier_shift(still, *s)[: shape[0], : shape[1]].astype(np.float32) for s in shifts]


# ------------------------------------------------------------------ pyramid


@pytest.mark.parametrize(("taps", "printed"), [(LOW_TAPS, LOW_9X9), (HIGH_TAPS, HIGH_9X9)])
def test_filters_are_those_of_the_supplement(taps, printed):
    made = np.fft.fftshift(np.fft.irfft2(_transfer(taps, (16, 16)), s=(16, 16)))
    np.testing.assert_allclose(made[4:9, 4:9], printed, atol=1.1e-4)
    assert np.abs(made[:4]).max() < 1e-15  # nine taps and no more
    np.testing.assert_allclose(made[4:13, 4:13], made[4:13, 4:13].T, atol=1e-15)


@pytest.mark.parametrize("shape", [(64, 64), (65, 130), (47, 64)])
def test_collapsing_gives_the_image_back_to_a_hundredth(shape):
    made = RieszPyramid(shape, dtype=torch.float64)
    image = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    bands, residual = made.decompose(image)
    assert [tuple(b.shape) for b in bands] == made.shapes
    assert made.shapes[1] == ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    error = made.collapse(bands, residual) - image
    assert error.std() < 0.0125
    # dropping the residual or a band costs far more
    assert (made.collapse(bands) - image).std() > 0.015
    bands[0] = torch.zeros_like(bands[0])
    assert (made.collapse(bands, residual) - image).std() > 0.3


def test_constants_are_in_no_band():
    bands, residual = RieszPyramid((64, 64), dtype=torch.float64).decompose(torch.ones(64, 64))
    assert max(b.abs().max() for b in bands) < 1e-6
    torch.testing.assert_close(residual, torch.ones_like(residual), atol=2e-3, rtol=0)


@pytest.mark.parametrize("transform", ["exact", "taps"])
@pytest.mark.parametrize("angle", [0.0, math.pi / 2, 0.6])
def test_riesz_transforms_are_a_quarter_turn_along_the_orientation(transform, angle):
    wavelength = 6.0
    made = RieszPyramid((192, 192), transform, dtype=torch.float64)
    image = torch.from_numpy(grating((192, 192), wavelength, 0, angle))
    spectra, _ = made.spectra(image)
    real, x, y = made.quaternions(spectra[0], 0)[:, 48:-48, 48:-48]
    quarter = torch.from_numpy(grating((192, 192), wavelength, wavelength / 4, angle) - 0.5)
    # the high-pass filter turns the sign
    quarter = -quarter[48:-48, 48:-48] * (real.std() / quarter.std())
    wave = 2 * math.pi / wavelength
    kx, ky = wave * math.cos(angle), wave * math.sin(angle)
    gains = (kx / wave, ky / wave) if transform == "exact" else (math.sin(kx), math.sin(ky))
    for got, gain in zip((x, y), gains, strict=True):
        assert (got - gain * quarter).abs().max() < 0.01 * quarter.max()


def test_increments_are_the_quaternion_logarithm():
    rng = np.random.default_rng(0)

    def product(p, q):
        a, b, c, d = p
        e, f, g, h = q
        return np.array(
            [
                a * e - b * f - c * g - d * h,
                a * f + b * e + c * h - d * g,
                a * g - b * h + c * e + d * f,
                a * h + b * g - c * f + d * e,
            ]
        )

    # turns of up to almost half a turn about a common axis
    axis = rng.uniform(0, 2 * np.pi, 50)
    first, turn = rng.uniform(-3, 3, 50), rng.uniform(-3.1, 3.1, 50)

    def unit(angle):
        return np.array(
            [
                np.cos(angle),
                np.sin(angle) * np.cos(axis),
                np.sin(angle) * np.sin(axis),
                np.zeros(50),
            ]
        )

    p, q = 0.3 * unit(first), 0.7 * unit(first + turn)
    ratio = product(q, p * np.array([1, -1, -1, -1])[:, None])
    size = np.linalg.norm(ratio[1:], axis=0)
    logarithm = ratio[1:3] / size * np.arctan2(size, ratio[0])
    got = _RieszPhases.difference(
        None, torch.from_numpy(p[None, :3, :, None]), torch.from_numpy(q[None, :3, :, None])
    )
    np.testing.assert_allclose(got[0, :, :, 0], logarithm, atol=1e-12)
    np.testing.assert_allclose(
        got[0, :, :, 0], turn * np.array([np.cos(axis), np.sin(axis)]), atol=1e-12
    )


# ------------------------------------------------------------------ motion gained


@pytest.mark.parametrize(
    ("wavelength", "angle"), [(3.1, 0.0), (4.5, 1.0), (6.2, 2.1), (10.3, 0.3), (12.0, math.pi / 2)]
)
@pytest.mark.parametrize(("delta", "factor"), [(0.01, 20), (0.05, -4), (0.1, 0), (0.3, 2)])
def test_gratings_move_by_factor_times_their_motion(delta, factor, wavelength, angle):
    frames = [grating((240, 256), wavelength, s, angle) for s in (0, delta)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = RieszMagnifier().magnify(frames, Static(), [1], factor)
    assert out.shape == (1, 240, 256)
    assert out.dtype == np.float32
    got = displacement(frames[0], out[0].astype(float), wavelength, angle)
    assert got - delta == pytest.approx((factor - 1) * delta, rel=0.01, abs=1e-4)


def test_neighbour_differences_fall_short_by_what_is_documented():
    gains = []
    for wavelength in (4.1, 5.0, 6.2, 8.2, 12.4, 16.5):
        frames = [grating((192, 192), wavelength, s) for s in (0, 0.05)]
        out = RieszMagnifier(transform="taps").magnify(frames, Static(), [1], 5)[0]
        moved = displacement(frames[0], out.astype(float), wavelength)
        gains.append((moved - 0.05) / (4 * 0.05))
    assert min(gains) > 0.8
    assert max(gains) < 0.99


def test_smoothing_does_not_hold_isotropic_texture_back():
    # the mean of vectors that point along all orientations would be half of the motion
    still = 0.5 + 0.1 * texture(128, 0.15, 0.5)
    frames = [fourier_shift(still, s) for s in (0, 0.02)]
    gains = []
    for sigma in (0, 2, 4):
        out = RieszMagnifier(sigma=sigma).magnify(frames, Static(), [1], 10)[0]
        change = fourier_shift(still, 0.2) - frames[1]
        inside = (slice(20, -20),) * 2
        gains.append(((out - frames[1]) * change)[inside].sum() / (change[inside] ** 2).sum())
    # the outline of the packets stays behind, as with any phase
    assert min(gains) > 0.8 * gains[0] > 0.6
    assert max(gains) < 1.02


def test_drifts_over_many_wavelengths_add_up_in_time():
    shifts = 2.5 * np.arange(9.0)
    operator = Row([-1, 0, 0, 0, 2, 0, 0, 0, -1])
    frames = [grating((96, 96), 8, s) for s in shifts]
    middle = (slice(32, -32),) * 2
    out = RieszMagnifier().magnify(frames, operator, [4], 2)[0]
    np.testing.assert_allclose(out[middle], frames[4][middle], atol=0.01)
    shifts[5:] += np.array([0.5, 1.0, 1.5, 2.0]) * 1.2
    frames = [grating((96, 96), 8, s) for s in shifts]
    out = RieszMagnifier().magnify(frames, operator, [4], 1.5)[0]
    expected = grating((96, 96), 8, shifts[4] + 0.5 * (2 * shifts[4] - shifts[0] - shifts[8]))
    np.testing.assert_allclose(out[middle], expected[middle], atol=0.03)


# ------------------------------------------------------------------ what must stay


@pytest.mark.parametrize("factor", [-3, 0, 1, 30])
def test_a_still_scene_stays_still(factor):
    # to rounding, not to the hundredth of collapsing
    frame = np.random.default_rng(1).random((41, 64)).astype(np.float32)
    out = RieszMagnifier().magnify([frame, frame.copy()], Static(), [1], factor)
    np.testing.assert_allclose(out[0], frame, atol=1e-6)


def test_a_change_of_brightness_is_no_motion():
    frame = scene(1)[0]
    out = RieszMagnifier().magnify([frame, frame + 0.2], Static(), [1], 8)[0]
    np.testing.assert_allclose(out, frame + 0.2, atol=1e-5)


def test_noise_is_moved_not_multiplied():
    rng = np.random.default_rng(2)
    frames = [0.5 + rng.normal(0, 0.02, (128, 128)) for _ in range(2)]
    with pytest.warns(UserWarning, match="past that bound"):
        out = RieszMagnifier().magnify(frames, Static(), [1], 20)[0]
    assert out.std() < 1.3 * 0.02


def test_luma_moves_and_chroma_passes_unless_asked():
    tint = np.array([1.0, 0.0, -0.299 / 0.114])  # no luma
    frames = [
        grating((64, 64), 8, s)[..., None]
        + 0.1 * (grating((64, 64), 8, s, phase=1.5) - 0.5)[..., None] * tint
        for s in (0, 0.1)
    ]
    weights = [0.299, 0.587, 0.114]
    out = RieszMagnifier(dtype="float64").magnify(frames, Static(), [1], 6)[0]
    grey = RieszMagnifier(dtype="float64").magnify([f @ weights for f in frames], Static(), [1], 6)[
        0
    ]
    np.testing.assert_allclose(out @ weights, grey, atol=1e-6)
    np.testing.assert_allclose(out - out[..., :1], frames[1] - frames[1][..., :1], atol=1e-6)
    out = RieszMagnifier(chroma="magnify").magnify(frames, Static(), [1], 6)[0]
    red = (out - out[..., 1:2])[16:48, 16:48, 0] / 0.1
    expected = grating((64, 64), 8, 0.6, phase=1.5)[16:48, 16:48] - 0.5
    assert np.corrcoef(red.ravel(), expected.ravel())[0, 1] > 0.995


# ------------------------------------------------------------------ runs, memory, options


@pytest.mark.parametrize("sigma", [0, 2])
def test_a_frame_does_not_depend_on_run_or_memory(sigma):
    frames = scene(10)
    operator = Row(np.random.default_rng(0).normal(size=10))
    operator.weights -= operator.weights.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together = RieszMagnifier(sigma=sigma).magnify(frames, operator, range(10), 1.2)
        alone = RieszMagnifier(sigma=sigma).magnify(frames, operator, [6], 1.2)[0]
        little = RieszMagnifier(sigma=sigma, max_bytes=80_000)
        chunked = little.magnify(frames, operator, [6, 3], 1.2)
    np.testing.assert_allclose(alone, together[6], atol=1e-5)
    np.testing.assert_allclose(chunked, together[[6, 3]], atol=1e-5)


def test_precision():
    frames = scene(3)
    single, double = (
        RieszMagnifier(dtype=d).magnify(frames, Static(), [1, 2], 3) for d in ("float32", "float64")
    )
    assert np.abs(single - double).mean() < 1e-6


@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (45, 64)])
def test_small_and_odd_frames(shape):
    frames = [f[: shape[0], : shape[1]] for f in scene(2, (64, 64))]
    out = RieszMagnifier().magnify(frames, Static(), [1], 2)
    assert out.shape == (1, *shape)
    assert np.isfinite(out).all()
    assert not np.array_equal(out[0], frames[1])


def test_warns_with_the_number_when_the_bound_is_passed():
    frames = [grating((96, 96), 8, s) for s in (0, 0.3)]
    with pytest.warns(
        UserWarning, match=r"^riesz: .* is about 2\.6\d px .* carries 1\.99 px"
    ) as said:
        RieszMagnifier(dtype="float64").magnify(frames, Static(), [1], 10)
    assert len(said) == 1
    assert "wavelength of 7.94 px" in str(said[0].message)


def test_pixels_that_are_not_finite_do_not_spread():
    frames = [f.copy() for f in scene(2)]
    frames[1][10, 10] = np.nan
    with pytest.warns(UserWarning, match="frame 1 has 1 values that are not finite"):
        out = RieszMagnifier().magnify(frames, Static(), [1], 3)[0]
    assert np.isnan(out).sum() == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"transform": "fast"}, "transform"),
        ({"sigma": -1}, "sigma"),
        ({"chroma": "drop"}, "chroma"),
        ({"dtype": "float16"}, "dtype"),
        ({"max_bytes": -5}, "max_bytes"),
    ],
)
def test_options_are_checked(options, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        RieszMagnifier(**options)


def test_frames_must_not_be_tiny():
    with pytest.raises(ValueError, match="at least 8 x 8 px for riesz"):
        RieszMagnifier().magnify([np.zeros((7, 20))] * 2, Static(), [1], 2)
    with pytest.raises(ValueError, match="shape must be"):
        RieszPyramid((7, 20))


def test_three_times_faster_than_the_half_octave_pyramid():
    frames = [f.astype(np.float32) for f in np.random.default_rng(0).random((2, 256, 256))]

    def best(method):
        method.magnify(frames, Static(), [1], 2)
        seconds = []
        for _ in range(5):
            start = time.process_time()
            method.magnify(frames, Static(), [1], 2)
            seconds.append(time.process_time() - start)
        return min(seconds)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ratio = best(PhaseMagnifier(device="cpu")) / best(RieszMagnifier(device="cpu"))
    assert ratio > 3


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_a_frame_without_contrast_stays_as_it_is(sigma):
    frames = [np.full((32, 32), value, np.float32) for value in (0.0, 0.0, 0.7)]
    frames.append(np.random.default_rng(0).random((32, 32), dtype=np.float32))
    for t in (1, 2, 3):
        drawn = RieszMagnifier(sigma=sigma).magnify(frames[: t + 1], Static(), [t], 5.0)
        assert np.isfinite(drawn).all()
    assert np.array_equal(RieszMagnifier().magnify(frames, Static(), [1], 5.0)[0], frames[1])
