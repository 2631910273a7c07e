"""Noise models, noise floors, maps and surrogates against movies whose motion is known."""

import pickle
import re
import warnings
from functools import partial

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_motionmag import Movie, samples, temporal
from napari_motionmag.views import (
    NoiseModel,
    fit_noise,
    motionless_surrogate,
    noise_floor,
    slow_drift,
)
from napari_motionmag.views.estimators.selected_noise import operator_noise
from napari_motionmag.views.motion_maps import motion_map


def camera(photons, gain=2.0, offset=100, read=3.0, seed=0):
    """Variance: gain (I - offset) + (gain read)^2 + 1/12."""
    random = np.random.default_rng(seed)
    electrons = random.poisson(photons) + random.normal(size=photons.shape) * read
    return np.rint(gain * electrons + offset).astype(np.uint16)


def true_variance(level, gain=2.0, offset=100, read=3.0):
    return gain * (level - offset) + (gain * read) ** 2 + 1 / 12


LEVELS = np.array([500.0, 1000, 1800])


def still_photons(frames=40, side=96):
    y, x = np.mgrid[:side, :side]
    picture = 500 + 400 * np.sin(x / 9) * np.cos(y / 7)
    return np.broadcast_to(picture, (frames, side, side))


def test_camera_noise_is_found():
    model = fit_noise(camera(still_photons()))
    np.testing.assert_allclose(model.variance(LEVELS), true_variance(LEVELS), rtol=0.04)
    pair = fit_noise(camera(still_photons(2)))
    np.testing.assert_allclose(pair.variance(LEVELS), true_variance(LEVELS), rtol=0.12)


def test_motion_and_flicker_are_not_taken_for_noise(texture):
    scene = texture(0, contrast=150, level=800, blur=2.0, shape=(96, 96))
    random = np.random.default_rng(1)
    shifts = random.normal(size=(60, 2)) * 0.3
    flicker = 1 + 0.02 * random.normal(size=(60, 1, 1))
    movie = camera(np.maximum(scene.movie(shifts), 0) * flicker)
    plain = np.mean(np.diff(movie.astype(float), axis=0) ** 2) / 2
    levels = np.array([1200.0, 1700, 2200])
    assert plain > 1.8 * true_variance(1700)
    model = fit_noise(movie)
    np.testing.assert_allclose(model.variance(levels), true_variance(levels), rtol=0.08)


def test_moving_part_of_the_frame_does_not_matter(texture):
    scene = texture(0, contrast=60, level=400, shape=(96, 96))
    clean = scene.movie(np.random.default_rng(0).normal(size=(40, 2)) * 0.5)
    clean[:, :, 40:] = scene.at()[:, 40:]
    movie = camera(np.maximum(clean, 0))
    model = fit_noise(movie)
    levels = np.array([750.0, 900, 1100])
    np.testing.assert_allclose(model.variance(levels), true_variance(levels), rtol=0.15)


def test_noiseless_and_constant_movies():
    model = fit_noise(np.full((4, 16, 16), 7, np.uint8))
    assert model.variance(7) == pytest.approx(1 / 12)
    gaussian = np.random.default_rng(0).normal(size=(30, 40, 40)) * 3 + 50
    model = fit_noise(gaussian)
    assert model.sigma(50) == pytest.approx(3, rel=0.03)


def test_the_published_figure_of_the_noise_floor():
    # 5 grey levels/px, noise 2, 32 x 32 px, against one frame: 0.018 px, a factor of 57
    random = np.random.default_rng(0)
    ramp = 5.0 * np.arange(96) + random.normal(size=(40, 96, 96)) * 2
    floor = noise_floor(ramp, axes="TYX", measure=False)
    expected = np.sqrt(2) * 2 / (5 * 32)
    assert floor.sigma[2, 2] == pytest.approx(expected, rel=0.03)
    assert floor.limit[2, 2] == pytest.approx(1 / expected, rel=0.03)
    assert np.isinf(floor.sigma_worst).all()
    averaged = noise_floor(ramp, reference=slice(0, 20), axes="TYX", measure=False)
    assert averaged.sigma[2, 2] == pytest.approx(expected / np.sqrt(2) * np.sqrt(1.05), rel=0.04)
    assert floor.limit_map.shape == (96, 96)
    with pytest.raises(ValueError, match="measure=True"):
        floor.weights  # noqa: B018


