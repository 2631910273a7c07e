"""What each temporal operator selects, against independent calculations."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from scipy import signal

from napari_motionmag.temporal import (
    FIR,
    Acceleration,
    Butterworth,
    DifferenceOfIIR,
    Dynamic,
    Static,
    make_operator,
)

FPS = 30.0
BAND_PASS = [
    FIR(1, 3, FPS),
    FIR(1, 3, FPS, taps=31),
    FIR(5, FPS / 2, FPS),
    Butterworth(1, 3, FPS),
    Butterworth(1, 3, FPS, order=4),
    Butterworth(5, FPS / 2, FPS, order=1),
    Butterworth(1, 3, FPS, zero_phase=True),
    DifferenceOfIIR(1, 3, FPS),
    Acceleration(2, FPS),
    Acceleration(9, FPS),
]
ALL = [Static(0), Static(slice(0, 2)), Dynamic(1, fps=FPS), Dynamic(3, fps=FPS), *BAND_PASS]


def ids(op):
    return op.describe()


def matrix(op, n):
    """The operator on movies of n frames as a matrix, from its rows."""
    out = np.zeros((n, n))
    for t in range(n):
        indices, weights = op.row(t, n)
        out[t, indices] = weights
    return out


def measured_response(op, frequency, n=3000):
    """Complex gain of a sinusoid in the middle of a long movie, fitted by least squares."""
    time = np.arange(n) / FPS
    x = np.cos(2 * np.pi * frequency * time)
    middle = slice(n // 2 - 300, n // 2 + 300)
    wave = np.exp(2j * np.pi * frequency * time[middle])
    basis = np.column_stack([wave.real, -wave.imag, np.ones(600)])
    real, imaginary, _ = np.linalg.lstsq(basis, op.apply(x)[middle], rcond=None)[0]
    return real + 1j * imaginary


# ---- all operators ------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_response_is_what_a_long_sinusoid_shows(op):
    frequencies = np.array([0.3, 0.97, 2.0, 2.9, 6.1, 11.3])
    measured = [measured_response(op, f) for f in frequencies]
    np.testing.assert_allclose(op.response(frequencies), measured, atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_response_has_shape_and_type_of_a_gain(op):
    response = op.response([[0.0, 1.0, 2.0]])
    assert response.shape == (1, 3)
    assert response.dtype == np.complex128
    assert op.response(2.0).shape == ()
    assert abs(response[0, 0]) < 1e-12


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_a_still_scene_gives_nothing(op):
    out = op.apply(np.full((50, 4), 60000, dtype=np.uint16))
    assert np.abs(out).max() == 0


@pytest.mark.parametrize("op", ALL, ids=ids)
@pytest.mark.parametrize("n", [7, 90, 800])
def test_rows_sum_to_zero_and_agree_with_apply(op, n):
    rows = matrix(op, n)
    assert np.abs(rows.sum(axis=1)).max() < 1e-14
    x = np.random.default_rng(0).uniform(-1, 1, size=(n, 3))
    np.testing.assert_allclose(rows @ x, op.apply(x), atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_rows_name_distinct_increasing_frames_and_no_idle_ones(op):
    for n, t in itertools.product([2, 40, 1000], [0, 1, 0.5, 1.0]):
        t = min(int(t * n), n - 1)
        indices, weights = op.row(t, n)
        assert indices.dtype == np.int64
        assert weights.dtype == np.float64
        assert indices.shape == weights.shape
        assert np.all(np.diff(indices) > 0)
        assert indices[0] >= 0
        assert indices[-1] < n
        # a frame of weight 0 is named only where there is nothing else to name
        assert np.all(weights != 0) or (indices.tolist() == [t] and weights.tolist() == [0.0])
        np.testing.assert_array_equal(op.needs(t, n), indices)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_every_frame_has_its_own_row(op):
    # public code has filtered once and used one frame's shape for all frames
    x = np.random.default_rng(1).normal(size=300)
    out = op.apply(x)
    assert len(np.unique(out[100:200])) == 100


@pytest.mark.parametrize("op", [op for op in ALL if op.support is not None], ids=ids)
def test_support_is_the_reach_of_the_rows(op):
    past, future = op.support
    indices, _ = op.row(500, 1000)
    assert (500 - indices[0], indices[-1] - 500) == (past, future)


def test_operators_without_a_fixed_window_have_no_support():
    unbounded = [Static(), Butterworth(1, 3, FPS), DifferenceOfIIR(1, 3, FPS)]
    assert [op.support for op in unbounded] == [None] * 3


def test_changing_a_returned_row_does_not_change_the_next():
    for op in ALL:
        for t in (1, 500):
            indices, weights = op.row(t, 1000)
            kept = indices.copy(), weights.copy()
            indices[:], weights[:] = -1, 99
            np.testing.assert_array_equal(op.row(t, 1000)[0], kept[0])
            np.testing.assert_array_equal(op.row(t, 1000)[1], kept[1])


# ---- static and dynamic -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "frames"),
    [(0, [0]), (7, [7]), (-1, [19]), (slice(3, 6), [3, 4, 5]), (slice(-4, None, 2), [16, 18]),
     ([1, 5, -2], [1, 5, 18]), ([4, 4, 9], [4, 4, 9]), (range(3), [0, 1, 2]),
     (np.array([2, 3]), [2, 3]), (np.int64(6), [6]), (slice(None), list(range(20)))],
)  # fmt: skip
def test_static_subtracts_the_mean_of_the_reference_frames(reference, frames):
    x = np.random.default_rng(0).normal(size=(20, 3))
    op = Static(reference)
    np.testing.assert_allclose(op.apply(x), x - x[frames].mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(matrix(op, 20) @ x, x - x[frames].mean(axis=0), atol=1e-14)
    assert op.frames(20).tolist() == frames


def test_static_reads_the_reference_and_the_frame_alone():
    assert Static(3).needs(10, 100_000).tolist() == [3, 10]
    assert Static([3, 50]).needs(10, 100_000).tolist() == [3, 10, 50]
    assert Static(3).row(3, 10)[1].tolist() == [0.0]


def test_averaged_references_bring_the_reference_noise_down_as_one_over_n():
    noise = np.random.default_rng(0).normal(size=(64, 20000))
    for frames in (1, 4, 16):
        out = Static(slice(0, frames)).apply(noise)[40]
        assert np.var(out) == pytest.approx(1 + 1 / frames, rel=0.03)


@pytest.mark.parametrize("lag", [1, 4, 30])
def test_dynamic_is_the_difference_to_the_past(lag):
    x = np.random.default_rng(0).normal(size=25)
    expected = [x[t] - x[max(0, t - lag)] for t in range(25)]
    np.testing.assert_allclose(Dynamic(lag).apply(x), expected)
    np.testing.assert_allclose(matrix(Dynamic(lag), 25) @ x, expected)


def test_dynamic_gain_is_twice_the_sine():
    f = np.linspace(0, 15, 40)
    expected = 2 * np.abs(np.sin(np.pi * f * 3 / FPS))
    np.testing.assert_allclose(np.abs(Dynamic(3).response(f, fps=FPS)), expected, atol=1e-12)


# ---- FIR ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 17, 60, 400])
@pytest.mark.parametrize("taps", [3, 31, 99])
@pytest.mark.filterwarnings("ignore:taps=3 are too few")
def test_fir_is_centred_convolution_with_ends_of_its_own(n, taps):
    op = FIR(1, 3, FPS, taps=taps)
    x = np.random.default_rng(n).normal(size=n)
    rows = matrix(op, n)
    np.testing.assert_allclose(op.apply(x), rows @ x, atol=1e-12)
    if n >= taps:
        inside = np.convolve(x, op.kernel, mode="valid")
        half = taps // 2
        np.testing.assert_allclose(op.apply(x)[half : n - half], inside, atol=1e-12)
    np.testing.assert_allclose(rows[::-1, ::-1], rows, atol=1e-9)  # both ends are alike
    np.testing.assert_allclose(rows.sum(1), 0, atol=1e-12)
    if n > 2:  # an even drift is no motion
        np.testing.assert_allclose(rows @ np.arange(n), 0, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 17, 60])
@pytest.mark.parametrize("frequency", [1, 4, 15])
def test_acceleration_is_centred_convolution_with_ends_of_its_own(n, frequency):
    op = Acceleration(frequency, FPS)
    x = np.random.default_rng(n).normal(size=n)
    rows = matrix(op, n)
    np.testing.assert_allclose(op.apply(x), rows @ x, atol=1e-12)
    if n >= op.n_taps:
        inside = np.convolve(x, op.kernel, mode="valid")
        half = op.n_taps // 2
        np.testing.assert_allclose(op.apply(x)[half : n - half], inside, atol=1e-12)
    np.testing.assert_allclose(rows[::-1, ::-1], rows, atol=1e-9)
    if n > 2:
        np.testing.assert_allclose(rows @ np.arange(n), 0, atol=1e-9)
    if n == 60:
        wave = np.exp(2j * np.pi * frequency * np.arange(n) / FPS)
        np.testing.assert_allclose(rows @ wave, wave, atol=1e-8)


def test_acceleration_lets_no_more_drift_in_at_the_ends():
    """Reflected, a movie of 64 frames let 23 % of a drift at 0.5 Hz in, and 4 % inside."""
    op = Acceleration(3, FPS)
    leak = np.abs(matrix(op, 64) @ np.exp(1j * np.pi * np.arange(64) / FPS))
    assert leak.max() <= abs(op.response(0.5)) + 1e-9


@pytest.mark.parametrize("op", BAND_PASS, ids=ids)
def test_less_certain_frames_are_those_with_filter_outside_of_the_movie(op):
    first, last = op.less_certain_frames(400)
    assert (first.start, last.stop) == (0, 400)
    inside = matrix(op, 400)[200]
    total = np.abs(inside).sum()
    for t in range(400):
        early = np.abs(inside[: max(200 - t, 0)]).sum() > 0.05 * total
        late = np.abs(inside[min(600 - t, 400) :]).sum() > 0.05 * total
        assert (t in first, t in last) == (early, late)


def test_in_a_short_movie_every_frame_is_less_certain():
    first, last = FIR(1, 2, FPS).less_certain_frames(20)
    assert [*first, *last] == list(range(20))
    assert FIR(2, 4, FPS).less_certain_frames(64) == (range(10), range(54, 64))
    for op in (Static(), Dynamic()):
        assert op.less_certain_frames(9) == (range(0), range(9, 9))


@pytest.mark.parametrize(
    ("low", "high", "fps", "n"),
    [(2, 4, 32, 64), (72, 92, 600, 120), (4, 6, 30, 40), (1, 3, 30, 99)],
)
def test_ends_pass_the_centre_of_the_band_without_delay(low, high, fps, n):
    op = FIR(low, high, fps)
    rows, t = matrix(op, n), np.arange(n)
    wave = np.exp(1j * np.pi * (low + high) * t / fps)
    np.testing.assert_allclose(rows @ wave, wave, atol=1e-8)
    louder = np.linalg.norm(rows, axis=1) / np.linalg.norm(op.kernel)
    assert louder.max() < 1.6  # noise


def test_slow_drift_stays_out_at_the_ends():
    """A movie of 2 s, band 2-4 Hz, drift at 0.5 Hz: a reflected movie leaks 9, 1.5 and 0.07 %."""
    rows, t = matrix(FIR(2, 4, 32), 64), np.arange(64)
    leak = np.abs(rows @ np.exp(1j * np.pi * t / 32))
    assert leak.max() < 0.006
    assert leak[20:44].max() < 0.002


def test_rows_of_the_ends_go_over_into_the_kernel():
    op = FIR(2, 4, 32)
    half = op.n_taps // 2
    rows = matrix(op, 64)
    np.testing.assert_allclose(rows[half - 1, : op.n_taps - 1], op.kernel[1:], atol=0.02)


@pytest.mark.parametrize("fps", [9.0, 30.0, 600.0])
@pytest.mark.parametrize("edges", [(0.1, 0.3), (0.2, 0.22), (0.04, 0.45), (0.2, 0.5)])
def test_fir_passes_its_band_and_nothing_else(fps, edges):
    low, high = edges[0] * fps, edges[1] * fps
    op = FIR(low, high, fps)
    transition = min(high - low, low)
    assert op.response((low + high) / 2) == pytest.approx(1, abs=1e-12)
    assert abs(op.response(0.0)) < 1e-13
    assert abs(op.response(low)) == pytest.approx(0.5, abs=0.03)
    stop = np.linspace(0, low - transition / 2, 50)
    assert np.abs(op.response(stop)).max() < 0.005
    if high < fps / 2:
        assert abs(op.response(high)) == pytest.approx(0.5, abs=0.03)
        if high + transition / 2 < fps / 2:
            stop = np.linspace(high + transition / 2, fps / 2, 50)
            assert np.abs(op.response(stop)).max() < 0.005
    flat = np.linspace(low + transition / 2, high - transition / 2, 20)
    np.testing.assert_allclose(op.response(flat), 1, atol=0.01)


def test_fir_kernel_is_the_windowed_design_but_for_its_leak_at_zero():
    op = FIR(1, 3, FPS)
    assert op.n_taps == 99
    design = signal.firwin(99, [1, 3], pass_zero=False, fs=FPS)
    assert abs(design.sum()) > 1e-3  # the leak that is taken out
    assert np.abs(op.kernel - design).max() < 0.01 * np.abs(design).max()
    np.testing.assert_array_equal(op.kernel, op.kernel[::-1])


@pytest.mark.parametrize("n", [99, 250, 3001])
def test_band_1_to_3_hz_does_not_leak_at_6_hz_or_drift(n):
    # published code leaked 0.18 at 6 Hz and 0.19 of a constant
    time = np.arange(n) / FPS
    op = FIR(1, 3, FPS)
    middle = slice(n // 3, 2 * n // 3)
    assert np.abs(op.apply(np.cos(2 * np.pi * 6 * time))[middle]).max() < 0.01
    assert np.abs(op.apply(np.ones(n))).max() < 1e-12
    kept = op.apply(np.cos(2 * np.pi * 2 * time))
    np.testing.assert_allclose(kept[middle], np.cos(2 * np.pi * 2 * time)[middle], atol=0.01)


@pytest.mark.parametrize(
    "op", [FIR(1, 3, FPS), Acceleration(2, FPS), Butterworth(1, 3, FPS, zero_phase=True)], ids=ids
)
def test_zero_phase_operators_delay_nothing(op):
    # a burst whose envelope and carrier both show a delay; odd about nothing
    time = (np.arange(600) - 280) / FPS
    burst = np.exp(-(time**2)) * np.cos(2 * np.pi * 2 * time + 0.7)
    lags = signal.correlation_lags(600, 600)
    assert lags[np.argmax(signal.correlate(op.apply(burst), burst))] == 0
    assert np.abs(op.response(np.linspace(0, 15, 100)).imag).max() < 1e-15
    impulse = np.zeros(601)
    impulse[300] = 1
    out = op.apply(impulse)
    np.testing.assert_allclose(out, out[::-1], atol=1e-6)


@pytest.mark.filterwarnings("ignore:taps=.* are too few")
def test_kernels_sum_to_zero_to_the_last_bit():
    ops = [FIR(1, 3, FPS, taps=taps) for taps in (5, 9, 15, 31, 99, 501)]
    for op in [*ops, FIR(0.2, 0.25, 24), *(Acceleration(f, FPS) for f in (0.3, 1, 4, 9, 14))]:
        assert abs(math.fsum(op.kernel)) <= np.spacing(op.kernel.max()) / 2


def test_the_kernel_of_a_fir_filter_grows_with_frame_rate_and_narrowness():
    assert FIR(1, 3, 60).n_taps == pytest.approx(2 * FIR(1, 3, 30).n_taps, abs=2)
    assert FIR(2, 2.5, 30).n_taps == pytest.approx(2 * FIR(2, 3, 30).n_taps, abs=2)
    assert FIR(72, 92, 600).n_taps == 99


# ---- recursive filters --------------------------------------------------------------------------


BEFORE = 4000  # frames


def continued_backwards(x, op):
    """A movie before which everything moved on the line that fits the first period of the band."""
    period = math.ceil(FPS / math.sqrt(op.low * op.high))
    level, slope = np.polynomial.polynomial.polyfit(np.arange(period), x[:period], 1)
    before = np.multiply.outer(np.arange(-BEFORE, 0), slope) + level
    return np.concatenate([before, x])


@pytest.mark.parametrize("order", [1, 2, 5])
def test_butterworth_is_scipys_started_on_the_line_of_the_first_period(order):
    x = np.random.default_rng(0).normal(size=(300, 4)) + 7
    op = Butterworth(1, 3, FPS, order=order)
    sos = signal.butter(order, [1, 3], "bandpass", fs=FPS, output="sos")
    always = continued_backwards(x, op)
    expected = signal.sosfilt(sos, always - always[0], axis=0)[BEFORE:]
    np.testing.assert_allclose(op.apply(x), expected, atol=1e-9)
    np.testing.assert_allclose(matrix(op, 300) @ x, expected, atol=2e-5)


@pytest.mark.parametrize("op", [Butterworth(2, 4, FPS), Butterworth(2, 4, FPS, 4)], ids=ids)
def test_an_even_drift_is_no_motion_from_the_first_frame_on(op):
    """From rest, 2 % of a second's drift came through."""
    drift = 5 + np.arange(64) / FPS
    assert np.abs(op.apply(drift)).max() < 1e-10
    assert np.abs(matrix(op, 64) @ drift).max() < 1e-10


