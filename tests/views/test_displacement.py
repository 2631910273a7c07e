"""Displacement against exact Fourier shifts, its error against the Cramer-Rao bound."""

import csv
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_motionmag import Movie, samples
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.estimators.noise_model import NoiseModel
from napari_motionmag.views.oscillation import fit_oscillation
from napari_motionmag.views.spectrum import motion_spectrum

REGION = (14, 42, 14, 42)


def measured(texture, seed, shifts, sigma, reference="mean", **options):
    """Errors (T, 2) in px, the trace, and the bound."""
    scene = texture(seed)
    noise = np.random.default_rng(seed + 100).normal(size=(len(shifts), *scene.shape)) * sigma
    trace = displacement_trace(
        scene.movie(shifts) + noise, REGION, reference, axes="TYX", reach=3, **options
    )
    truth = shifts - shifts.mean(axis=0) if reference == "mean" else shifts
    return trace.displacement - truth, trace, scene.bound(REGION, sigma**2)


def sigmas(trace):
    return np.stack([trace.sigma_dy, trace.sigma_dx], axis=1)


@pytest.mark.parametrize("snr", [5, 20, 100])
def test_error_is_that_of_the_bound_and_error_bars_cover_it(texture, snr):
    inside, ratio = [], []
    for seed in range(4):
        shifts = np.random.default_rng(seed).uniform(-1, 1, (100, 2))
        error, trace, bound = measured(texture, seed, shifts, 20 / snr)
        inside.append(np.abs(error) < 1.96 * sigmas(trace))
        ratio.append((error**2).mean(axis=0) / np.diag(bound))
        assert np.median(trace.misfit) == pytest.approx(1, abs=0.1)
    assert np.sqrt(np.mean(ratio)) < 1.15
    # 800 displacements at as many sub-pixel phases; two in a hundred is 2.6 standard deviations
    assert 0.93 <= np.mean(inside) <= 0.97


def test_noise_of_a_reference_frame_is_in_the_error(texture):
    inside, ratio = [], []
    for seed in range(150):
        shifts = np.array([[0, 0], *np.random.default_rng(seed).uniform(-1, 1, (1, 2))])
        error, trace, bound = measured(texture, seed, shifts, 4.0, reference=0)
        assert trace.dy[0] == trace.dx[0] == trace.sigma_dy[0] == 0
        inside.append(np.abs(error[1]) < 1.96 * sigmas(trace)[1])
        ratio.append(error[1] ** 2 / np.diag(2 * bound))
    assert np.sqrt(np.mean(ratio)) < 1.2
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize(("sigma", "repeats"), [(0.01, 1), (2.0, 12)])
def test_bias_is_below_two_thousandths_of_a_pixel(texture, sigma, repeats):
    scene = texture(0)
    phases = np.linspace(-1, 1, 41)
    shifts = np.stack([phases, 0.7 * phases[::-1]], axis=1)
    errors = []
    for seed in range(repeats):
        noise = np.random.default_rng(seed).normal(size=(41, *scene.shape)) * sigma
        trace = displacement_trace(scene.movie(shifts) + noise, REGION, axes="TYX", reach=3)
        errors.append(trace.displacement - shifts)
    mean = np.mean(errors, axis=0)
    # bias of interpolation has the period of the pixels
    for lock in (np.sin(2 * np.pi * shifts), np.sin(4 * np.pi * shifts), shifts):
        lock = lock - lock.mean(axis=0)
        amplitude = (mean * lock).sum(axis=0) / (lock**2).sum(axis=0)
        assert np.abs(amplitude).max() < 0.002
    if repeats == 1:
        assert np.abs(mean).max() < 0.0005


@pytest.fixture
def trembling(texture):
    """A movie of frames of 56 x 56 px, with noise, and its displacements."""
    shifts = np.stack([0.3 * np.sin(np.arange(40) / 3), np.zeros(40)], axis=1)
    noise = np.random.default_rng(100).normal(size=(40, 56, 56))
    return texture(0).movie(shifts) + noise, shifts


