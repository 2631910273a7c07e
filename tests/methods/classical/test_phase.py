"""Phase-based magnification: motion gained, what must stay, and how frames are used."""

import math
import threading
import warnings

import numpy as np
import pytest
import torch
from gratings import displacement, fourier_shift, grating, texture

from napari_motionmag.methods.classical import local_phase
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.pyramids.steerable import SteerablePyramid

# ------------------------------------------------------------------ operators and scenes


class Static:
    def __init__(self, reference=0):
        self.reference = np.atleast_1d(reference)

    def row(self, t, n):
        weights = {int(r): -1 / len(self.reference) for r in self.reference}
        weights[t] = weights.get(t, 0) + 1
        indices = sorted(weights)
        return np.array(indices), np.array([weights[i] for i in indices], float)


class Kernel:
    """Centred convolution, ends reflected."""

    def __init__(self, kernel):
        self.kernel = np.asarray(kernel, float)

    def row(self, t, n):
        half = len(self.kernel) // 2
        full = np.zeros(n)
        for k, weight in zip(range(t - half, t + half + 1), self.kernel, strict=True):
            k = abs(k) % (2 * (n - 1))
            full[min(k, 2 * (n - 1) - k)] += weight
        indices = np.flatnonzero(full)
        return indices, full[indices]


class Past:
    """All frames up to t, like a recursive filter."""

    def row(self, t, n):
        weights = 0.7 ** np.arange(t, -1, -1) * np.cos(np.arange(t, -1, -1))
        return np.arange(t + 1), weights - weights.mean()


def band_pass(low, high, taps):
    n = np.arange(taps) - taps // 2
    kernel = 2 * high * np.sinc(2 * high * n) - 2 * low * np.sinc(2 * low * n)
    kernel *= np.blackman(taps)
    middle = np.cos(2 * np.pi * (low + high) / 2 * n)
    kernel -= kernel.mean()
    return kernel / (kernel @ middle)


class Counting(list):
    """Frames that note which of them were read."""

    def __init__(self, frames):
        super().__init__(frames)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def texture_displacement(reference, image):
    """Least-squares displacement along x of a periodic texture."""
    d = 0.0
    for _ in range(6):
        model = fourier_shift(reference, d)
        slope = (fourier_shift(reference, d + 1e-4) - fourier_shift(reference, d - 1e-4)) / 2e-4
        d += ((image - model) * slope).sum() / (slope**2).sum()
    return d


def double(**options):
    return PhaseMagnifier(dtype="float64", device="cpu", **options)


# ------------------------------------------------------------------ motion gained

BOUNDS = {"octave": 1 / 4, "half-octave": 1 / 2, "quarter-octave": 1 / 2}


@pytest.mark.parametrize("pyramid", BOUNDS)
@pytest.mark.parametrize(
    ("delta", "factor"), [(0.01, 20), (0.01, -4), (0.1, 10), (0.1, 0), (0.5, 3), (0.5, -0.5)]
)
@pytest.mark.parametrize(("wavelength", "angle"), [(5.0, 0.0), (8.7, 2.1)])
def test_gratings_move_by_factor_times_their_motion(pyramid, delta, factor, wavelength, angle):
    if abs(factor - 1) * delta > 0.9 * BOUNDS[pyramid] * wavelength:
        delta /= 4
    frames = [grating((256, 240), wavelength, s, angle) for s in (0, delta)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = PhaseMagnifier(pyramid=pyramid).magnify(frames, Static(), [1], factor)
    assert out.shape == (1, 256, 240)
    assert out.dtype == np.float32
    got = displacement(frames[0], out[0].astype(float), wavelength, angle)
    assert got == pytest.approx(factor * delta, abs=1e-4)


@pytest.mark.parametrize("pyramid", BOUNDS)
def test_periodic_gratings_move_exactly(pyramid):
    # without borders, and of a size fast to transform, the picture wraps around
    frames = [grating((64, 72), 8, s) for s in (0, 0.05)]
    out = double(pyramid=pyramid, padding=0).magnify(frames, Static(), [1], 12)[0]
    np.testing.assert_allclose(out, grating((64, 72), 8, 0.6), atol=1e-6)


@pytest.mark.parametrize(("delta", "factor"), [(0.01, 10), (0.01, -4), (0.01, 0), (0.05, 2)])
def test_textures_move_right_with_the_envelope(delta, factor):
    still = 0.5 + 0.1 * texture(128, 0.12, 0.45)
    frames = [still, fourier_shift(still, delta)]
    method = double(sigma=0, envelope=True, padding=0)
    out = method.magnify(frames, Static(), [1], factor)[0]
    assert texture_displacement(still, out) == pytest.approx(factor * delta, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({}, 0.92, 0.98),
        ({"sigma": 0}, 0.94, 0.99),
        ({"pyramid": "octave"}, 0.85, 0.95),
        ({"pyramid": "octave", "sigma": 0}, 0.90, 0.97),
    ],
)
def test_textures_by_phase_alone_fall_short_by_what_is_documented(options, low, high):
    still = 0.5 + 0.1 * texture(128, 0.12, 0.45)
    frames = [still, fourier_shift(still, 0.02)]
    out = double(padding=0, **options).magnify(frames, Static(), [1], 10)[0]
    gain = (texture_displacement(still, out) - 0.02) / (9 * 0.02)
    assert low < gain < high