@pytest.mark.parametrize(
    ("op", "most"),
    [
        (Butterworth(2, 4, FPS), 0.05),  # 0.067 from rest
        (Butterworth(2, 4, FPS, order=1), 0.14),  # 0.165, and 0.132 later
        (DifferenceOfIIR(2, 4, FPS), 0.121),  # 0.117 later
    ],
    ids=lambda value: ids(value) if hasattr(value, "describe") else "",
)
def test_recursive_filters_let_little_more_drift_in_at_the_start(op, most):
    rows = matrix(op, 64)
    leak = np.abs(rows @ np.exp(1j * np.pi * np.arange(64) / FPS))
    assert leak.max() < most
    louder = np.linalg.norm(rows, axis=1) / np.linalg.norm(rows[-1])
    assert louder.max() < 1.1  # noise


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("n", [40, 300])
def test_zero_phase_butterworth_is_scipys_sosfiltfilt(order, n):
    x = np.random.default_rng(0).normal(size=(n, 4)) + 7
    sos = signal.butter(order, [1, 3], "bandpass", fs=FPS, output="sos")
    out = Butterworth(1, 3, FPS, order, zero_phase=True).apply(x)
    np.testing.assert_allclose(out, signal.sosfiltfilt(sos, x, axis=0), atol=1e-10)


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_zero_phase_butterworth_takes_movies_shorter_than_its_padding(n):
    x = np.random.default_rng(n).normal(size=n)
    sos = signal.butter(2, [1, 3], "bandpass", fs=FPS, output="sos")
    op = Butterworth(1, 3, FPS, zero_phase=True)
    expected = signal.sosfiltfilt(sos, x, padlen=min(15, n - 1))
    np.testing.assert_allclose(op.apply(x), expected, atol=1e-12)
    np.testing.assert_allclose(matrix(op, n) @ x, expected, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_butterworth_edges_are_in_hz_and_the_order_is_the_order(order):
    # one port has order 1 whatever is asked
    op = Butterworth(8, 32, 4000, order=order)
    np.testing.assert_allclose(np.abs(op.response([8, 32])), np.sqrt(0.5), atol=1e-6)
    assert abs(op.response(16.0)) == pytest.approx(1, abs=1e-4)
    slope = np.log2(np.abs(op.response(0.5)) / np.abs(op.response(0.25)))
    assert slope == pytest.approx(order, abs=0.05)  # octaves of gain per octave of frequency
    twice = Butterworth(8, 32, 4000, order=order, zero_phase=True)
    np.testing.assert_allclose(twice.response([8, 32]), 0.5, atol=1e-6)


def test_difference_of_iir_is_two_first_order_low_passes_subtracted():
    x = np.random.default_rng(0).normal(size=200) + 3
    op = DifferenceOfIIR(0.7, 4, FPS)
    always = continued_backwards(x, op)
    slow = fast = always[0]
    expected = []
    for value in always:
        slow += (1 - np.exp(-2 * np.pi * 0.7 / FPS)) * (value - slow)
        fast += (1 - np.exp(-2 * np.pi * 4.0 / FPS)) * (value - fast)
        expected.append(fast - slow)
    np.testing.assert_allclose(op.apply(x), expected[BEFORE:], atol=1e-9)


@pytest.mark.parametrize("fps", [200, 1000, 20000])
def test_corners_of_difference_of_iir_are_in_hz_at_every_frame_rate(fps):
    # published code takes raw coefficients: the band would move with the frame rate
    op = DifferenceOfIIR(0.1, 5, fps)
    f = np.geomspace(0.02, 50, 2000)
    gain = np.abs(op.response(f))
    assert f[gain.argmax()] == pytest.approx(np.sqrt(0.1 * 5), rel=0.05)
    assert gain.max() == pytest.approx((5 - 0.1) / (5 + 0.1), rel=0.02)
    half_power = f[gain >= gain.max() / np.sqrt(2)]
    assert half_power[0] == pytest.approx(0.1, rel=0.1)
    assert half_power[-1] == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize("op", [Butterworth(1, 3, FPS), DifferenceOfIIR(1, 3, FPS)], ids=ids)
def test_causal_filters_need_the_past_alone_and_forget_it(op):
    indices, weights = op.row(5000, 100_000)
    assert indices[-1] == 5000
    kept = len(indices)
    assert kept < 300
    impulse = np.zeros(4000)
    impulse[0] = 1
    h = np.abs(signal.sosfilt(op.sos, impulse))
    assert h[kept:].sum() < 1e-6 * h.sum() <= h[kept - 1 :].sum()
    np.testing.assert_allclose(np.abs(weights[1:][::-1]), h[: kept - 1], atol=1e-14)


@pytest.mark.parametrize(
    "op",
    [
        Butterworth(0.001, 0.002, 500.0),
        Butterworth(1e-4, 2e-4, 500.0, zero_phase=True),
        DifferenceOfIIR(1e-4, 1, 500.0),
    ],
    ids=ids,
)
def test_filters_with_a_memory_longer_than_the_movie(op):
    x = np.random.default_rng(0).uniform(-1, 1, size=400)
    np.testing.assert_allclose(matrix(op, 400) @ x, op.apply(x), atol=1e-9)


# ---- acceleration -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frequency", "fps", "interval"), [(2, 30, 4), (0.22, 24, 28), (9, 30, 1), (1, 12, 3)]
)
def test_acceleration_kernel_is_a_laplacian_of_gaussian(frequency, fps, interval):
    op = Acceleration(frequency, fps)
    assert op.interval == interval
    assert op.support == (interval, interval)
    k = np.arange(-interval, interval + 1)
    sigma = interval / 2
    gaussian = np.exp(-(k**2) / (2 * sigma**2))
    second_derivative = (k**2 / sigma**4 - 1 / sigma**2) * gaussian
    # up to sign and scale, and as much of the Gaussian as makes the sum zero
    basis = np.column_stack([-second_derivative, gaussian])
    (scale, _), residual, *_ = np.linalg.lstsq(basis, op.kernel, rcond=None)
    assert scale > 0
    assert np.all(residual < 1e-20)
    assert abs(op.kernel.sum()) < 1e-14
    assert abs((k * op.kernel).sum()) < 1e-12