def test_noise_moves_as_much_as_the_floor_says(texture):
    scene = texture(4, shape=(80, 80))
    movie = scene.at() + np.random.default_rng(0).normal(size=(120, 80, 80)) * 4
    floor = noise_floor(movie, "temporal", band=(5, 15), fps=60, axes="TYX", window=24, step=14)
    rms = floor.motion.rms
    assert np.mean(rms / floor.motion.noise_rms) == pytest.approx(1, abs=0.1)
    assert floor.exceeds.sum() == 0
    assert (floor.weights == 0).all()


CHANGES = {
    "nothing": lambda scene, noise, turn: np.rint(scene + 0 * noise).astype(np.uint8),
    "noise": lambda scene, noise, turn: scene + noise,
    "noise, stronger in every second frame": lambda scene, noise, turn: (
        scene + noise * (1 + 0.8 * np.cos(np.pi * turn))
    ),
    "noise and a lamp that flickers": lambda scene, noise, turn: (
        scene * (1 + 0.02 * np.cos(2 * np.pi * 0.21 * turn)) + noise
    ),
    "noise and a lamp that alternates": lambda scene, noise, turn: (
        scene * (1 + 0.02 * np.cos(np.pi * turn)) + 50 + noise
    ),
}


@pytest.mark.parametrize("operator", ["temporal", "dynamic"])
@pytest.mark.parametrize("kind", CHANGES)
def test_what_does_not_move_does_not_exceed_the_noise(texture, kind, operator):
    """1,024 windows, of which chance puts one above the level; more than five once in 1,700."""
    turn = np.arange(48)[:, np.newaxis, np.newaxis]
    band = (15, 25) if operator == "temporal" else None
    found = 0
    for seed in range(4):
        scene = texture(seed, shape=(128, 128)).at()
        noise = np.random.default_rng(seed + 50).normal(size=(48, 128, 128)) * 2
        movie = CHANGES[kind](scene, noise, turn)
        still = motion_map(movie, operator, band=band, fps=100, axes="TYX", window=8, step=8)
        assert still.stands_out.size == 256
        found += int(still.stands_out.sum())
    assert found <= (0 if kind == "nothing" else 5)


def test_motion_under_a_flickering_lamp_is_that_under_a_steady_one(texture):
    scene = texture(5, shape=(96, 96))
    turn = np.arange(60)
    shifts = np.outer(0.05 * np.sin(2 * np.pi * 0.2 * turn), [0.6, 0.8])
    lamp = 1 + 0.03 * np.cos(2 * np.pi * 0.2 * turn + 1)[:, np.newaxis, np.newaxis]
    clean = scene.movie(shifts)
    noise = np.random.default_rng(0).normal(size=clean.shape)
    steady, lit = (
        motion_map(movie + noise, "temporal", band=(15, 25), fps=100, axes="TYX", window=24)
        for movie in (clean, clean * lamp)
    )
    np.testing.assert_allclose(lit.amplitude, 0.05, rtol=0.12)
    np.testing.assert_allclose(lit.amplitude, steady.amplitude, rtol=0.1)


def test_a_map_of_motion_near_half_the_frame_rate_warns(texture):
    course = 0.1 * np.cos(2 * np.pi * 0.47 * np.arange(60))
    movie = texture(1).movie(np.stack([0 * course, course], 1))
    movie += np.random.default_rng(0).normal(size=movie.shape)
    with pytest.warns(UserWarning, match=r"motion at 4\d(\.\d+)? Hz is near half the frame rate"):
        motion_map(movie, "dynamic", fps=100, axes="TYX", window=24)