@pytest.mark.parametrize("pyramid", BOUNDS)
def test_what_a_texture_falls_short_by_is_the_motion_of_the_envelopes(pyramid):
    # the gradient of a subband A exp(i phi) is (A' + i A phi') exp(i phi): phase moves the latter
    still = 0.5 + 0.1 * texture(128, 0.12, 0.45)
    whole, by_phase = 0.0, 0.0
    made = SteerablePyramid(still.shape, pyramid, dtype=torch.float64)
    for _, values in made.coefficients(made.spectrum(torch.from_numpy(still - still.mean()))):
        c = values.numpy()
        n = c.shape[1]
        slope = np.fft.ifft(np.fft.fft(c) * 2j * np.pi * np.fft.fftfreq(n)) * n / 128
        turning = (slope * c.conj()).imag / np.maximum(np.abs(c), 1e-300)
        whole += (np.abs(slope) ** 2).sum() / c.size
        by_phase += (turning**2).sum() / c.size
    frames = [still, fourier_shift(still, 0.02)]
    out = double(padding=0, sigma=0, pyramid=pyramid).magnify(frames, Static(), [1], 10)[0]
    gain = (texture_displacement(still, out) - 0.02) / (9 * 0.02)
    assert gain == pytest.approx(by_phase / whole, abs=0.002)


@pytest.mark.parametrize(("wavelength", "gain"), [(64 / 29, 0.081), (64 / 22, 0.82), (3.55, 1.0)])
def test_wavelengths_below_three_and_a_half_px_are_partly_high_pass_residual(wavelength, gain):
    k = round(64 / wavelength)
    frames = [grating((64, 64), 64 / k, s) for s in (0, 0.02)]
    out = double(padding=0).magnify(frames, Static(), [1], 6)[0]
    a, b = (np.fft.fft(f.mean(0))[k] for f in (frames[0], out))
    moved = -np.angle(b / a) * 64 / k / (2 * np.pi)
    assert (moved - 0.02) / 0.1 == pytest.approx(gain, abs=0.01)
    # what the window of the design says: cos^2 of the octaves below Nyquist
    share = math.cos(math.pi / 2 * min(-math.log2(2 * k / 64) / 0.75, 1)) ** 2
    assert gain == pytest.approx(1 - share, abs=0.01)


@pytest.mark.parametrize("pyramid", ["octave", "half-octave"])
def test_against_a_plain_implementation(pyramid):
    """Full resolution filters, numpy's unwrap, and the operator as a matrix."""
    p, n, width = {"octave": (1, 4, 1.0), "half-octave": (2, 8, 0.75)}[pyramid]
    size, levels = 64, 4 * p
    still = 0.5 + 0.1 * texture(size, 0.05, 0.8, seed=3)
    shifts = 0.4 * np.sin(np.arange(9) * 0.9)
    frames = [fourier_shift(still, s, -s / 2) for s in shifts]
    operator, gain, t = Kernel([-0.25, 0.5, -0.25]), 3.0, 4
    fy, fx = np.meshgrid(*[2 * np.fft.fftfreq(size)] * 2, indexing="ij")
    r, theta = np.maximum(np.hypot(fy, fx), 1e-9), np.arctan2(fy, fx)
    k = n - 1
    c = 2 ** (2 * k) * math.factorial(k) ** 2 / (n * math.factorial(2 * k))

    def high(j):
        octaves = np.clip(np.log2(r / 2 ** (-j / p)), -width, 0)
        return np.cos(np.pi / 2 * octaves / width)

    spectra = np.fft.fft2(frames)
    low = np.sqrt(1 - high(0) ** 2)
    expected = np.fft.ifft2(spectra[t] * high(0) ** 2).real
    for level in range(1, levels + 1):
        for b in range(n):
            off = (theta - np.pi * b / n + np.pi) % (2 * np.pi) - np.pi
            angular = np.where(np.abs(off) < np.pi / 2, np.cos(off), 0) ** k
            window = np.sqrt(c) * angular * low * high(level)
            bands = np.fft.ifft2(2 * spectra * window)
            phase = np.unwrap(np.angle(bands), axis=0)
            indices, weights = operator.row(t, len(frames))
            delta = np.tensordot(weights, phase[indices], 1)
            moved = bands[t] * np.exp(1j * (gain - 1) * delta)
            expected += np.fft.ifft2(np.fft.fft2(moved) * window).real
        low = low * np.sqrt(1 - high(level) ** 2)
    expected += np.fft.ifft2(spectra[t] * low**2).real

    out = double(pyramid=pyramid, sigma=0, padding=0).magnify(frames, operator, [t], gain)[0]
    moved = np.abs(expected - frames[t]).max()
    assert moved > 0.015
    # coarse bands alias a little where they are turned at their own resolution
    assert np.abs(out - expected).max() < 0.02 * moved
    assert (out - expected).std() < 0.02 * (out - frames[t]).std()


