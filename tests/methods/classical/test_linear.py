"""Linear magnification against first-order theory, Fourier shifts and a plain implementation."""

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture
from scipy import ndimage

from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.classical.pyramids.laplacian import LaplacianPyramid
from napari_motionmag.temporal import FIR, Static

SIZE = 96


def as_frames(*images):
    return [np.asarray(image, dtype=np.float32) for image in images]


def shift_along_x(before, after):
    """Least-squares displacement of small motion along x, from the gradient half-way."""
    middle = np.fft.rfft2((before + after) / 2)
    fx = np.fft.rfftfreq(before.shape[1])[None]
    gradient = np.fft.irfft2(2j * np.pi * fx * middle, before.shape)
    return -np.sum(gradient * (after - before)) / np.sum(gradient**2)


class Counting:
    """Frames that count how often each is read."""

    def __init__(self, frames):
        self.frames, self.reads = frames, {}

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.reads[index] = self.reads.get(index, 0) + 1
        return self.frames[index]


def plain_bands(image, levels):
    """Laplacian pyramid with scipy, each band at full size: an independent implementation."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16

    def blur(a, mode):
        return ndimage.convolve1d(ndimage.convolve1d(a, kernel, 0, mode=mode), kernel, 1, mode=mode)

    def up(a, shape):
        big = np.zeros((2 * a.shape[0] + 8, 2 * a.shape[1] + 8))
        big[::2, ::2] = np.pad(a, 2, mode="edge")
        return 4 * blur(big, "constant")[4 : 4 + shape[0], 4 : 4 + shape[1]]

    bands, shapes = [], []
    for _ in range(levels):
        low = blur(image, "mirror")[::2, ::2]
        shapes.append(image.shape)
        bands.append(image - up(low, image.shape))
        image = low
    bands.append(image)
    full = []
    for k, band in enumerate(bands):
        for shape in reversed(shapes[:k]):
            band = up(band, shape)
        full.append(band)
    return full


@pytest.mark.parametrize("factor", [0.0, 3.0, 25.0, -4.0])
def test_without_cut_off_it_is_the_first_order_expansion(factor):
    still = smooth_texture(SIZE)
    frames = as_frames(still, fourier_shift(still, 0.02, 0.03))
    method = LinearMagnifier(lambda_c=0, residual=True, dtype="float64")
    out = method.magnify(frames, Static(), [1], factor)[0]
    expected = frames[1] + (factor - 1) * (frames[1].astype(np.float64) - frames[0])
    np.testing.assert_allclose(out, expected, atol=2e-7)


def test_a_texture_moves_by_factor_times_its_displacement():
    still = smooth_texture(SIZE, cutoff=0.06)
    frames = as_frames(still, fourier_shift(still, 0.0, 0.02))
    for factor in (0.0, 2.0, 10.0, 20.0, -5.0):
        out = LinearMagnifier().magnify(frames, Static(), [1], factor)[0]
        truth = fourier_shift(still, 0, factor * 0.02)
        assert shift_along_x(still, out) == pytest.approx(factor * 0.02, rel=0.03, abs=0.0003)
        # what is wrong is of second order in the displacement
        assert np.abs(out - truth).max() < 0.15 * max(np.abs(truth - frames[1]).max(), 0.002)


@pytest.mark.parametrize("wavelength", [8, 16, 32])
def test_gain_on_a_grating(wavelength):
    x = np.arange(SIZE)

    def grating(d):
        row = 0.5 + 0.3 * np.sin(2 * np.pi * (x - d) / wavelength)
        return np.tile(row, (SIZE, 1))

    frames = as_frames(grating(0), grating(0.01))
    out = LinearMagnifier().magnify(frames, Static(), [1], 10)[0]
    carrier = np.exp(-2j * np.pi * x / wavelength)
    phase = np.angle((out.mean(0) * carrier).sum() / (frames[0].mean(0) * carrier).sum())
    assert -phase * wavelength / (2 * np.pi) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("attenuation", ["scaled", "cut"])
def test_bands_get_what_the_paper_gives_them(attenuation):
    rng = np.random.default_rng(1)
    before, after = rng.random((2, 64, 50))
    alpha, lambda_c = 8.0, 30.0
    method = LinearMagnifier(lambda_c=lambda_c, attenuation=attenuation, levels=3, dtype="float64")
    out = method.magnify([before, after], Static(), [1], alpha + 1)[0]
    expected = after.copy()
    for k, band in enumerate(plain_bands(after - before, 3)[:3]):
        wavelength = 5.0 * 2**k
        delta = lambda_c / 8 / (1 + alpha)
        bound = wavelength / (8 * delta) - 1
        shorter = max(bound, 0) if attenuation == "scaled" else 0
        expected += (alpha if wavelength >= lambda_c else shorter) * band
    inner = np.s_[16:-16, 16:-16]  # borders are extended in different ways
    np.testing.assert_allclose(out[inner], expected[inner], atol=1e-6)


def test_fine_bands_are_never_turned_around():
    # the formula of the paper is negative for wavelengths below lambda_c / (1 + alpha)
    x = np.arange(64)
    frames = as_frames(*(np.tile(0.3 * np.sin(2 * np.pi * (x - d) / 4), (64, 1)) for d in (0, 0.1)))
    out = LinearMagnifier(lambda_c=200).magnify(frames, Static(), [1], 4)[0]
    assert shift_along_x(frames[0], out) >= 0.09


@pytest.mark.parametrize("level", [1, 2, 3])
def test_representative_wavelengths_are_where_the_bands_respond_most(level):
    # response of taking apart and putting together, from the transfer function of the filter
    w = np.linspace(1e-4, np.pi, 200_000)
    response = np.ones_like(w)
    for k in range(level):
        response *= np.cos(2**k * w / 2) ** 8
    response *= 1 - np.cos(2**level * w / 2) ** 8
    assert 2 * np.pi / w[response.argmax()] == pytest.approx(
        LaplacianPyramid((128, 128)).wavelengths[level], rel=0.08
    )


def test_only_the_band_of_frequencies_is_magnified():
    fps, n = 40.0, 80
    still = smooth_texture(SIZE, cutoff=0.06)
    time = np.arange(n) / fps
    slow, fast = 0.02 * np.sin(2 * np.pi * time), 0.02 * np.sin(2 * np.pi * 8 * time)
    frames = as_frames(*(fourier_shift(still, 0, d) for d in slow + fast))
    operator = FIR(6, 10, fps)
    times = list(range(30, 50))
    out = LinearMagnifier().magnify(frames, operator, times, 10)
    moved = np.array([shift_along_x(still, frame) for frame in out])
    np.testing.assert_allclose(moved, (slow + 10 * fast)[times], atol=0.02 * 0.5)


def test_color_magnifies_a_pulse_over_an_area_and_no_detail():
    rng = np.random.default_rng(2)
    base = np.stack([smooth_texture(SIZE, k) for k in range(3)], -1)
    pulse = np.array([0.002, 0.006, 0.001])
    noise = 0.01 * (rng.integers(0, 2, (SIZE, SIZE)) - 0.5)
    checker = 0.01 * (np.indices((SIZE, SIZE)).sum(0) % 2 - 0.5)
    frames = as_frames(base, base + pulse + checker[..., None])
    out = LinearMagnifier("color", level=3).magnify(frames, Static(), [1], 21)[0]
    np.testing.assert_allclose(out - frames[1], np.broadcast_to(20 * pulse, base.shape), atol=2e-4)
    frames = as_frames(base, base + noise[..., None])
    out = LinearMagnifier("color", level=3).magnify(frames, Static(), [1], 21)[0]
    assert (out - frames[1]).std() < 20 * noise.std() / 6


@pytest.mark.parametrize(("what", "chroma"), [("motion", 0.0), ("color", 1.0)])
def test_chroma(what, chroma):
    change = np.array([0.02, -0.01, 0.004])
    base = np.full((48, 48, 3), 0.5)
    ramp = np.sin(np.arange(48) / 3)[:, None, None]
    frames = as_frames(base, base + change * ramp)
    luma = change @ [0.299, 0.587, 0.114]
    for given, share in ((None, chroma), (0.25, 0.25), (1.0, 1.0), (0.0, 0.0)):
        options = {"lambda_c": 0, "residual": True} if what == "motion" else {"level": 1}
        out = LinearMagnifier(what, chroma=given, **options).magnify(frames, Static(), [1], 3)[0]
        # seen as luma and chroma: the luma of the change, and a share of the rest
        expected = luma + share * (change - luma)
        added = (out - frames[1])[24, 24]
        np.testing.assert_allclose(added / added.sum(), expected / expected.sum(), atol=1e-4)


def test_factor_1_is_the_identity_and_a_still_scene_stays_still():
    rng = np.random.default_rng(0)
    frames = [rng.random((20, 30), dtype=np.float32) for _ in range(3)]
    np.testing.assert_array_equal(
        LinearMagnifier().magnify(frames, Static(), [2, 1], 1), frames[:0:-1]
    )
    still = [frames[0]] * 4
    out = LinearMagnifier().magnify(still, FIR(2, 5, 20), [0, 2], 1000)
    np.testing.assert_array_equal(out, still[:2])


def test_reads_what_the_operator_needs_once():
    rng = np.random.default_rng(0)
    frames = Counting([rng.random((16, 16), dtype=np.float32) for _ in range(60)])
    operator = FIR(5, 9, 40.0, taps=11)
    times = [20, 22, 21]
    out = LinearMagnifier().magnify(frames, operator, times, 50)
    needed = set(times).union(*(operator.row(t, 60)[0].tolist() for t in times))
    assert frames.reads == dict.fromkeys(needed, 1)
    for t, frame in zip(times, out, strict=True):  # runs share work and change nothing
        alone = LinearMagnifier().magnify(frames, operator, [t], 50)[0]
        np.testing.assert_array_equal(frame, alone)


def test_warns_with_the_number_where_the_bound_is_passed():
    still = smooth_texture(SIZE, cutoff=0.06)
    frames = as_frames(still, fourier_shift(still, 0.3, 0.4))
    with pytest.warns(UserWarning, match=r"frame 1, 0.48 px") as caught:
        LinearMagnifier().magnify(frames, Static(), [0, 1], 10)
    assert "below 39 px" in str(caught[0].message)  # 8 x 10 x 0.5 px, as measured
    with pytest.warns(UserWarning, match="raise lambda_c or lower the factor"):
        LinearMagnifier(lambda_c=20).magnify(frames, Static(), [1], 10)


@pytest.mark.parametrize(
    ("factor", "lambda_c"), [(2.0, None), (10.0, 60.0), (0.0, None), (0.5, 4.0)]
)
def test_is_quiet_within_the_bound(factor, lambda_c, recwarn):
    still = smooth_texture(SIZE, cutoff=0.06)
    frames = as_frames(still, fourier_shift(still, 0.3, 0.4))
    LinearMagnifier(lambda_c=lambda_c).magnify(frames, Static(), [1], factor)
    assert not recwarn.list


def test_noise_is_not_taken_for_motion(recwarn):
    rng = np.random.default_rng(0)
    still = smooth_texture(SIZE, cutoff=0.06)
    frames = as_frames(*(still + 0.02 * rng.standard_normal(still.shape) for _ in range(2)))
    LinearMagnifier().magnify(frames, Static(), [1], 10)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "colour"}, "what must be"),
        ({"attenuation": "soft"}, "attenuation must be"),
        ({"lambda_c": -1}, "lambda_c must be"),
        ({"lambda_c": float("nan")}, "lambda_c must be"),
        ({"levels": 0}, "levels must be"),
        ({"level": 0}, "level must be"),
        ({"chroma": 2}, "chroma must be"),
        ({"device": "abacus"}, "device must be"),
        ({"dtype": "float16"}, "dtype must be"),
    ],
)
def test_refuses_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        LinearMagnifier(**options)


def test_refuses_bad_requests():
    frames = as_frames(smooth_texture(SIZE), smooth_texture(SIZE, 1))
    method = LinearMagnifier()
    with pytest.raises(ValueError, match="times must be within 0 to 1"):
        method.magnify(frames, Static(), [2], 3)
    with pytest.raises(ValueError, match="times must name"):
        method.magnify(frames, Static(), [], 3)
    with pytest.raises(ValueError, match="factor must be finite"):
        method.magnify(frames, Static(), [1], float("inf"))
    with pytest.raises(TypeError, match="factor must be a number"):
        method.magnify(frames, Static(), [1], "3")
    with pytest.raises(ValueError, match="levels must be at most"):
        LinearMagnifier(levels=9).magnify(frames, Static(), [1], 3)
    with pytest.raises(ValueError, match="level must be at most"):
        LinearMagnifier("color", level=9).magnify(frames, Static(), [1], 3)
    with pytest.raises(ValueError, match="at least 8 x 8"):
        method.magnify([f[:7] for f in frames], Static(), [1], 3)
