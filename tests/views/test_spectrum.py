"""Oscillations: fits against their bounds, spectra, bands, and what noise alone gives."""

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.signal import lfilter

from napari_motionmag import temporal, views
from napari_motionmag.views.estimators.noise_model import NoiseModel
from napari_motionmag.views.oscillation import fit_oscillation, fit_sinusoid
from napari_motionmag.views.responses import response_table
from napari_motionmag.views.spectrum import motion_spectrum, spectrum_of, suggest_band
from napari_motionmag.views.trace import DisplacementTrace

FPS = 100.0


def trace(course, sigma, fps=FPS):
    """A trace with the displacements (T, 2) and independent errors of `sigma` px."""
    n = len(course)
    covariance = np.tile(np.eye(2) * sigma**2, (n, 1, 1))
    return DisplacementTrace(
        times=np.arange(n) / fps, time_unit="s", dy=course[:, 0], dx=course[:, 1],
        covariance=covariance, frame_covariance=covariance, misfit=np.ones(n),
        noise=NoiseModel(1.0), region=(slice(0, 9), slice(0, 9)), reference="", fps=fps,
    )  # fmt: skip


def oscillation(random, n, frequency, phasors, sigma, fps=FPS):
    turn = np.exp(2j * np.pi * frequency * np.arange(n) / fps)[:, np.newaxis]
    return np.real(turn * phasors) + random.normal(size=(n, len(phasors))) * sigma


def test_fit_errors_are_those_of_the_bound():
    random = np.random.default_rng(0)
    n, sigma, size = 150, 0.2, np.array([0.6, 0.3])
    pulls, bounds = [], []
    for _ in range(150):
        frequency, phases = random.uniform(3, 47), random.uniform(-np.pi, np.pi, 2)
        phasors = size * np.exp(1j * phases)
        fit = fit_sinusoid(
            np.arange(n) / FPS, oscillation(random, n, frequency, phasors, sigma) + 3, sigma
        )
        turned = np.angle(np.exp(1j * (fit.phases - phases)))
        pulls.append(
            [
                (fit.frequency - frequency) / fit.sigma_frequency,
                *((fit.amplitudes - size) / fit.sigma_amplitudes),
                *(turned / fit.sigma_phases),
            ]
        )
        bounds.append(fit.sigma_frequency)
    # Kay, Fundamentals of Statistical Signal Processing, Eq. 3.41, two courses together
    bound = np.sqrt(24 * sigma**2 / ((2 * np.pi) ** 2 * (size @ size) * n * (n**2 - 1))) * FPS
    assert np.median(bounds) == pytest.approx(bound, rel=0.05)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=0.2)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=0.25)
    assert 0.93 <= np.mean(np.abs(pulls) < 1.96) <= 0.97


def test_fixed_frequency_drift_and_unknown_noise():
    random = np.random.default_rng(1)
    t = np.arange(80) / FPS
    course = 0.5 * np.cos(2 * np.pi * 12.5 * t + 1) + 3 * t + random.normal(size=80) * 0.05
    fit = fit_sinusoid(t, course, frequency=12.5, fixed=True, drift=True)
    assert fit.frequency == 12.5
    assert fit.sigma_frequency == 0
    assert fit.slope[0] == pytest.approx(3, abs=0.1)
    assert fit.amplitude == pytest.approx(0.5, abs=4 * fit.sigma_amplitude)
    assert fit.phase == pytest.approx(1, abs=4 * fit.sigma_phase)
    # the noise is not given: the residuals tell it
    assert fit.sigma_amplitude == pytest.approx(0.05 * np.sqrt(2 / 80), rel=0.3)


def test_motion_that_is_no_sinusoid_enlarges_the_errors():
    random = np.random.default_rng(2)
    course = oscillation(random, 200, 10.0, np.array([0, 1.0]), 0.01)
    plain = fit_oscillation(trace(course, 0.01))
    other = oscillation(random, 200, 23.0, np.array([0, 0.5]), 0.0)
    mixed = fit_oscillation(trace(course + other, 0.01))
    assert plain.misfit == pytest.approx(1, abs=0.2)
    assert mixed.sigma_amplitude > 10 * plain.sigma_amplitude