# ------------------------------------------------------------------ time


SHAPE, WAVELENGTH, BAND = (64, 64), 8.0, band_pass(0.14, 0.26, 61)


def periodic_displacement(a, b):
    """How far a vertical grating of WAVELENGTH with whole periods moved, px."""
    one, two = (np.fft.fft(f.mean(0))[round(len(f) / WAVELENGTH)] for f in (a, b))
    return -np.angle(two / one) * WAVELENGTH / (2 * np.pi)


def vibrating(n=73):
    """In-band vibration, and a slow with a fast one outside of the band, px."""
    t = np.arange(n)
    inside = 0.05 * np.sin(2 * np.pi * 0.2 * t)
    outside = 0.3 * np.sin(2 * np.pi * 0.02 * t) + 0.02 * np.sin(2 * np.pi * 0.45 * t)
    return inside, outside


def test_each_frame_moves_by_its_own_variation_and_nothing_else_moves():
    inside, outside = vibrating()
    frames = [grating(SHAPE, WAVELENGTH, s) for s in inside + outside]
    times = [31, 32, 34, 36, 41]
    out = double(padding=0).magnify(frames, Kernel(BAND), times, 6)
    still = grating(SHAPE, WAVELENGTH, 0)
    for time, frame in zip(times, out, strict=True):
        # zero phase: what the operator selects is the in-band motion of this very frame
        got = periodic_displacement(still, frame)
        assert got == pytest.approx(6 * inside[time] + outside[time], abs=1e-4)


def test_motion_outside_of_the_band_stays_as_it_is():
    _, outside = vibrating()
    frames = [grating(SHAPE, WAVELENGTH, s) for s in outside]
    times = [32, 36, 41]
    out = double(padding=0).magnify(frames, Kernel(BAND), times, 10)
    still = grating(SHAPE, WAVELENGTH, 0)
    for time, frame in zip(times, out, strict=True):
        got = periodic_displacement(still, frame)
        assert got == pytest.approx(outside[time], abs=1e-4)


@pytest.mark.parametrize("phase", np.linspace(-np.pi, np.pi, 7))
def test_phases_are_wrapped_into_half_a_turn_either_way(phase):
    # a shift of .45 wavelengths back and forth: branch cuts lie everywhere
    frames = [grating((64, 64), 8, s, phase=phase) for s in (0, 3.6, 0, -3.6)]
    for t, expected in ((1, 1.8), (3, -1.8)):
        out = double(padding=0).magnify(frames, Static(2), [t], 0.5)[0]
        np.testing.assert_allclose(out, grating((64, 64), 8, expected, phase=phase), atol=1e-6)


def test_drifts_over_many_wavelengths_are_unwrapped_in_time():
    # 2.5 wavelengths in 9 frames; a straight drift has no second difference
    shifts = 2.5 * np.arange(9.0)
    frames = [grating((64, 64), 8, s) for s in shifts]
    operator = Kernel([-1, 0, 0, 0, 2, 0, 0, 0, -1])
    operator.row = lambda t, n: (np.arange(9), np.array([-1.0, 0, 0, 0, 2, 0, 0, 0, -1]))
    out = double(padding=0).magnify(frames, operator, [4], 5)[0]
    np.testing.assert_allclose(out, frames[4], atol=1e-6)
    # bend the drift: the result is that of the whole path, far beyond half a turn
    shifts[5:] += np.array([0.5, 1.0, 1.5, 2.0]) * 1.2
    frames = [grating((64, 64), 8, s) for s in shifts]
    out = double(padding=0).magnify(frames, operator, [4], 1.5)[0]
    expected = shifts[4] + 0.5 * (2 * shifts[4] - shifts[0] - shifts[8])
    np.testing.assert_allclose(out, grating((64, 64), 8, expected), atol=1e-6)