def test_motion_in_the_band_exceeds_the_floor_and_other_motion_does_not(texture):
    left, right = texture(5, shape=(64, 128)), texture(6, shape=(64, 128))
    t = np.arange(160) / 100
    fast, slow = 0.03 * np.sin(2 * np.pi * 20 * t), 0.03 * np.sin(2 * np.pi * 4 * t)
    movie = left.movie(np.stack([fast, 0 * t], 1))
    movie[:, :, 64:] = right.movie(np.stack([0 * t, slow], 1))[:, :, 64:]
    movie += np.random.default_rng(0).normal(size=movie.shape) * 1.5
    floor = noise_floor(movie, "temporal", band=(15, 25), fps=100, axes="TYX", window=24)
    found = floor.motion
    far = np.abs(found.x - 63.5) > 16
    moving = np.broadcast_to(far & (found.x < 64), found.rms.shape)
    assert floor.exceeds[moving].all()
    assert not floor.exceeds[np.broadcast_to(far & (found.x > 64), found.rms.shape)].any()
    assert found.frequency == pytest.approx(20, abs=0.3)
    np.testing.assert_allclose(found.amplitude[moving], 0.03, rtol=0.1)
    np.testing.assert_allclose(found.motion[moving], 0.03 / np.sqrt(2), rtol=0.1)
    np.testing.assert_allclose(found.direction[moving], np.pi / 2, atol=0.15)
    # sin = cos(. - pi/2)
    np.testing.assert_allclose(found.phase[moving], -np.pi / 2, atol=0.15)
    weights = floor.weights
    assert weights.shape == (64, 128)
    assert weights[32, 20] == 1
    assert weights[32, 110] == 0


def test_noise_that_the_pixels_do_not_explain_is_told_from_outside_the_band(texture):
    # blocks of noise that drift slowly, as compression makes them: correlated in space and time
    scene = texture(8, shape=(64, 64))
    random = np.random.default_rng(0)
    coarse = gaussian_filter(random.normal(size=(200, 64, 64)), (0, 3, 3))
    movie = scene.at() + random.normal(size=(200, 64, 64)) + coarse / coarse.std() * 3
    floor = noise_floor(movie, "temporal", band=(15, 25), fps=100, axes="TYX", window=24, step=10)
    assert floor.exceeds.sum() == 0
    assert np.median(floor.motion.significance) == pytest.approx(1, abs=0.25)
    moved = scene.movie(np.outer(0.3 * np.sin(2 * np.pi * 0.2 * np.arange(200)), [1, 0])) + (
        movie - scene.at()
    )
    floor = noise_floor(moved, "temporal", band=(15, 25), fps=100, axes="TYX", window=24, step=10)
    assert floor.exceeds.all()


def test_map_of_motion_of_a_pixel_is_refined(texture):
    scene = texture(7, blur=1.6, shape=(96, 96))
    t = np.arange(60) / 30
    course = 1.0 * np.sin(2 * np.pi * 3 * t)
    movie = scene.movie(np.stack([0.5 * course, course], 1))
    movie += np.random.default_rng(0).normal(size=movie.shape)
    found = motion_map(movie, "temporal", band=(2, 4), fps=30, axes="TYX", window=32)
    inner = found.amplitude[1:-1, 1:-1]
    np.testing.assert_allclose(inner, np.hypot(1, 0.5), rtol=0.04)
    np.testing.assert_allclose(found.direction[1:-1, 1:-1], np.arctan2(0.5, 1), atol=0.05)
    assert found.frequency == pytest.approx(3, abs=0.05)


def test_map_of_motion_at_the_edges_of_the_band(texture):
    scene = texture(7, blur=1.6)
    t = np.arange(40)
    noise = np.random.default_rng(0).normal(size=(40, *scene.shape))
    alternating = np.stack([0 * t, 0.05 * (-1.0) ** t], 1)
    movie = scene.movie(alternating) + noise
    with pytest.warns(UserWarning, match="near half the frame rate, 10 Hz"):
        found = motion_map(movie, reference=slice(None), fps=20, axes="TYX", window=28)
    assert (found.frequency, found.edge) == (10, "nyquist")
    np.testing.assert_allclose(found.amplitude, 0.05, rtol=0.15)
    assert np.isnan(found.phase).all()
    # an offset from the reference frame is no oscillation, however large
    course = 0.3 * np.cos(2 * np.pi * 0.1 * t)
    movie = scene.movie(np.stack([0 * t, course], 1)) + noise
    found = motion_map(movie, reference=0, fps=20, axes="TYX", window=28)
    assert (found.frequency, found.edge) == (pytest.approx(2, abs=0.02), None)
    np.testing.assert_allclose(found.amplitude, 0.3, rtol=0.1)