def test_ellipse_direction_and_amplitude():
    random = np.random.default_rng(3)
    along, across = np.array([np.sin(0.7), np.cos(0.7)]), np.array([np.cos(0.7), -np.sin(0.7)])
    phasors = np.exp(0.4j) * (0.8 * along + 0.2j * across)
    fit = fit_oscillation(trace(oscillation(random, 300, 8.0, phasors, 0.01), 0.01))
    assert fit.direction == pytest.approx(0.7, abs=0.01)
    assert fit.amplitude == pytest.approx(0.8, abs=4 * fit.sigma_amplitude)
    assert fit.phase == pytest.approx(0.4, abs=4 * fit.sigma_phase)
    np.testing.assert_allclose(
        fit.course([0.0, 0.1]),
        np.real(np.exp(2j * np.pi * fit.frequency * np.array([[0.0], [0.1]])) * phasors),
        atol=0.02,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": True}, "fixed=True needs a frequency"),
        ({"frequency": 60.0}, "frequency must be within"),
        ({"band": (20, 10)}, "band must be two increasing"),
        ({"band": 5.0}, "band must be two increasing .* got 5.0"),
        ({"sigma": 0.0}, "sigma must be finite and above 0"),
    ],
)
def test_wrong_arguments_of_a_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        fit_sinusoid(np.arange(20) / FPS, np.zeros(20), **options)


@pytest.mark.parametrize(("n", "drift"), [(64, True), (65, False)])
def test_intervals_cover_the_truth_up_to_the_edges_of_the_band(n, drift):
    """Periods per record, in groups: below one, few, many, and towards Nyquist."""
    top = n / 2
    limits = [0.4, 1, 2, 4, top - 4, top - 2, top - 1, top - 0.3, top]
    random = np.random.default_rng(n)
    size, sigma = 1.0, np.sqrt(n / 2) / 20  # the amplitude is known to a twentieth
    for low, high in itertools.pairwise(limits):
        inside, edges = [], 0
        for _ in range(50):
            frequency = random.uniform(low, high) * FPS / n
            phase = random.uniform(-np.pi, np.pi)
            phasors = np.array([size * np.exp(1j * phase)])
            course = oscillation(random, n, frequency, phasors, sigma) + 2
            fit = fit_sinusoid(np.arange(n) / FPS, course, sigma, drift=drift)
            turned = np.angle(np.exp(1j * (fit.phase - phase)))
            edges += fit.edge is not None
            inside.append(
                [
                    abs(fit.frequency - frequency) <= 1.96 * fit.sigma_frequency,
                    abs(fit.amplitude - size) <= 1.96 * fit.sigma_amplitude,
                    abs(turned) <= 1.96 * fit.sigma_phase,
                ]
            )
        # 150 statements, of which 7.5 may fail
        assert np.mean(inside) >= 0.9, (low, high)
        if low >= 2 and high <= top - 1:
            assert not edges
            assert np.mean(inside) < 1


@pytest.mark.parametrize("n", [300, 301])
def test_an_alternating_motion_is_at_the_edge_and_has_no_made_up_amplitude(n):
    random = np.random.default_rng(n)
    t = np.arange(n)
    for envelope in (0.04 * t / n, np.full(n, 0.04)):
        course = np.stack([0 * t, (-1.0) ** t * envelope], 1) + random.normal(size=(n, 2)) * 0.002
        fit = fit_oscillation(trace(course, 0.002))
        assert fit.edge == "nyquist"
        assert fit.sigma_amplitude == fit.sigma_phase == np.inf
        assert fit.frequency <= FPS / 2 <= fit.frequency + 1.97 * fit.sigma_frequency
        assert 0.5 * FPS - fit.frequency < FPS / n
        assert 0.035 < fit.amplitude < 0.1
        with pytest.warns(UserWarning, match="half the frame rate"):
            (peak,) = motion_spectrum(trace(course, 0.002), direction=0.0).peaks()
        assert peak.edge == "nyquist"
        assert peak.amplitude == pytest.approx(0.04, rel=0.15)
        assert peak.sigma_amplitude == np.inf


