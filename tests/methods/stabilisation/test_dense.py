"""Motion in a band on top of drift that is large against the structure: ``stabilise="dense"``."""

import warnings

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.special import erf

from napari_motionmag import magnify
from napari_motionmag.compute.cache import Cache
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.stabilisation import dense_motion
from napari_motionmag.methods.stabilisation.dense_motion import DenseMotion, slow_below
from napari_motionmag.methods.stabilisation.stabilised import Stabilised
from napari_motionmag.temporal import FIR, Acceleration, Butterworth, Dynamic, Static

FPS, N, HEIGHT, WIDTH, FACTOR = 30.0, 62, 40, 96, 8.0
BAND = {"mode": "temporal", "band": (4, 6), "fps": FPS}
TIMES = range(28, 34)  # one period at 5 Hz
SECONDS = np.arange(N) / FPS
SLOW = 2 * np.sin(2 * np.pi * SECONDS + 0.4)  # px
FAST = 0.4 * np.sin(2 * np.pi * 5 * SECONDS)


@pytest.fixture(autouse=True, scope="module")
def _registered_once():
    """Register two pictures once, however many tests show them."""
    real, known = dense_motion._registered, {}

    def registered(here, there):
        pair = here[0].tobytes(), there[0].tobytes()
        if pair not in known:
            known[pair] = real(here, there)
        return known[pair].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense_motion, "_registered", registered)
        yield


def waves(seed, finest=0.9, count=40):
    """A weak texture, defined on the plane."""
    rng = np.random.default_rng(seed)
    k, angle = rng.uniform(0.1, finest, count), rng.uniform(0, 2 * np.pi, count)
    phase = rng.uniform(0, 2 * np.pi, count)
    # cos(x + y), as a product of matrices
    rows = np.exp(1j * (np.arange(HEIGHT)[:, None] * k * np.sin(angle) + phase))

    def texture(x):
        columns = np.exp(1j * np.broadcast_to(x, (WIDTH,)) * (k * np.cos(angle))[:, None])
        return 0.03 * np.sqrt(2 / count) * (rows @ columns).real

    return texture


def line(center, width):
    x, blur = np.arange(WIDTH) - center, 0.6 * np.sqrt(2)
    return (erf((x + width / 2) / blur) - erf((x - width / 2) / blur)) / 2


def movie(width, slow=SLOW, fast=FAST, still=False, noise=0.0):
    """A line that drifts and vibrates, and a texture that drifts with it or is `still`."""
    texture, x = waves(1), np.arange(WIDTH)
    frames = [
        0.3 + texture(x if still else x - d) + 0.5 * line(WIDTH / 2 + d + a, width)
        for d, a in zip(slow, fast, strict=True)
    ]
    frames += noise * np.random.default_rng(0).standard_normal(np.shape(frames))
    return np.asarray(frames, np.float32)


def two_objects(width, drift=SLOW):
    """The left and the right half drift in opposite directions, each with a line on it."""
    left, right, x = waves(1), waves(2), np.arange(WIDTH)
    border = 1 / (1 + np.exp(-(x - WIDTH / 2)))
    return np.asarray(
        [
            0.3
            + left(x - d) * (1 - border)
            + right(x + d) * border
            + 0.5 * line(WIDTH / 4 + d + a, width)
            + 0.5 * line(3 * WIDTH / 4 - d + a, width)
            for d, a in zip(drift, FAST, strict=True)
        ],
        np.float32,
    )


def position(frame, width, near):
    """Of a line, by least squares, px."""
    part = slice(round(near) - 10, round(near) + 11)
    profile = frame[8:-8].mean(0)[part]

    def misfit(p):
        return (p[1] + p[2] * line(p[0], width))[part] - profile

    starts = (least_squares(misfit, [near + d, 0.3, 0.5]) for d in np.linspace(-4.5, 4.5, 7))
    return min(starts, key=lambda fit: fit.cost).x[0]


def drawn(frames, **options):
    with warnings.catch_warnings():  # of bounds, which are another matter
        warnings.simplefilter("ignore")
        return plan(frames, FACTOR, intensity_range=(0, 1), **BAND, **options).draw(TIMES)