def test_phase_of_a_travelling_wave():
    frames, side, length = 96, 96, 60.0
    t, x = np.arange(frames)[:, None, None], np.arange(side)[None, None, :]
    y = np.arange(side)[None, :, None]
    angle = 2 * np.pi * (t / 12 - x / length)
    lines = np.cos(2 * np.pi * (y - 0.05 * np.cos(angle)) / 7) * 40 + 100
    movie = lines + np.random.default_rng(0).normal(size=lines.shape)
    found = motion_map(
        movie, "temporal", band=(0.5, 2), fps=12, axes="TYX", window=16, frequency=1.0
    )
    row = np.unwrap(found.phase[len(found.y) // 2])
    slope = np.polyfit(found.x, row, 1)[0]
    assert slope == pytest.approx(-2 * np.pi / length, rel=0.05)


def test_noise_gain_of_operators():
    gain, freedom, _ = operator_noise(temporal.Static(0), 100)
    assert gain == pytest.approx(2, abs=0.03)
    assert freedom == pytest.approx(4, rel=0.1)  # one reference: its error is in all frames
    gain, freedom, _ = operator_noise(temporal.Dynamic(1), 400)
    assert gain == pytest.approx(2, abs=0.01)
    # differences: (1 - cos w)^2 on average 1.5
    assert freedom == pytest.approx(400 / 1.5, rel=0.02)
    band = temporal.FIR(10, 20, 100)
    exact, trial = operator_noise(band, 500), operator_noise(band, 520)
    assert trial[0] == pytest.approx(exact[0], rel=0.02)
    assert trial[1] == pytest.approx(exact[1], rel=0.25)


def test_windows_without_structure_are_said_so():
    random = np.random.default_rng(0)
    movie = random.normal(size=(20, 64, 64)) + 50
    movie[:, :, :24] += 30 * np.sin(np.arange(24) / 2)
    found = motion_map(movie, axes="TYX", window=16)
    blank = found.x > 40
    assert np.isnan(found.rms[:, blank]).all()
    assert np.isinf(found.sigma[:, blank]).all()
    assert np.isfinite(found.rms[:, found.x < 16]).all()
    assert (found.directions[:, found.x < 16] == 1).all()


def test_redrawn_surrogate_is_still_and_as_noisy():
    movie, about = samples.load("beating_cell", n_frames=24, size=96, amplitude=1.0)
    control = motionless_surrogate(Movie(movie, about["axes"], fps=about["fps"]))
    assert isinstance(control.data, da.Array)
    assert control.data.dtype == movie.dtype
    assert control.fps == about["fps"]
    frames = control.data.compute()
    assert frames.shape == movie.shape
    # consecutive frames differ by noise, frames far apart by no more than that
    near = np.mean(np.diff(frames.astype(float), axis=0) ** 2)
    apart = np.mean((frames[12:].astype(float) - frames[:12]) ** 2)
    assert apart == pytest.approx(near, rel=0.01)
    gain, offset = about["camera"]["gain"], about["camera"]["offset"]
    expected = gain * (movie.mean() - offset) + (gain * about["camera"]["read_noise"]) ** 2 + 1 / 12
    assert near / 2 == pytest.approx(expected, rel=0.1)
    np.testing.assert_allclose(frames.mean(axis=0), movie.mean(axis=0), atol=6 * expected**0.5)


def test_surrogates_are_lazy_and_repeatable():
    movie, _ = samples.load("strings", n_frames=12, size=64)
    reads = []

    def source(block, block_info=None):
        reads.append(block_info[0]["chunk-location"][0])
        return block

    lazy = da.from_array(movie, chunks=(1, -1, -1)).map_blocks(source, dtype=movie.dtype)
    reads.clear()
    control = motionless_surrogate(lazy, "shuffled", seed=3, axes="TYX")
    assert not reads
    frame = control.data[5].compute()
    assert len(reads) == 1
    np.testing.assert_array_equal(frame, movie[reads[0]])
    everything = control.data.compute()
    key = lambda frames: np.sort(frames.reshape(len(frames), -1).astype(int) @ np.arange(64 * 64))  # noqa: E731
    np.testing.assert_array_equal(key(everything), key(movie))
    again = motionless_surrogate(lazy, "shuffled", seed=3, axes="TYX")
    np.testing.assert_array_equal(again.data[5].compute(), frame)

    one = motionless_surrogate(movie, seed=1, axes="TYX")
    backwards = [one.data[t].compute() for t in (7, 2)]
    other = pickle.loads(pickle.dumps(motionless_surrogate(movie, seed=1, axes="TYX").data))
    np.testing.assert_array_equal(other[2].compute(), backwards[1])
    assert (motionless_surrogate(movie, seed=2, axes="TYX").data[2].compute() != backwards[1]).any()
    assert (one.data[3].compute() != backwards[1]).any()
    window = slice(5, 20), slice(8, 40)
    np.testing.assert_array_equal(one.read(7, None, window), backwards[0][window])


def test_surrogates_of_the_largest_integers_do_not_overflow():
    with pytest.warns(UserWarning, match="single precision"):
        control = motionless_surrogate(np.full((4, 16, 16), 2**64 - 1, np.uint64))
    assert control.data[0].compute().min() > 2**64 - 2**12


def test_surrogates_of_colour_and_channels():
    random = np.random.default_rng(0)
    rgba = random.integers(60, 90, (6, 16, 16, 4)).astype(np.uint8)
    rgba[..., 3] = 200
    frames = motionless_surrogate(rgba, axes="TYXS").data.compute()
    assert (frames[..., 3] == 200).all()
    spread = [colours[..., :3].std(axis=0).mean() for colours in (frames, rgba)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)
    channels = np.stack([random.normal(size=(8, 20, 20)), random.normal(size=(8, 20, 20)) * 5], 1)
    frames = motionless_surrogate(channels, axes="TCYX").data.compute()
    assert frames[:, 1].std() == pytest.approx(5 * frames[:, 0].std(), rel=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "frozen"}, "kind must be one of"), ({"seed": -1}, "seed must be a whole number")],
)
def test_wrong_arguments_of_a_surrogate_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        motionless_surrogate(np.zeros((3, 9, 9)), **options)