def test_less_than_a_period_is_at_the_edge():
    random = np.random.default_rng(4)
    t = np.arange(100) / FPS
    course = 0.3 * np.cos(2 * np.pi * 0.3 * t + 1) + random.normal(size=100) * 0.05
    fit = fit_sinusoid(t, course, 0.05)
    assert fit.edge == "zero"
    assert fit.sigma_amplitude == np.inf
    # the same with a fixed frequency is a plain linear fit
    fit = fit_sinusoid(t, course, 0.05, frequency=0.3, fixed=True)
    assert fit.edge is None
    assert fit.amplitude == pytest.approx(0.3, abs=3 * fit.sigma_amplitude)


def test_no_motion_and_no_noise():
    t = np.arange(50) / FPS
    exact = fit_sinusoid(t, np.cos(2 * np.pi * 23 * t))
    assert exact.frequency == pytest.approx(23, abs=1e-4)
    assert exact.sigma_amplitude < 1e-6
    still = fit_sinusoid(t, 0 * t, 1.0)
    assert still.amplitude == 0
    assert still.sigma_amplitude > 0
    assert still.sigma_phase == np.inf
    fixed = fit_sinusoid(t, (-1.0) ** np.arange(50), 0.1, frequency=FPS / 2, fixed=True)
    assert (fixed.edge, fixed.amplitude) == ("nyquist", pytest.approx(1))
    assert fixed.sigma_amplitude == np.inf