def test_mean_of_several_references():
    shifts = [0.0, 0.1, 0.2, 0.4]
    frames = [grating((64, 64), 8, s) for s in shifts]
    out = double(padding=0).magnify(frames, Static([0, 1, 2]), [3], 4)[0]
    np.testing.assert_allclose(out, grating((64, 64), 8, 0.4 + 3 * 0.3), atol=1e-6)


# ------------------------------------------------------------------ what must stay


def test_factor_one_is_the_identity_and_reads_nothing_else():
    frames = Counting(np.random.default_rng(0).random((5, 40, 33)).astype(np.float32))
    out = PhaseMagnifier().magnify(frames, Static(), [3, 1, 3], 1)
    read = sorted(frames.read)
    np.testing.assert_array_equal(out, [frames[3], frames[1], frames[3]])
    assert read == [1, 3]


@pytest.mark.parametrize("factor", [-3, 0, 30])
def test_a_still_scene_stays_still(factor):
    frame = np.random.default_rng(1).random((41, 64)).astype(np.float32)
    out = PhaseMagnifier().magnify([frame, frame.copy()], Static(), [1], factor)
    np.testing.assert_allclose(out[0], frame, atol=1e-6)


def test_high_pass_residual_is_kept():
    # a checkerboard is all high-pass residual: it must neither move nor fade
    checks = 0.1 * (-1.0) ** np.add.outer(np.arange(64), np.arange(64))
    frames = [grating((64, 64), 8, s) + checks for s in (0, 0.1)]
    out = double(padding=0).magnify(frames, Static(), [1], 8)[0]
    np.testing.assert_allclose(out, grating((64, 64), 8, 0.8) + checks, atol=1e-6)


def test_low_pass_residual_is_untouched():
    # a change of brightness is no motion
    y, _ = np.mgrid[:64, :64]
    frames = [grating((64, 64), 8, 0), grating((64, 64), 8, 0.1) + 0.2 + 0.001 * y]
    out = double(padding=0).magnify([f for f in frames], Static(), [1], 8)[0]
    assert (out - frames[1]).mean() == pytest.approx(0, abs=1e-8)
    out = double(padding=0).magnify([frames[0], frames[0] + 0.2], Static(), [1], 8)[0]
    np.testing.assert_allclose(out, frames[0] + 0.2, atol=1e-6)


def test_noise_is_moved_not_multiplied():
    rng = np.random.default_rng(2)
    frames = [0.5 + rng.normal(0, 0.02, (128, 128)) for _ in range(2)]
    with pytest.warns(UserWarning, match="past that bound"):
        out = PhaseMagnifier().magnify(frames, Static(), [1], 20)[0]
    assert out.std() < 1.2 * 0.02  # the linear method would make it 0.55


def test_smoothing_is_weighted_by_amplitude():
    # bright stripes among faint ones that move the other way keep their own motion
    inside = np.zeros((96, 96))
    inside[:, 32:64] = 1

    def stripes(bright, faint):
        faint = grating((96, 96), 6, faint, contrast=0.02) - 0.5
        return 0.5 + inside * (grating((96, 96), 6, bright) - 0.5) + (1 - inside) * faint

    frames, truth = [stripes(0, 0), stripes(0.1, -0.1)], stripes(0.5, -0.5)
    errors = []
    for sigma in (0, 4):
        out = PhaseMagnifier(sigma=sigma).magnify(frames, Static(), [1], 5)[0]
        errors.append((out - truth)[20:-20, 34:62].std())
    assert errors[1] < 1.5 * errors[0]  # 3.6 times without weights


def test_smoothing_quiets_noise():
    rng = np.random.default_rng(3)
    frames = [grating((96, 96), 6, s) + rng.normal(0, 0.03, (96, 96)) for s in (0, 0.1)]
    errors = []
    for sigma in (0, 2):
        out = PhaseMagnifier(sigma=sigma).magnify(frames, Static(), [1], 6)[0]
        errors.append((out - grating((96, 96), 6, 0.6))[20:-20, 20:-20].std())
    assert errors[1] < 0.8 * errors[0]