def test_wrong_windows_are_named():
    movie = np.random.default_rng(0).normal(size=(4, 32, 32))
    with pytest.raises(ValueError, match="window must be from 8 px"):
        noise_floor(movie, window=40, axes="TYX")
    for wrong in ("32", None, (8, 8), 8.5):
        with pytest.raises(ValueError, match="window must be a whole number"):
            noise_floor(movie, window=wrong, axes="TYX")
    with pytest.raises(ValueError, match="step must be from 1 px"):
        noise_floor(movie, window=16, step=17, axes="TYX")


def test_model_has_a_floor():
    model = NoiseModel(-50.0, 1.0, 4.0)
    np.testing.assert_allclose(model.variance([0, 54, 60]), [4, 4, 10])
    assert model.sigma(54) == 2


def test_neighbours_that_move_together_have_the_same_phase(texture):
    # the axis of a motion along x is known to a hair of either side of x: no half turn in between
    t = np.arange(40)
    shifts = [(0.0, 0.3 * np.cos(2 * np.pi * 0.1 * k + 0.5)) for k in t]
    movie = texture(2).movie(shifts) + np.random.default_rng(1).normal(0, 3, (40, 56, 56))
    found = motion_map(movie, "dynamic", axes="TYX", fps=1.0, window=16, frequency=0.1)
    # x(t) - x(t - 1) of a cosine of phase p has the phase p + pi / 2 - pi f
    expected = 0.5 + np.pi / 2 - np.pi * 0.1
    assert np.abs(np.angle(np.exp(1j * (found.phase - expected)))).max() < 0.5
    assert found.axis == pytest.approx(0, abs=0.1)
    down = motion_map(
        movie.transpose(0, 2, 1), "dynamic", axes="TYX", fps=1.0, window=16, frequency=0.1
    )
    assert down.axis == pytest.approx(np.pi / 2, abs=0.1)
    assert np.allclose(down.phase, found.phase.T, atol=0.3)