@pytest.mark.parametrize(("frequency", "fps"), [(2, 30), (0.22, 24), (9, 30), (82, 600), (15, 30)])
def test_acceleration_has_gain_plus_one_at_its_frequency(frequency, fps):
    response = Acceleration(frequency, fps).response(frequency)
    assert response == pytest.approx(1, abs=1e-12)


def test_acceleration_ignores_constant_velocity_and_shows_acceleration():
    op = Acceleration(1, FPS)
    t = np.arange(200.0)
    inside = slice(op.interval, 200 - op.interval)
    assert np.abs(op.apply(5 + 3 * t)).max() < 1e-9
    # a parabola everywhere gives the same, and opposite to its second derivative
    bent = op.apply(0.5 * t**2)[inside]
    assert np.ptp(bent) < 1e-8
    assert bent[0] < -1


@pytest.mark.parametrize("fps", [7.5, 30, 100, 600])
@pytest.mark.parametrize("ratio", [0.02, 0.05, 0.1])
def test_acceleration_overshoots_as_documented(fps, ratio):
    op = Acceleration(ratio * fps, fps)
    gain = op.response(np.linspace(0, fps / 2, 4000)).real
    assert 1.4 < gain.max() < 2.6
    assert gain.min() > -0.42


# ---- the length of a filter is bounded by the movie ----