def gain(out, width, center=WIDTH / 2, slow=SLOW):
    """Amplitude of a line's motion at 5 Hz after magnification, of what it ought to be."""
    found = [position(frame, width, center + slow[t]) for t, frame in zip(TIMES, out, strict=True)]
    known = np.stack([np.ones(len(TIMES)), slow[TIMES], FACTOR * FAST[TIMES]], 1)
    return np.linalg.lstsq(known, np.array(found) - center, rcond=None)[0][2]


@pytest.mark.parametrize(
    ("width", "align_to"), [(1, "reference"), (2, "current"), (3, "reference"), (6, "reference")]
)
def test_lines_that_drift_farther_than_they_are_wide_gain_what_is_asked(width, align_to):
    frames = movie(width, still=True)
    assert gain(drawn(frames), width) < 0.8
    out = drawn(frames, stabilise={"model": "dense", "align_to": align_to})
    assert 0.92 < gain(out, width) < 1.05


def test_parts_that_drift_apart_gain_what_is_asked():
    rest, frames = two_objects(3, 0 * SLOW), two_objects(3)
    still, plain, dense = drawn(rest), drawn(frames), drawn(frames, stabilise="dense")
    for center, slow in ((WIDTH / 4, SLOW), (3 * WIDTH / 4, -SLOW)):
        assert gain(plain, 3, center, slow) < 0.75
        without = gain(still, 3, center, 0 * SLOW)
        assert gain(dense, 3, center, slow) == pytest.approx(without, rel=0.06)


@pytest.mark.parametrize("method", ["riesz", "linear", "phase"])
def test_every_method_gains_what_it_does_without_drift(method):
    rest = 0 * SLOW
    plain = gain(drawn(movie(6, rest), method=method), 6, slow=rest)
    drifting = gain(drawn(movie(6), method=method, stabilise="dense"), 6)
    assert drifting == pytest.approx(plain, rel=0.06)


# ---- the field ----