def test_what_a_noise_floor_says(texture):
    shifts = [(0.0, 0.5 * np.sin(2 * np.pi * 0.1 * k)) for k in range(40)]
    movie = texture(2).movie(shifts) + np.random.default_rng(1).normal(0, 3, (40, 56, 56))
    movie[:, :, 28:] = 100
    floor = noise_floor(movie, "dynamic", axes="TYX", window=16, step=8)
    half = floor.factor_at(0.5)
    assert floor.share_above(half) == pytest.approx(0.5, abs=0.1)
    assert (floor.share_above(0), floor.share_above(1e6)) == (0, 1)
    said = floor.describe(1e6)
    assert f"above x{float(f'{half:.2g}'):g} in half" in said
    assert "At x1e+06 you see noise in 100% of the frame" in said
    empty = float((floor.limit == 0).mean())
    assert empty > 0
    assert f"{empty:.0%} of the frame has no structure" in said
    still = noise_floor(np.full((10, 40, 40), 7, np.uint8), "dynamic", axes="TYX")
    assert "Nothing in the frame has structure" in still.describe()
    assert np.isnan(still.share_above(5))


def test_no_noise_and_no_limit():
    picture = np.random.default_rng(0).random((40, 48)).astype(np.float32)
    floor = noise_floor(np.repeat(picture[np.newaxis], 10, axis=0), axes="TYX", window=16)
    assert np.isfinite(floor.limit_map).all()
    assert floor.limit.min() > 1e4
    assert not floor.exceeds.any()


def test_progress_counts_every_frame_that_is_read(texture):
    movie = texture(0).movie([(0, 0)] * 12) + np.random.default_rng(0).normal(0, 2, (12, 56, 56))
    seen = []
    noise_floor(movie, "dynamic", axes="TYX", progress=lambda *state: seen.append(state))
    assert seen == [(k + 1, 12) for k in range(12)]
    seen.clear()
    noise_floor(movie, axes="TYX", measure=False, progress=lambda *state: seen.append(state))
    assert seen == [(k + 1, 12) for k in range(12)]


def test_each_frame_is_read_once_and_a_map_is_previewed(texture, counting_source):
    t = np.arange(140)
    course = 0.3 * np.cos(2 * np.pi * 0.1 * t)
    frames = texture(0, shape=(48, 48)).movie(np.stack([0 * t, course], 1)).astype(np.float32)
    movie, read = counting_source(frames)
    previews = []
    found = motion_map(movie, axes="TYX", fps=10, window=24, preview=previews.append)
    assert sorted(read) == list(range(140))
    assert len(previews) == 3
    for early in (*previews, found):
        np.testing.assert_allclose(early.amplitude, 0.3, rtol=0.05)
        assert early.frequency == pytest.approx(1, abs=0.1)
    previews.clear()  # the reference is not there before the end
    motion_map(movie, axes="TYX", reference=139, window=24, preview=previews.append)
    assert previews == []


@pytest.mark.parametrize("size", [1.4, 6.5])
def test_large_motion_of_some_windows_beside_small_motion_of_others(texture, size):
    left, right = texture(5, 1.6, shape=(64, 160)), texture(6, 1.6, shape=(64, 160))
    course = size * np.sin(np.linspace(0, 2 * np.pi, 40, endpoint=False))
    movie = left.movie(np.stack([0.3 * course, 0 * course], 1))
    movie[:, :, 80:] = right.movie(np.stack([0 * course, 0.04 * course / size], 1))[:, :, 80:]
    reference = np.concatenate([movie[:1]] * 64)  # the mean picture is sharp
    found = motion_map(np.concatenate([reference, movie]), axes="TYX", window=32, fps=10)
    quiet = found.x > 104
    np.testing.assert_allclose(
        found.rms[:, found.x < 56], 0.3 * np.std(course) * np.sqrt(40 / 104), rtol=0.02
    )
    assert found.rms[:, quiet].max() < 0.03


@pytest.mark.parametrize(("window", "step"), [(24, 12), (17, 5)])
def test_every_window_finds_the_displacement_of_the_frame(texture, window, step):
    from napari_motionmag.views.estimators import windows as module
    from napari_motionmag.views.estimators.band_kernel import KERNELS

    scene = texture(3, shape=(60, 80))
    windows = module.Windows(scene.shape, window, step)
    field = module.WindowedDisplacement(scene.at(), 64, windows, NoiseModel(1.0), KERNELS[1])
    frame = scene.at(0.77, -0.61).astype(np.float32)
    found = field(frame)
    np.testing.assert_allclose(
        found[1:-1, 1:-1], np.broadcast_to([0.77, -0.61], found[1:-1, 1:-1].shape), atol=0.02
    )