@pytest.mark.parametrize("reference", [0, "mean"])
def test_cosmic_rays_move_nothing(trembling, reference):
    movie, shifts = trembling
    for t, y, x in ((1, 30, 33), (17, 28, 30), (20, 20, 35), (21, 20, 35), (39, 18, 18)):
        movie[t, y : y + 2, x] = 6000.0 if t == 20 else 65535.0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        trace = displacement_trace(movie, REGION, reference, axes="TYX", reach=3)
    truth = shifts - (shifts[0] if reference == 0 else shifts.mean(axis=0))
    error = np.abs(trace.displacement - truth)
    assert (error < np.maximum(5 * sigmas(trace), 1e-9)).all()
    assert sigmas(trace).max() < 0.03


def test_frames_that_show_something_else_are_said(trembling):
    movie, shifts = trembling
    movie[17] = movie[17].T
    said = "more than 10 times as far from a shift as the others: frame 17; something flashes"
    with pytest.warns(UserWarning, match=said):
        trace = displacement_trace(movie, REGION, 0, axes="TYX", reach=3)
    error = np.delete(np.abs(trace.displacement - shifts + shifts[0]), 17, axis=0)
    assert error.max() < 0.05


def test_photon_noise_is_told_from_the_movie(texture):
    scene = texture(5, contrast=60, level=300)
    shifts = np.random.default_rng(0).uniform(-0.5, 0.5, (120, 2))
    clean = scene.movie(shifts)
    random = np.random.default_rng(1)
    movie = np.rint(
        random.poisson(np.maximum(clean, 0)) * 2.0 + 50 + random.normal(size=clean.shape) * 3
    )
    trace = displacement_trace(movie.astype(np.uint16), REGION, axes="TYX", reach=3)
    # I = 2 n + 50: variance 4 n + 9 + 1/12 = 2 (I - 50) + 9.08
    levels = 2 * np.array([200.0, 300, 400]) + 50
    np.testing.assert_allclose(trace.noise.variance(levels), 2 * (levels - 50) + 9.08, rtol=0.08)
    error = trace.displacement - (shifts - shifts.mean(axis=0))
    assert 0.91 <= np.mean(np.abs(error) < 1.96 * sigmas(trace)) <= 0.985


def test_error_bars_follow_the_brightness_of_a_frame(texture):
    scene = texture(2, contrast=40, level=200)
    dim = np.where(np.arange(60) % 2, 0.25, 1.0)[:, None, None]
    random = np.random.default_rng(0)
    movie = random.poisson(np.maximum(scene.at(), 0) * dim).astype(np.uint16)
    trace = displacement_trace(
        movie, REGION, [0, 2, 4], axes="TYX", reach=3, brightness=True, noise=NoiseModel(0.1, 1.0)
    )
    dark, bright = trace.dx[7::2], trace.dx[6::2]
    # the score's noise falls with the brightness
    assert trace.sigma_dx[7::2].mean() < trace.sigma_dx[6::2].mean()
    assert abs(dark.mean()) < 0.05
    assert abs(bright.mean()) < 0.05


@pytest.mark.parametrize("blur", [0.5, 1.0])
def test_correlated_noise_is_allowed_for(texture, blur):
    inside = []
    for seed in range(4):
        scene = texture(seed)
        shifts = np.random.default_rng(seed).uniform(-1, 1, (60, 2))
        noise = np.random.default_rng(seed + 50).normal(size=(60, *scene.shape))
        noise = gaussian_filter(noise, (0, blur, blur), mode="wrap")
        movie = scene.movie(shifts) + noise * 4 / noise.std()
        trace = displacement_trace(movie, REGION, axes="TYX", reach=3)
        error = trace.displacement - (shifts - shifts.mean(axis=0))
        inside.append(np.abs(error) < 1.96 * sigmas(trace))
        assert blur < 1 or min(trace.colour) > 1.2
    assert 0.92 <= np.mean(inside) <= 0.975