# ------------------------------------------------------------------ colour


def coloured(shift, chroma_shift=0.0):
    luma = grating((64, 64), 8, shift)
    red = 0.1 * (grating((64, 64), 8, chroma_shift, phase=1.5) - 0.5)
    # red and blue change against each other at constant luma
    rgb = luma[..., None] + red[..., None] * np.array([1.0, 0.0, -0.299 / 0.114])
    return rgb.astype(np.float64)


def test_luma_moves_and_chroma_passes():
    frames = [coloured(0), coloured(0.1, 0.1)]
    out = double(padding=0).magnify(frames, Static(), [1], 6)[0]
    grey = double(padding=0).magnify([f @ [0.299, 0.587, 0.114] for f in frames], Static(), [1], 6)[
        0
    ]
    np.testing.assert_allclose(out @ [0.299, 0.587, 0.114], grey, atol=1e-6)
    np.testing.assert_allclose(out - out[..., :1], frames[1] - frames[1][..., :1], atol=1e-6)


def test_chroma_moves_when_asked():
    frames = [coloured(0), coloured(0, 0.1)]
    kept = double(padding=0).magnify(frames, Static(), [1], 6)[0]
    np.testing.assert_allclose(kept, frames[1], atol=1e-6)
    moved = double(padding=0, chroma="magnify").magnify(frames, Static(), [1], 6)[0]
    np.testing.assert_allclose(moved, coloured(0, 0.6), atol=1e-5)


# ------------------------------------------------------------------ reading and memory


def scene(n, shape=(48, 57), seed=5):
    still = 0.5 + 0.1 * texture(64, 0.05, 0.7, seed)
    rng = np.random.default_rng(seed)
    shifts = 0.2 * rng.normal(size=(n, 2)).cumsum(0)
    return [fourier_shift(still, *s)[: shape[0], : shape[1]].astype(np.float32) for s in shifts]


OPERATORS = [Static(), Static([0, 2]), Kernel([-0.25, 0.5, -0.25]), Past()]


@pytest.mark.parametrize("operator", OPERATORS)
def test_reads_what_the_rows_name_once(operator):
    frames = Counting(scene(14))
    times = [7, 8, 9]
    PhaseMagnifier().magnify(frames, operator, times, 2)
    needed = {int(i) for t in times for i in operator.row(t, 14)[0]} | set(times)
    assert sorted(frames.read) == sorted(needed)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("method", [PhaseMagnifier(), PhaseMagnifier(envelope=True)])
def test_a_frame_does_not_depend_on_the_run_it_is_in(method, operator):
    frames = scene(12)
    together = method.magnify(frames, operator, range(12), 2)
    for t in (0, 5, 11):
        alone = method.magnify(frames, operator, [t], 2)[0]
        np.testing.assert_allclose(together[t], alone, atol=2e-6)
    some = method.magnify(frames, operator, [9, 3, 9], 2)
    np.testing.assert_allclose(some, together[[9, 3, 9]], atol=2e-6)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("frames_held", [2, 5])
def test_little_memory_gives_the_same_result(operator, frames_held):
    frames = Counting(scene(12))
    whole = PhaseMagnifier().magnify(frames, operator, range(4, 12), 2)
    del frames.read[:]
    # spectra are those of 80 x 90 padded pixels
    little = PhaseMagnifier(max_bytes=frames_held * 4 * 80 * 90 + 1000)
    np.testing.assert_allclose(little.magnify(frames, operator, range(4, 12), 2), whole, atol=2e-6)
    assert len(frames.read) == len(set(frames.read))