@pytest.mark.parametrize("shape", [(40, 56), (33, 200), (170, 31)])
@pytest.mark.parametrize(("window", "step"), [(24, 12), (17, 5), (30, 30)])
def test_sums_over_windows_are_those_of_all_their_pixels(shape, window, step):
    from napari_motionmag.views.estimators.band_kernel import KERNELS, LowPass, Sampler
    from napari_motionmag.views.estimators.windows import Windows

    random = np.random.default_rng(0)
    pictures = random.normal(size=(3, *shape)).astype(np.float32)
    picture = random.normal(size=shape).astype(np.float32)
    windows = Windows(shape, window, step)
    expected = windows.sum(pictures.astype(float) * picture)
    np.testing.assert_allclose(windows.products(pictures, picture), expected, atol=1e-4)
    smooth = Sampler(*(slice(0, size) for size in shape)).value(picture, (0, 0), KERNELS[1])
    np.testing.assert_allclose(LowPass(shape, KERNELS[1])(picture), smooth, atol=1e-5)


@pytest.mark.parametrize("axes", ["TYX", "TCYX", "TYXS"])
def test_frames_of_a_surrogate_are_read_one_by_one_as_all_together(axes):
    sizes = {"T": 6, "C": 2, "Y": 20, "X": 24, "S": 3}
    data = np.random.default_rng(0).integers(0, 4000, [sizes[axis] for axis in axes])
    still = motionless_surrogate(Movie(data.astype(np.uint16), axes=axes, fps=10))
    other = (1,) if "C" in axes else ()
    expected = np.asarray(still.data)[(4, *other)]
    assert np.array_equal(still.read(4, other), expected)
    part = (slice(3, 9), slice(5, 20))
    assert np.array_equal(still.read(4, other, part), expected[part])


def _vibrating(line=0.0, down=0.0, across=0.0, hertz=30.0, fps=240.0):
    """A texture that vibrates along x, row y by `line` seconds times y later; phases in rad/px."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :192].astype(float)
    waves = [(rng.uniform(0.2, 0.9), rng.uniform(-0.6, 0.6), rng.uniform(0, 6)) for _ in range(12)]
    frames = []
    for t in range(64):
        phase = 2 * np.pi * hertz * (t / fps + y * line) + down * y + across * x
        moved = x - 0.3 * np.cos(phase)
        frame = 0.5 + sum(0.04 * np.cos(a * moved + b * y + c) for a, b, c in waves)
        frames.append(frame + rng.normal(0, 0.002, frame.shape))
    return np.stack(frames).astype(np.float32)


@pytest.mark.parametrize("line", [20e-6, -20e-6])
def test_a_rolling_shutter_is_warned_of(line):
    """The time of a line is found to 10 %."""
    with pytest.warns(UserWarning, match="rolling shutter") as warned:
        motion_map(_vibrating(line), "temporal", band=(20, 40), fps=240.0)
    (text,) = (str(w.message) for w in warned if "rolling shutter" in str(w.message))
    (found,) = re.findall(r"takes (\S+) us a line", text)
    assert float(found) == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("phases", [{}, {"across": 0.01}, {"down": 0.06}], ids=str)
def test_other_motion_is_no_rolling_shutter(phases):
    """In step; a wave along x; a wave along y that is slower than lines could be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        motion_map(_vibrating(**phases), "temporal", band=(20, 40), fps=240.0)


@pytest.mark.parametrize(
    "measured",
    [
        partial(motion_map, mode="temporal"),
        partial(noise_floor, mode="temporal"),
        partial(noise_floor, mode="temporal", measure=False),
        slow_drift,
    ],
)
def test_a_band_too_slow_for_the_movie_is_said(measured):
    movie, info = samples.load("strings", n_frames=30, size=64)
    with pytest.warns(UserWarning, match=r"30 frames last 0\.05 s at 600 fps, less than a period"):
        measured(movie, band=(5, 30), axes="TYX", fps=info["fps"])