NOISE = {
    "white": lambda noise: noise,
    "of unknown level": lambda noise: noise,
    "stronger in every second frame": lambda noise: (
        noise * (1 + 0.8 * (-1.0) ** np.arange(len(noise))[:, np.newaxis])
    ),
    "brownian": lambda noise: np.cumsum(noise, axis=0),
    "autoregressive": lambda noise: lfilter([1], [1, -0.9], noise, axis=0),
    "alternating": lambda noise: lfilter([1], [1, 0.9], noise, axis=0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*half the frame rate:UserWarning")
@pytest.mark.parametrize(("n", "draws", "most"), [(64, 1000, 19), (301, 300, 8)])
@pytest.mark.parametrize("kind", NOISE)
def test_noise_alone_shows_no_peak(n, draws, most, kind):
    random = np.random.default_rng(n)
    found = aliased = 0
    for _ in range(draws):
        course = NOISE[kind](random.normal(size=(n, 2)) * 0.01)
        known = 0.01 if kind == "white" else 1e-6
        spectrum = motion_spectrum(trace(course, known))
        found += bool(spectrum.peaks())
        aliased += spectrum.aliasing() is not None
    assert found <= most  # 1 in 100 is the stated level: more by chance once in 250 times
    if kind in ("white", "brownian", "autoregressive"):
        assert aliased <= 6  # 1 in 1000


def test_motion_near_half_the_frame_rate_is_warned_of():
    random = np.random.default_rng(12)
    phasors = np.array([0, 0.05])
    for frequency, message in (
        (46.0, r"motion at 46\.\d+ Hz is near half the frame rate, 50 Hz: motion at 5\d\.\d+ Hz"),
        (49.8, "half the frame rate, 50 Hz"),
    ):
        moved = trace(oscillation(random, 128, frequency, phasors, 0.005), 0.005)
        with pytest.warns(UserWarning, match=message):
            spectrum = motion_spectrum(moved, direction=0.0)
        assert "half the frame rate" in spectrum.aliasing()
    alternating = NOISE["alternating"](random.normal(size=(128, 2)) * 0.01)
    with pytest.warns(UserWarning, match=r"rises towards half the frame rate, 50 Hz .*times"):
        motion_spectrum(trace(alternating, 0.001))
    frames = dataclasses.replace(moved, times=np.arange(128.0), time_unit="frame", fps=1.0)
    with pytest.warns(UserWarning, match=r"0\.5 cycles/frame"):
        motion_spectrum(frames, direction=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        motion_spectrum(trace(oscillation(random, 128, 40.0, phasors, 0.005), 0.005))


def test_a_still_region_shows_no_peak():
    still = trace(np.zeros((64, 2)), 0.01)
    assert motion_spectrum(still).peaks() == []


def test_peaks_have_their_frequency_and_honest_errors():
    random = np.random.default_rng(5)
    n, sigma, size, pulls = 256, 0.01, 0.01, []
    for _ in range(60):
        frequency, phase = random.uniform(6, 44), random.uniform(-np.pi, np.pi)
        phasors = np.array([0, size * np.exp(1j * phase)])
        spectrum = motion_spectrum(
            trace(oscillation(random, n, frequency, phasors, sigma), sigma), direction=0.0
        )
        peaks = spectrum.peaks()
        assert len(peaks) >= 1
        peak = peaks[0]
        pulls.append(
            [
                (peak.frequency - frequency) / peak.sigma_frequency,
                (peak.amplitude - size) / peak.sigma_amplitude,
                np.angle(np.exp(1j * (peak.phase - phase))) / peak.sigma_phase,
            ]
        )
    spread = np.std(pulls, axis=0)
    assert (spread < 1.3).all()
    assert (spread > 0.6).all()


def test_two_oscillations_and_coloured_noise():
    random = np.random.default_rng(6)
    n = 400
    drift = np.cumsum(random.normal(size=(n, 2)) * 0.01, axis=0)  # Brownian
    course = drift + oscillation(random, n, 20.3, np.array([0, 0.05]), 0.005)
    course += oscillation(random, n, 33.1, np.array([0, 0.02]), 0)
    spectrum = motion_spectrum(trace(course, 0.005), direction=0.0)
    peaks = spectrum.peaks(band=(10, 50))
    assert [round(peak.frequency, 1) for peak in peaks[:2]] == [20.3, 33.1]
    assert peaks[0].amplitude == pytest.approx(0.05, abs=5 * peaks[0].sigma_amplitude)
    low, high = suggest_band(spectrum, within=(10, 50))
    assert low < 20.3 < high < 33.1
    assert low > 15


def test_few_beats_stand_out_from_the_noise_of_the_pixels():
    random = np.random.default_rng(10)
    t = np.arange(120) / 30
    beats = 0.5 * np.sin(np.pi * (t * 0.8 % 1)) ** 8  # narrow pulses, many harmonics
    course = np.stack([0 * t, beats], 1) + random.normal(size=(120, 2)) * 0.01
    spectrum = motion_spectrum(trace(course, 0.01, 30.0))
    peak = spectrum.peaks(against="pixels")[0]
    assert peak.frequency == pytest.approx(0.8, abs=0.05)
    low, high = suggest_band(spectrum, against="pixels")
    assert low < 0.8 < high < 1.6
    still = trace(random.normal(size=(120, 2)) * 0.01, 0.01, 30.0)
    assert suggest_band(still, against="pixels") is None
    with pytest.raises(ValueError, match="against must be one of background, pixels"):
        spectrum.peaks(against="nothing")


def test_density_and_amplitude_are_calibrated():
    random = np.random.default_rng(7)
    noise = trace(random.normal(size=(4096, 2)) * 0.02, 0.02)
    spectrum = motion_spectrum(noise, direction=0.0)
    assert trapezoid(spectrum.density, spectrum.frequencies) == pytest.approx(4e-4, rel=0.1)
    assert spectrum.noise == pytest.approx(2 * 4e-4 / FPS)
    assert spectrum.density.mean() == pytest.approx(spectrum.noise, rel=0.1)
    sine = trace(oscillation(random, 400, 25.0, np.array([0.3, 0]), 0.0) + 1e-9, 1e-3)
    spectrum = motion_spectrum(sine)
    assert spectrum.direction == pytest.approx(np.pi / 2, abs=1e-3)
    at = np.argmax(spectrum.amplitude)
    assert spectrum.frequencies[at] == 25.0
    assert spectrum.amplitude[at] == pytest.approx(0.3, rel=1e-3)


def test_a_still_region_has_no_band(texture):
    random = np.random.default_rng(8)
    scene = texture(0)
    movie = scene.at() + random.normal(size=(64, *scene.shape)) * 2
    assert suggest_band(movie, (14, 42, 14, 42), axes="TYX", fps=FPS, reach=2) is None
    shifts = np.stack([0.02 * np.sin(2 * np.pi * 17.3 * np.arange(64) / FPS), np.zeros(64)], 1)
    moved = scene.movie(shifts) + random.normal(size=movie.shape) * 2
    spectrum = motion_spectrum(moved, (14, 42, 14, 42), axes="TYX", fps=FPS, reach=2)
    peak = spectrum.peaks()[0]
    assert peak.frequency == pytest.approx(17.3, abs=4 * peak.sigma_frequency)
    assert peak.sigma_frequency < 0.1
    assert peak.amplitude == pytest.approx(0.02, abs=4 * peak.sigma_amplitude)


def test_spectrum_needs_the_frame_rate_and_writes_a_table(tmp_path):
    random = np.random.default_rng(9)
    course = random.normal(size=(40, 2))
    with pytest.raises(ValueError, match="fps is missing"):
        motion_spectrum(trace(course, 1.0, fps=1.0).__class__(
            **{**trace(course, 1.0).__dict__, "fps": None}
        ))  # fmt: skip
    with pytest.raises(ValueError, match="at least 16 frames"):
        motion_spectrum(trace(course[:10], 1.0))
    spectrum = motion_spectrum(trace(course, 1.0))
    path = spectrum.to_csv(tmp_path / "spectrum.csv")
    table = np.loadtxt(path, delimiter=",", comments="#", skiprows=5)
    np.testing.assert_allclose(table[:, 0], spectrum.frequencies)
    np.testing.assert_allclose(table[:, 2], spectrum.density, rtol=1e-6)


def test_frequency_responses_of_operators():
    operators = {
        "static": temporal.Static(),
        "dynamic": temporal.Dynamic(),
        "band": temporal.FIR(10, 20),
    }
    table = response_table(operators, FPS, 101)
    assert table.names == ("static", "dynamic", "band")
    np.testing.assert_allclose(
        table.gain[1], 2 * np.sin(np.pi * table.frequencies / FPS), atol=1e-9
    )
    assert table.gain[0, 0] == 0
    assert (table.gain[0, 1:] == 1).all()
    assert table.decibels[2, 30] == pytest.approx(0, abs=0.01)
    assert table.decibels[2, 80] < -40
    assert response_table([temporal.Dynamic(2)], FPS).names == ("dynamic, lag 2 frames",)
    assert views.response_table is response_table


def test_a_peak_is_that_of_the_record_and_not_its_flank():
    """60 frames of a tuning fork of 64 Hz, measured; the bin beside stands out more."""
    hundredths = [
        -77, -79, -80, -59, -39, -2, 28, 57, 79, 79, 79, 56, 32, 1, -36, -57, -78, -78, -78, -51,
        -23, 9, 39, 66, 77, 77, 75, 46, 18, -12, -48, -70, -86, -83, -71, -48, -11, 17, 49, 67,
        82, 75, 62, 32, 2, -28, -58, -81, -82, -81, -59, -37, -1, 32, 61, 76, 81, 69, 56, 18,
    ]  # fmt: skip
    course = np.stack([np.zeros(60), np.array(hundredths) / 100], axis=1)
    peaks = spectrum_of(trace(course, 0.002, fps=1000)).peaks()
    assert peaks[0].frequency == pytest.approx(64, abs=0.5)
    assert peaks[0].amplitude == pytest.approx(0.83, abs=0.02)


def test_a_band_between_two_frequencies_of_the_record_is_searched():
    """Not refused as one below a period, which it is not."""
    random = np.random.default_rng(5)
    moved = trace(oscillation(random, 128, 8.0, np.array([0, 0.05]), 0.005), 0.005)
    fit = fit_oscillation(moved, band=(7.9990, 7.9995))
    assert fit.frequency == pytest.approx(8.0, abs=4 * fit.sigma_frequency)
    with pytest.raises(ValueError, match=r"lies below one period in the record, 0\.78"):
        fit_oscillation(moved, band=(0.1, 0.2))