def test_large_motion_is_found(texture):
    scene = texture(3, shape=(96, 96))
    t = np.arange(40)
    shifts = np.stack([7.3 * np.sin(t / 3), 6.1 * np.cos(t / 2)], axis=1)
    movie = scene.movie(shifts) + np.random.default_rng(0).normal(size=(40, 96, 96))
    trace = displacement_trace(movie, (30, 66, 30, 66), axes="TYX", reach=9)
    error = trace.displacement - (shifts - shifts.mean(axis=0))
    assert np.abs(error).max() < 5 * sigmas(trace).max()
    with pytest.warns(UserWarning, match=r"at the limit reach=4 px: frame"):
        displacement_trace(movie, (30, 66, 30, 66), 0, axes="TYX", reach=4)


def test_bleaching_is_no_motion_when_brightness_is_allowed_for():
    # an edge: bleaching changes the sum of squares most where the slope is
    x = np.arange(64)
    edge = 100 + 400 / (1 + np.exp(-(x - 30) / 1.5))
    fade = np.linspace(1, 0.6, 40)[:, None, None]
    movie = np.broadcast_to(edge, (64, 64)) * fade
    movie = movie + np.random.default_rng(0).normal(size=movie.shape)
    region = (20, 44, 20, 44)
    with pytest.warns(UserWarning, match="structure along one direction"):
        trace = displacement_trace(movie, region, 0, axes="TYX", reach=3, brightness=True)
    assert np.abs(trace.dx).max() < 5 * trace.sigma_dx.max() < 0.05
    with pytest.warns(UserWarning, match=r"brightness=True"):
        plain = displacement_trace(movie, region, 0, axes="TYX", reach=3)
    assert np.abs(plain.dx).max() > 0.1


def test_a_lamp_that_flickers_is_no_motion_or_warned_of(texture):
    flicker = 1 + 0.02 * np.sin(2 * np.pi * 0.21 * np.arange(64))[:, None, None]
    for seed in range(4):
        scene = texture(seed)
        noise = np.random.default_rng(seed + 50).normal(size=(64, *scene.shape))
        movie = scene.at() * flicker + noise
        with pytest.warns(UserWarning, match=r"varies by 1\.\d % of its contrast.*brightness=True"):
            displacement_trace(movie, REGION, axes="TYX", fps=100, reach=2)
        trace = displacement_trace(movie, REGION, axes="TYX", fps=100, reach=2, brightness=True)
        assert motion_spectrum(trace).peaks() == []


def test_an_edge_tells_motion_across_only():
    x = np.arange(64.0)
    shifts = 0.3 * np.sin(np.arange(30))
    rows = [100 / (1 + np.exp(-(x - 31 - shift) / 1.2)) for shift in shifts]
    movie = np.stack([np.broadcast_to(row, (64, 64)) for row in rows])
    movie = movie + np.random.default_rng(0).normal(size=movie.shape)
    with pytest.warns(UserWarning, match=r"along one direction only \((0|180) degrees"):
        trace = displacement_trace(movie, (20, 44, 20, 44), axes="TYX", reach=3)
    across, error = trace.along(0.0)
    np.testing.assert_allclose(across, shifts - shifts.mean(), atol=5 * error.max())
    assert error.max() < 0.02
    np.testing.assert_allclose(trace.sigma_dy, 3, rtol=1e-3)
    assert np.abs(trace.dy).max() < 1e-3


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_a_still_movie_without_noise_does_not_move(texture, dtype):
    movie = np.repeat(texture(0).at()[np.newaxis], 20, axis=0).astype(dtype)
    trace = displacement_trace(movie, axes="TYX", fps=10)
    assert np.abs(trace.displacement).max() < 1e-6
    assert (sigmas(trace) > 0).all()
    assert motion_spectrum(trace).peaks() == []