def test_reading_may_itself_magnify():
    # a magnified movie magnified again, from several threads
    inner, frames = PhaseMagnifier(), scene(3)

    class Magnified:
        def __len__(self):
            return 3

        def __getitem__(self, t):
            return inner.magnify(frames, Static(), [t], 1.5)[0]

    done = []
    threads = [
        threading.Thread(
            target=lambda: done.append(PhaseMagnifier().magnify(Magnified(), Static(), [2], 2)),
            daemon=True,
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 3
    np.testing.assert_array_equal(done[0], done[1])


def test_out_of_memory_on_a_gpu_goes_on_with_less(monkeypatch):
    class Full(local_phase._Run):
        def __init__(self, method, frames, operator, times, gain, device, budget):
            if device.type != "cpu":
                raise torch.cuda.OutOfMemoryError("full")
            super().__init__(method, frames, operator, times, gain, device, budget)

    frames = scene(2)
    expected = PhaseMagnifier(device="cpu").magnify(frames, Static(), [1], 2)
    monkeypatch.setattr(local_phase, "_Run", Full)
    method = PhaseMagnifier(device="cpu")
    object.__setattr__(method, "device", torch.device("meta"))  # stands for a GPU
    with pytest.warns(UserWarning, match="out of memory on meta") as said:
        out = method.magnify(frames, Static(), [1], 2)
    assert "chunks of 512 MiB" in str(said[0].message)
    assert "going on with the CPU" in str(said[-1].message)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_and_cpu_agree():
    frames = scene(4)
    outs = [
        PhaseMagnifier(device=d).magnify(frames, Static(), range(4), 3) for d in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(outs[0], outs[1], atol=2e-5)


# ------------------------------------------------------------------ warnings and errors


@pytest.mark.parametrize(
    ("pyramid", "delta", "carried", "most"),
    [("octave", 0.5, "4", 9), ("half-octave", 0.45, "8", 18.8)],
)
def test_warns_with_the_number_when_the_bound_is_passed(pyramid, delta, carried, most):
    frames = [grating((96, 96), 16, s) for s in (0, delta)]
    method = double(pyramid=pyramid, padding=0)
    with pytest.warns(UserWarning, match="motion is about") as said:
        method.magnify(frames, Static(), [1], 20)
    assert len(said) == 1
    message = str(said[0].message)
    assert f"motion is about {19 * delta:.3g} px" in message
    assert "wavelength of 16 px" in message
    assert f"carries {carried} px" in message
    assert f"factor of about {most:.3g}" in message
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method.magnify(frames, Static(), [1], 0.95 * most)
        method.magnify(frames, Static(), [1], 2 - 0.95 * most)


def test_pixels_that_are_not_finite_are_reported_and_do_not_spread():
    frames = [f.copy() for f in scene(2)]
    clean = PhaseMagnifier().magnify(frames, Static(), [1], 3)[0]
    frames[1][10, 10] = np.nan
    frames[1][30, 40] = np.inf
    with pytest.warns(UserWarning, match="frame 1 has 2 values that are not finite"):
        out = PhaseMagnifier().magnify(frames, Static(), [1], 3)[0]
    assert np.isnan(out[10, 10])
    assert out[30, 40] == np.inf
    assert np.isfinite(out).sum() == out.size - 2
    assert np.abs(out - clean)[40:, :30].max() < 0.02
    frames[0][:] = np.nan
    with pytest.raises(ValueError, match="frame 0 has no finite pixel"):
        PhaseMagnifier().magnify(frames, Static(), [0], 3)


@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (45, 64), (64, 13)])
def test_small_and_odd_frames(shape):
    frames = [f[: shape[0], : shape[1]] for f in scene(2, (64, 64))]
    out = PhaseMagnifier().magnify(frames, Static(), [1], 2)
    assert out.shape == (1, *shape)
    assert np.isfinite(out).all()
    assert not np.array_equal(out[0], frames[1])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"pyramid": "third"}, "pyramid"),
        ({"sigma": -1}, "sigma"),
        ({"sigma": math.nan}, "sigma"),
        ({"chroma": "drop"}, "chroma"),
        ({"padding": -1}, "padding"),
        ({"dtype": "float16"}, "dtype"),
        ({"device": "nowhere"}, "device"),
        ({"max_bytes": 0}, "max_bytes"),
    ],
)
def test_options_are_checked(options, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        PhaseMagnifier(**options)


def test_requests_are_checked():
    frames, method = scene(3), PhaseMagnifier()
    with pytest.raises(ValueError, match="times must be within 0 to 2"):
        method.magnify(frames, Static(), [3], 2)
    with pytest.raises(ValueError, match="times must name"):
        method.magnify(frames, Static(), [], 2)
    with pytest.raises(ValueError, match="factor must be"):
        method.magnify(frames, Static(), [1], math.inf)
    with pytest.raises(ValueError, match="frames must have one shape, frame 0"):
        method.magnify([frames[0][:40], *frames[1:]], Static(), [1], 2)
    with pytest.raises(ValueError, match=r"frames must be \(Y, X\)"):
        method.magnify([np.zeros((9, 9, 4))] * 2, Static(), [1], 2)
    with pytest.raises(ValueError, match="at least 8 x 8 px"):
        method.magnify([f[:7] for f in frames], Static(), [1], 2)