def followed(frames, smooth=0.0, operator=None, pivot=N // 2):
    """Displacement along x of the middle of a frame in all others."""
    cutoff = slow_below(operator or FIR(4, 6, FPS), smooth)
    motion = DenseMotion(frames.__getitem__, frames[0].shape, N, Cache(), (), cutoff)
    paths = motion.paths(pivot)
    middle = HEIGHT // 2, round(WIDTH / 2 + SLOW[pivot])
    return np.array([paths(t)[1][middle] for t in range(N)])


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_field_follows_drift_and_not_the_band(noise):
    drift = SLOW - SLOW[N // 2]
    found = followed(movie(3, noise=noise))
    inner = slice(15, -15)
    assert np.abs(found - drift)[inner].max() < 0.12
    in_band = FIR(4, 6, FPS).apply(found)[inner]
    assert np.abs(in_band).max() < 0.05 * FAST.max()
    found = followed(movie(3, slow=0 * SLOW, noise=noise))
    assert np.abs(found)[inner].max() < 0.08


def test_slower_than_is_a_choice():
    frames = movie(3)
    drift = SLOW - SLOW[N // 2]
    fast = followed(frames, smooth=0.5)  # the motion in the band is followed, too
    assert np.abs(fast - drift - FAST + FAST[N // 2])[15:-15].max() < 0.12
    slow = followed(frames, smooth=8)
    assert np.ptp(slow[15:-15]) < 0.5 * np.ptp(drift[15:-15])


def test_a_ramp_of_light_is_no_motion():
    frames = movie(3, 0 * SLOW, 0 * FAST)
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    lamp = frames + 0.05 * x * np.sin(2 * np.pi * SECONDS).astype(np.float32)[:, None, None]
    assert np.abs(followed(lamp)).max() < 0.1


def test_what_is_slow_depends_on_the_operator():
    assert slow_below(FIR(4, 6, FPS), 0) == pytest.approx(0.1)
    assert slow_below(Butterworth(4, 6, FPS), 0) == pytest.approx(0.1)
    assert slow_below(Acceleration(4, FPS), 0) == pytest.approx(0.05)
    assert slow_below(Static(), 3) == pytest.approx(0.0625, rel=0.01)
    for operator in (Static(), Dynamic()):
        with pytest.raises(ValueError, match="give smooth, in frames, above 0"):
            slow_below(operator, 0)


# ---- through magnify() ----


def test_drift_alone_changes_nothing():
    frames = movie(3, fast=0 * FAST)
    method = Stabilised(LinearMagnifier(lambda_c=0), "dense")
    out = method.magnify(frames, FIR(4, 6, FPS), [30, 33], 10)
    plain = LinearMagnifier(lambda_c=0).magnify(frames, FIR(4, 6, FPS), [30, 33], 10)
    inner = np.s_[:, 4:-4, 8:-8]
    moved = np.abs(out - frames[[30, 33]])[inner].max()
    assert moved < 0.03
    assert moved < 0.25 * np.abs(plain - frames[[30, 33]])[inner].max()


def test_neighbors_are_registered_once(monkeypatch):
    counted = []
    real = dense_motion._registered

    def registered(*images):
        counted.append(1)
        return real(*images)

    monkeypatch.setattr(dense_motion, "_registered", registered)
    out = magnify(movie(3), 1.2, method="linear", stabilise="dense", **BAND)
    out[30].compute()
    assert len(counted) == N - 1
    out[31].compute()
    assert len(counted) == N - 1


def test_a_frame_of_a_long_movie_takes_no_more_than_its_surroundings(counting_source):
    frames, reads = counting_source(np.concatenate([movie(3)[:, :24, :32]] * 5))
    settings = {"stabilise": "dense", "intensity_range": (0, 1), **BAND}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        magnify(frames, FACTOR, **settings)[10].compute()
    middle = {len(frames) // 2 - 1, len(frames) // 2}  # tell how noisy the movie is
    assert max(set(reads) - middle) < 80  # the filter reaches to 50, that of the drift on to 75


def test_a_recipe_makes_the_same_frames_again():
    frames = movie(3)
    settings = {"method": "linear", "intensity_range": (0, 1), **BAND}
    made = plan(frames, 4, stabilise={"model": "dense", "smooth": 3.0}, **settings)
    recipe = made.recipe
    assert recipe["stabilise"] == {
        "model": "dense",
        "reference": 0,
        "align_to": "reference",
        "smooth": 3.0,
        "feather": 4.0,
    }
    again = plan(frames, 4, stabilise=recipe["stabilise"], mask=recipe["mask"], **settings)
    assert again.recipe == recipe
    np.testing.assert_array_equal(again.draw([30]), made.draw([30]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stabilise": "dense"}, "static.* does not have: give smooth"),
        ({"stabilise": "dense", "mask": np.ones((HEIGHT, WIDTH), bool)}, "mask must be None"),
        ({"stabilise": {"model": "dense", "reference": 3}}, "reference must be left out .* got 3"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_computed(arguments, message):
    with pytest.raises(ValueError, match=message):
        magnify(np.zeros((N, HEIGHT, WIDTH), np.float32), 3, method="linear", **arguments)


def test_a_field_is_no_map_of_the_plane():
    with pytest.raises(ValueError, match="no map of the plane"):
        Stabilised(LinearMagnifier(), "dense").transform(movie(3), 2)


def test_colour_and_a_pixel_that_is_not_finite():
    frames = movie(3)[..., None] * np.array([1.0, 0.6, 0.3], np.float32)
    method = Stabilised(LinearMagnifier(), "dense")
    out = method.magnify(frames, FIR(4, 6, FPS), [30], FACTOR)[0]
    assert out.shape == (HEIGHT, WIDTH, 3)
    frames[30, 20, 70] = np.nan
    with pytest.warns(UserWarning, match="frame 30 has 3 values that are not finite"):
        out = method.magnify(frames, FIR(4, 6, FPS), [30], FACTOR)[0]
    assert np.argwhere(~np.isfinite(out[..., 0])).tolist() == [[20, 70]]