def test_an_edge_along_the_rows_oscillates_across():
    y, t = np.arange(64.0), np.arange(60) / 10
    shifts = 0.3 * np.sin(2 * np.pi * t)
    columns = np.stack([100 + 50 * np.sin(2 * np.pi * (y - shift) / 16) for shift in shifts])
    movie = np.rint(np.repeat(columns[:, :, np.newaxis], 64, axis=2)).astype(np.uint16)
    with pytest.warns(UserWarning, match="along one direction only"):
        trace = displacement_trace(movie, axes="TYX", fps=10)
    fit = fit_oscillation(trace)
    assert fit.frequency == pytest.approx(1, abs=0.01)
    assert fit.amplitudes == pytest.approx([0.3, 0], abs=0.01)
    assert fit.sigma_amplitudes[1] > 1  # nothing is known of the motion along the edge


def test_a_mask_measures_its_own_part(texture):
    moving, still = texture(1, shape=(64, 64)), texture(2, shape=(64, 64))
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:30] = True
    shifts = np.random.default_rng(0).uniform(-0.4, 0.4, (30, 2))
    left = np.arange(64) < 38
    movie = np.where(left, moving.movie(shifts), still.at())
    movie += np.random.default_rng(1).normal(size=movie.shape)
    trace = displacement_trace(movie, mask, axes="TYX", reach=3)
    error = trace.displacement - (shifts - shifts.mean(axis=0))
    assert np.sqrt((error**2).mean()) < 1.3 * sigmas(trace).mean()


def test_units_times_and_table(texture, tmp_path):
    scene = texture(0)
    movie = Movie(
        scene.movie(np.zeros((6, 2))) + np.random.default_rng(0).normal(size=(6, 56, 56)),
        scale=(0.02, 0.5, 0.25),
        units=("s", "um", "um"),
    )
    trace = displacement_trace(movie, REGION, 0, reach=3)
    np.testing.assert_allclose(trace.times, np.arange(6) * 0.02)
    values, errors = trace.physical()
    np.testing.assert_allclose(values, trace.displacement * [0.5, 0.25])
    np.testing.assert_allclose(errors[:, 0], trace.sigma_dy * 0.5)
    path = trace.to_csv(tmp_path / "trace.csv")
    text = path.read_text(encoding="utf-8").splitlines()
    assert "# frames per second: 50.0" in text
    assert "# pixel size (y, x): [0.5, 0.25]" in text
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    assert float(rows[3]["time (s)"]) == pytest.approx(0.06)
    assert float(rows[3]["dx (um)"]) == pytest.approx(trace.dx[3] * 0.25)
    bare = displacement_trace(movie.data, REGION, 0, axes="TYX", reach=3)
    assert bare.time_unit == "frame"
    with pytest.raises(ValueError, match="no pixel size"):
        bare.physical()


def test_direction_of_the_motion(texture):
    shifts = np.outer(np.sin(np.arange(40)), [np.sin(0.6), np.cos(0.6)]) * 0.3
    _, trace, _ = measured(texture, 0, shifts, 1.0)
    assert trace.direction == pytest.approx(0.6, abs=0.02)
    course, _ = trace.along()
    assert np.corrcoef(course, np.sin(np.arange(40)))[0, 1] > 0.999


def test_lazy_movies_are_read_once_and_through_the_window(texture):
    import dask.array as da

    scene = texture(0, shape=(96, 96))
    movie = scene.movie(np.zeros((8, 2))) + np.random.default_rng(0).normal(size=(8, 96, 96))
    seen = []

    def count(block, block_info=None):
        seen.append(tuple(block_info[0]["chunk-location"]))
        return block

    lazy = da.from_array(movie, chunks=(4, 48, 48)).map_blocks(count, dtype=float)
    seen.clear()
    region = (16, 36, 16, 36)
    trace = displacement_trace(lazy, region, axes="TYX", reach=2)
    assert sorted(seen) == [(0, 0, 0), (1, 0, 0)]
    same = displacement_trace(movie, region, axes="TYX", reach=2)
    np.testing.assert_allclose(trace.dx, same.dx, atol=1e-9)