@pytest.mark.parametrize(
    ("band", "fps", "filter"),
    [
        ((3, 6), 1e9, "fir"),
        ((4.9999999, 5), 20, "fir"),
        ((1, 1.0000000000000002), 1e300, "fir"),
        ((1e-300, 1e-299), 20, "acceleration"),
        ((3, 6), 1e9, "acceleration"),
        ((3, 6), 1e18, "iir"),
        ((1e-300, 1e-299), 20, "iir"),
    ],
)
def test_a_filter_that_no_memory_can_hold_is_refused_with_band_and_fps(band, fps, filter):
    with pytest.raises(ValueError, match="band") as raised:
        make_operator("temporal", band=band, fps=fps, filter=filter).row(0, 12)
    assert f"fps={fps:g}" in str(raised.value)


def test_a_filter_much_longer_than_the_movie_is_refused():
    op = FIR(0.001, 0.002, 100)  # 330001 taps
    with pytest.raises(ValueError, match=r"band=\(0.001, 0.002\) at fps=100 .* movie of 12 frames"):
        op.row(0, 12)
    with pytest.raises(ValueError, match="a movie of 12 frames allows 131072"):
        op.apply(np.zeros((12, 2)))
    assert len(op.row(0, 100_000)[0]) > 90_000


@pytest.mark.parametrize("op", [FIR(0.01, 0.02, 100), Acceleration(0.002, 100)], ids=ids)
def test_a_short_movie_under_a_long_filter_takes_little_memory(op):
    # tens of thousands of taps: shifted frames would take gigabytes
    x = np.random.default_rng(0).normal(size=(12, 20_000))
    tracemalloc.start()
    out = op.apply(x)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6
    for t in (0, 5, 11):
        indices, weights = op.row(t, 12)
        np.testing.assert_allclose(out[t], weights @ x[indices], atol=1e-10)


def test_a_long_filter_on_a_long_movie_is_made_at_once():
    op, n = FIR(0.001, 0.002, 10), 20_000  # 33001 taps: weights for the ends would take 3 GB
    tracemalloc.start()
    rows = [op.row(t, n) for t in (0, 7, n // 2)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6
    x = np.random.default_rng(0).normal(size=n)
    out = op.apply(x)
    for t, (indices, weights) in zip((0, 7, n // 2), rows, strict=True):
        np.testing.assert_allclose(out[t], weights @ x[indices], atol=1e-10)