def test_a_sample_movie_with_known_motion():
    movie, about = samples.load("strings", n_frames=60, size=(96, 128))
    truth = about["displacement"]
    row = round(about["rows"][0])
    region = (max(row - 10, 0), row + 10, 48, 80)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # strings have structure across only
        trace = displacement_trace(movie, region, fps=about["fps"], reach=2)
    expected = np.array([truth(t)[0, row, 64] for t in range(60)])
    share = np.polyfit(expected - expected.mean(), trace.dy, 1)[0]
    assert share == pytest.approx(1, abs=0.25)  # the string bends within the region


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": (0, 9, 0, 3, 1)}, "region must be None"),
        ({"region": (0, 99, 0, 20)}, "within the frame of 56 x 56"),
        ({"region": np.zeros((56, 56), bool)}, "the mask is empty"),
        ({"region": np.zeros((5, 5), bool)}, "a mask must have the shape of the frame"),
        ({"reference": "first"}, "reference must be 'mean'"),
        ({"reference": 99}, "reference 99 is outside the movie"),
        ({"reach": 0}, "reach must be"),
        ({"noise": -1.0}, "noise must be"),
        ({"region": (0, 12, 0, 12)}, "border of the frame"),
    ],
)
def test_wrong_arguments_are_named(texture, options, message):
    movie = texture(0).movie(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=message):
        displacement_trace(movie, axes="TYX", **options)


def test_a_region_at_the_border_is_cut_back(texture):
    movie = texture(0).movie(np.zeros((4, 2))) + np.random.default_rng(0).normal(size=(4, 56, 56))
    with pytest.warns(UserWarning, match=r"rows 10\.\.35, columns 12\.\.45") as caught:
        trace = displacement_trace(movie, (0, 36, 12, 56), axes="TYX", reach=2)
    assert trace.region == (slice(10, 36), slice(12, 46))
    assert caught[0].filename == __file__


def test_progress_and_cancelling(texture):
    movie = texture(0).movie(np.zeros((6, 2))) + np.random.default_rng(0).normal(size=(6, 56, 56))
    seen = []
    displacement_trace(
        movie, REGION, axes="TYX", reach=3, progress=lambda *state: seen.append(state)
    )
    assert seen[-1] == (18, 18)
    assert [done for done, _ in seen] == list(range(1, 19))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        displacement_trace(movie, REGION, axes="TYX", reach=3, progress=stop)


def test_long_movies_are_read_in_passes(texture, monkeypatch):
    movie = texture(0).movie(np.random.default_rng(0).uniform(-1, 1, (12, 2)))
    movie += np.random.default_rng(1).normal(size=movie.shape)
    kept = displacement_trace(movie, REGION, axes="TYX", reach=3)
    monkeypatch.setattr("napari_motionmag.views.estimators.tracker._KEPT_BYTES", 0)
    seen = []
    streamed = displacement_trace(
        movie, REGION, axes="TYX", reach=3, progress=lambda *state: seen.append(state)
    )
    np.testing.assert_array_equal(kept.dx, streamed.dx)
    assert seen[-1][0] == seen[-1][1]


def test_nothing_to_see():
    with pytest.raises(ValueError, match="region has no structure"):
        displacement_trace(np.full((3, 64, 64), 7.0), axes="TYX")
    noise = np.random.default_rng(0).normal(size=(20, 64, 64))
    with pytest.raises(ValueError, match="too little structure for its noise"):
        displacement_trace(noise, (20, 44, 20, 44), axes="TYX", reach=3)


def test_error_bars_of_noise_alone_are_said_beside_a_change_of_brightness(texture):
    shifts = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    movie = texture(0).movie(shifts)
    rows = np.arange(movie.shape[1])[:, np.newaxis]
    other = texture(1).movie(np.random.default_rng(1).uniform(-1, 1, (40, 2)))
    movie = np.where(rows < 24, movie, other)  # the region moves in two parts
    movie = movie * (1 + 0.05 * np.sin(np.arange(40.0)))[:, np.newaxis, np.newaxis]
    movie = movie + np.random.default_rng(2).normal(size=movie.shape) * 0.2
    with pytest.warns(UserWarning, match=r"brightness=True; residuals are .* noise alone"):
        displacement_trace(movie, REGION, axes="TYX", reach=3)
