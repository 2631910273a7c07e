"""Sample movies: the stated motion is measured in the pictures by means of its own.

The oracle is the rest frame (the sample rendered with zero amplitude), resampled with quintic
splines, and least-squares registration against it: nothing of the program's renderer but its
output is used.
"""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from napari_motionmag import samples

MOVING = tuple(name for name in samples.NAMES if name != "still")
# a size, and a first few frames among which the motion is near its peak
SHORT = {
    "beating_cell": {"size": 144, "n_frames": 13},
    "cilia": {"size": (160, 144), "n_frames": 6},
    "vesicles": {"size": 128, "n_frames": 6},
    "strings": {"size": (128, 128), "n_frames": 5},
    "drifting_membrane": {"size": (112, 128), "n_frames": 8},
    "pulsing_epithelium": {"size": 112, "n_frames": 10},
    "still": {"size": 128, "n_frames": 3},
}


@functools.cache
def clean(name, **overrides):
    """Noise-free grey levels as (T, Y, X) float64 (first channel), and metadata."""
    movie, metadata = samples.load(name, noise=False, dtype="float64", **overrides)
    if metadata["axes"] == "TCYX":
        movie = movie[:, 0]
    elif metadata["axes"] == "TYXS":
        movie = movie[..., 1]
    return movie, metadata


@functools.cache
def rest(name):
    """The noise-free frame without any motion."""
    still = {key: 0.0 for key in ("amplitude", "drift") if key in clean(name, **SHORT[name])[1]}
    return clean(name, **{**SHORT[name], "n_frames": 2}, **still)[0][0]


def resampled(image, y, x):
    return ndimage.map_coordinates(image, [y, x], order=5, mode="mirror")


def gradients(image, y, x, h=0.05):
    dy = resampled(image, y + h, x) - resampled(image, y - h, x)
    dx = resampled(image, y, x + h) - resampled(image, y, x - h)
    return np.stack([dy.ravel(), dx.ravel()]) / (2 * h)


def window(centre, half):
    y, x = (np.arange(int(c) - half, int(c) + half + 1) for c in centre)
    return np.meshgrid(y, x, indexing="ij")


def register(frame, reference, y, x):
    """Displacement (dy, dx) of the content of a window, by Gauss-Newton least squares."""
    d = np.zeros(2)
    for _ in range(8):
        seen = resampled(reference, y - d[0], x - d[1])
        g = gradients(reference, y - d[0], x - d[1])
        d -= np.linalg.lstsq(g.T, (frame[y, x] - seen).ravel(), rcond=None)[0]
    return d


def mean_truth(field, reference, y, x):
    """What least squares makes of a displacement that varies within the window.

    Returns it, and the structure tensor (of trace 1), which tells how well each direction is
    seen: not at all along an edge.
    """
    g = gradients(reference, y, x)
    u = field[:, y, x].reshape(2, -1)
    tensor = g @ g.T
    return np.linalg.solve(tensor, g @ np.sum(g * u, axis=0)), tensor / np.trace(tensor)


def one_component(frames, reference, y, x, axis):
    """Displacement along one axis for each frame, linear least squares."""
    g = gradients(reference, y, x)[axis]
    change = frames[:, y, x].reshape(len(frames), -1) - reference[y, x].ravel()
    return -change @ g / (g @ g)


def dominant(trace, fps):
    """Frequency and amplitude of the strongest oscillation of a trace without its mean."""
    n = len(trace)
    times = np.arange(n) / fps
    frequencies = np.arange(0.5 * fps / n, fps / 2, 0.05 * fps / n)
    phasors = np.exp(-2j * np.pi * frequencies[:, None] * times) * np.hanning(n)
    spectrum = np.abs(phasors @ (trace - trace.mean())) * 2 / np.hanning(n).sum()
    return frequencies[np.argmax(spectrum)], spectrum.max()


# ------------------------------------------------------------------------------ motion truth


@pytest.mark.parametrize("name", MOVING)
def test_frames_are_the_rest_frame_displaced_as_stated(name):
    frames, metadata = clean(name, **SHORT[name])
    reference = rest(name)
    y, x = np.indices(reference.shape, dtype=float)
    inner = (slice(8, -8), slice(8, -8))  # the spline knows nothing beyond the frame
    field = metadata["displacement"](len(frames) - 1)
    assert field.shape == (2, *reference.shape)
    assert field.dtype == np.float64
    change = (frames[-1] - reference)[inner].ravel()
    stated = (resampled(reference, y - field[0], x - field[1]) - reference)[inner].ravel()
    # how many times the stated displacement there is, and what else
    times = change @ stated / (stated @ stated)
    assert abs(times - 1) * np.hypot(*field).max() < 1e-3  # px
    assert np.std(change - stated) < 0.06 * np.std(change)


WINDOWS = {
    # (centre, half-width): both ends and the middle of the cell, ...
    "beating_cell": [((58, 32), 8), ((92, 112), 8), ((72, 60), 8), ((40, 80), 8)],
    "cilia": [((58, 40), 7), ((58, 75), 7), ((62, 110), 7)],
    "vesicles": [((40, 60), 10), ((64, 90), 10), ((90, 40), 10), ((64, 30), 10)],
    "strings": [((16, 64), 4), ((48, 50), 4), ((80, 64), 4), ((112, 76), 4)],
    "drifting_membrane": [((40, 40), 10), ((56, 64), 10), ((70, 90), 10)],
    "pulsing_epithelium": [((40, 40), 8), ((70, 70), 8), ((56, 84), 8), ((84, 40), 8)],
}


@pytest.mark.parametrize("name", MOVING)
def test_registration_in_windows_finds_the_stated_displacement(name):
    frames, metadata = clean(name, **SHORT[name])
    field = metadata["displacement"](len(frames) - 1)
    found = []
    for centre, half in WINDOWS[name]:
        y, x = window(centre, half)
        measured = register(frames[-1], rest(name), y, x)
        truth, tensor = mean_truth(field, rest(name), y, x)
        error = measured - truth
        assert np.sqrt(error @ tensor @ error) < 0.004
        found.append(np.sqrt(measured @ tensor @ measured))
    assert max(found) > 0.4 * np.hypot(*field).max()  # the windows see the motion


def test_drift_alone_moves_the_whole_frame():
    drift = {"amplitude": 0.0, "drift": 1.5}
    frames, metadata = clean("drifting_membrane", size=128, n_frames=16, **drift)
    truth = metadata["displacement"](15)
    np.testing.assert_allclose(np.ptp(truth, axis=(1, 2)), 0, atol=1e-12)
    assert np.hypot(*truth[:, 0, 0]) == pytest.approx(1.5)
    y, x = window((64, 64), 50)
    np.testing.assert_allclose(register(frames[15], frames[0], y, x), truth[:, 0, 0], atol=0.003)


def test_phase_correlation_agrees_about_the_drift():
    # another's code, less exact since the window does not move along, has the same signs
    registration = pytest.importorskip("skimage.registration")
    drift = {"amplitude": 0.0, "drift": 1.5}
    frames, metadata = clean("drifting_membrane", size=128, n_frames=16, **drift)
    taper = np.outer(np.hanning(128), np.hanning(128))
    a, b = ((f - ndimage.gaussian_filter(f, 3)) * taper for f in (frames[0], frames[15]))
    # it returns the shift that brings the second picture back to the first
    shift = registration.phase_cross_correlation(a, b, upsample_factor=200, normalization=None)[0]
    np.testing.assert_allclose(-shift, metadata["displacement"](15)[:, 64, 64], atol=0.03)


@pytest.mark.parametrize("name", MOVING)
def test_amplitude_is_the_largest_displacement_and_scales_it(name):
    _, metadata = clean(name, **SHORT[name])
    alone = {"drift": 0.0} if "drift" in metadata else {}
    _, metadata = clean(name, **SHORT[name], **alone)
    amplitude = np.max(metadata["amplitude"])
    peak = max(np.hypot(*metadata["displacement"](t)).max() for t in np.arange(0, 40, 0.2))
    assert 0.99 * amplitude < peak <= amplitude * (1 + 1e-9)
    changed = {**SHORT[name], **alone, "n_frames": 2, "amplitude": -3 * amplitude}
    _, more = samples.load(name, **changed)
    for t in (1, 7.5, 11):
        np.testing.assert_allclose(
            more["displacement"](t), -3 * metadata["displacement"](t), atol=1e-12
        )


def test_what_does_not_move_is_the_same_in_every_frame():
    for name in ("beating_cell", "cilia", "strings", "pulsing_epithelium"):
        frames, metadata = clean(name, **SHORT[name])
        field = metadata["displacement"](len(frames) - 1)
        still = ~np.any(field, axis=0)
        assert 0.1 < still.mean() < 0.95
        assert np.all(frames[:, still] == frames[0, still])
        assert np.abs(frames[-1] - frames[0])[~still].max() > 0


def test_motion_keeps_its_course_in_seconds_at_another_frame_rate():
    _, slow = samples.load("beating_cell", size=64, n_frames=2)
    _, fast = samples.load("beating_cell", size=64, n_frames=2, fps=120)
    assert fast["fps"] == 120
    assert fast["suggestion"]["fps"] == 120
    assert fast["scale"][0] == pytest.approx(1 / 120)
    np.testing.assert_allclose(fast["displacement"](44), slow["displacement"](11), atol=1e-12)


@pytest.mark.parametrize("name", samples.NAMES)
def test_scenes_are_smooth_enough_for_their_pixels(name):
    # little power near the Nyquist frequency: edges are not aliased
    frames, _ = clean(name, **SHORT[name])
    frame = frames[0] - frames[0].mean()
    frame = frame * np.hanning(frame.shape[0])[:, None] * np.hanning(frame.shape[1])
    power = np.abs(np.fft.fft2(frame)) ** 2
    fy, fx = (np.fft.fftfreq(n) for n in frame.shape)
    fine = np.hypot(fy[:, None], fx) > 0.42
    assert power[fine].sum() < 2e-3 * power.sum()


# ------------------------------------------------------------------------- courses of time


def test_cell_beats_at_its_rate_quicker_up_than_down():
    frames, _ = clean("beating_cell", size=144, n_frames=75)
    y, x = window((92, 112), 8)
    trace = one_component(frames, frames[0], y, x, axis=1)  # its right end, pulled to the left
    beat = -trace / np.abs(trace).max()
    assert dominant(trace, 30)[0] == pytest.approx(1.2, abs=0.05)
    np.testing.assert_allclose(beat[25:50], beat[:25], atol=1e-9)  # 25 frames a beat
    assert np.all(np.abs(beat[:7]) < 1e-9)  # at rest first
    peak = np.argmax(beat[:25])
    start = np.flatnonzero(beat[:25] > 0.05)[0]
    stop = np.flatnonzero(beat[:25] > 0.05)[-1]
    assert 1.4 * (peak - start) < stop - peak


def test_each_string_sounds_its_own_note():
    size = (144, 96)
    frames, metadata = clean("strings", size=size, n_frames=120)
    reference = clean("strings", size=size, n_frames=2, amplitude=0.0)[0][0]
    assert metadata["frequencies"] == (80.0, 110.0, 147.0, 196.0)
    for row, note in zip(metadata["rows"], metadata["frequencies"], strict=True):
        y, x = window((round(row), 48), 4)
        trace = one_component(frames, reference, y, x, axis=0)
        frequency, amplitude = dominant(trace, 600)
        assert frequency == pytest.approx(note, abs=1)
        assert amplitude == pytest.approx(0.2, rel=0.08)


def test_strings_move_one_by_one_when_told():
    frames, metadata = clean("strings", size=96, n_frames=4, amplitude=(0, 0, 0.3, 0))
    moving = np.flatnonzero(np.any(frames != frames[0], axis=(0, 2)))
    assert moving.size
    assert np.all(np.abs(moving - metadata["rows"][2]) < 96 / 8)


def test_vesicles_carry_a_wave_to_the_right_and_up():
    frames, _ = clean("vesicles", size=128, n_frames=25)
    reference = clean("vesicles", size=128, n_frames=2, amplitude=0.0)[0][0]
    phases = []
    carrier = np.exp(-2j * np.pi * 2.0 * np.arange(25) / 25)  # two whole periods in 25 frames
    centres = [(64, 30), (64, 90), (40, 60), (90, 60)]
    for centre in centres:
        y, x = window(centre, 9)
        across = one_component(frames, reference, y, x, axis=0)
        assert dominant(across, 25)[0] == pytest.approx(2.0, abs=0.1)
        phases.append(np.angle(carrier @ across) / (2 * np.pi))
    # sin(2 pi (k.p - f t)): what lies further along the wave is later
    k = np.array([np.sin(np.deg2rad(-25)), np.cos(np.deg2rad(-25))]) / 96
    later = [(phases[0] - phases[1]), (phases[2] - phases[3])]
    along = [k @ np.subtract(centres[1], centres[0]), k @ np.subtract(centres[3], centres[2])]
    turn = np.subtract(later, along)
    assert np.abs(turn - np.rint(turn)).max() < 0.08


def test_cilia_beat_in_a_wave_of_15_hz():
    frames, _ = clean("cilia", size=(160, 144), n_frames=40)
    reference = rest("cilia")
    phases = []
    for centre in ((60, 40), (60, 80)):  # half a wave apart
        y, x = window(centre, 6)
        trace = one_component(frames, reference, y, x, axis=1)
        assert dominant(trace, 200)[0] == pytest.approx(15, abs=0.7)
        carrier = np.exp(-2j * np.pi * 15 * np.arange(40) / 200)
        phases.append(np.angle(carrier @ trace) / (2 * np.pi))
    assert (phases[0] - phases[1]) % 1 == pytest.approx(0.5, abs=0.08)
    assert np.all(frames[:, 115:] == frames[0, 115:])  # the tissue below


def test_membrane_trembles_on_a_drift():
    frames, _ = clean("drifting_membrane", size=(96, 112), n_frames=60)
    still = clean("drifting_membrane", size=(96, 112), n_frames=2, amplitude=0.0, drift=0.0)[0][0]
    y, x = window((48, 56), 14)
    trace = np.array([register(frame, still, y, x)[0] for frame in frames[::2]])
    spectrum = np.abs(np.fft.rfft(trace)) / (len(trace) / 2)  # 2 s: bins of 0.5 Hz
    assert spectrum[1] == pytest.approx(np.sin(np.deg2rad(35)), abs=0.01)
    assert spectrum[6] == pytest.approx(0.05, abs=0.004)
    others = np.delete(spectrum, [1, 6])
    assert others.max() < 0.004


def test_epithelium_is_pulled_inwards_in_both_channels():
    movie, metadata = samples.load("pulsing_epithelium", noise=False, dtype="float64", n_frames=10)
    field = metadata["displacement"](9)
    for channel in (0, 1):
        change = movie[9, channel] - movie[0, channel]
        y, x = np.indices(change.shape, dtype=float)
        moved = resampled(movie[0, channel], y - field[0], x - field[1]) - movie[0, channel]
        inner = (slice(6, -6), slice(6, -6))
        assert np.corrcoef(change[inner].ravel(), moved[inner].ravel())[0, 1] > 0.999
    left, right = field[1, 80, 55], field[1, 80, 125]
    assert left > 0.1
    assert right < -0.1


# ------------------------------------------------------------------------------- the control


def test_still_is_the_cell_at_rest_and_nothing_else():
    frames, metadata = clean("still", size=128, n_frames=20)
    assert np.all(frames == frames[0])
    assert metadata["frequencies"] == ()
    for t in (0, 11, 3.3):
        assert not metadata["displacement"](t).any()
    beating = clean("beating_cell", size=128, n_frames=20)[0]
    np.testing.assert_array_equal(frames[0], beating[0])


def test_still_has_noise_like_the_beating_cell_but_not_the_same():
    still = samples.load("still", size=128, n_frames=6)[0].astype(float)
    beating = samples.load("beating_cell", size=128, n_frames=6)[0].astype(float)  # at rest
    mean = clean("still", size=128, n_frames=20)[0][0]
    a, b = (still - mean).ravel(), (beating - mean).ravel()
    assert np.var(a) == pytest.approx(np.var(b), rel=0.03)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)
    c, d = (still[0] - mean).ravel(), (still[1] - mean).ravel()
    assert abs(np.corrcoef(c, d)[0, 1]) < 4 / np.sqrt(c.size)


# --------------------------------------------------------------------------------- the camera


@pytest.mark.parametrize("name", samples.NAMES)
def test_noise_is_that_of_the_camera(name):
    # noise of every frame against its own noise-free version: slope and intercept
    short = SHORT[name]
    noisy, metadata = samples.load(name, **short)
    ideal = samples.load(name, noise=False, dtype="float64", **short)[0]
    camera = metadata["camera"]
    limits = np.iinfo(noisy.dtype)
    seen = (ideal > limits.min + 6) & (ideal < limits.max - 15)  # far from clipping
    assert seen.mean() > 0.7
    mean, noise = ideal[seen], noisy[seen] - ideal[seen]
    electrons = (mean - camera["offset"]) / camera["gain"]
    assert electrons.min() >= 0
    variance = camera["gain"] ** 2 * (electrons + camera["read_noise"] ** 2) + 1 / 12
    normalised = noise / np.sqrt(variance)
    n = noise.size
    assert abs(normalised.mean()) < 5 / np.sqrt(n)
    assert normalised.std() == pytest.approx(1, abs=5 / np.sqrt(2 * n) + 0.003)
    # variance against mean in ten bins of intensity: a line of slope gain
    order = np.array_split(np.argsort(mean), 10)
    x = np.array([mean[i].mean() for i in order])
    v = np.array([np.mean(noise[i] ** 2) for i in order])
    slope = np.polyfit(x, v, 1, w=1 / v)[0]
    assert slope == pytest.approx(camera["gain"], rel=0.05)


def test_fewer_photons_are_noisier_and_as_bright():
    bright, a = samples.load("still", size=96, n_frames=8)
    dim, b = samples.load("still", size=96, n_frames=8, photons=30)
    assert b["camera"]["photons"] == 30
    assert b["camera"]["gain"] == pytest.approx(a["camera"]["gain"] * 100)
    assert dim.mean() == pytest.approx(bright.mean(), rel=0.01)
    assert dim.std(axis=0).mean() > 10 * bright.std(axis=0).mean()


def test_without_noise_integers_are_the_rounded_mean():
    for name in ("still", "strings"):
        exact = clean(name, size=64, n_frames=2)[0]
        rounded = samples.load(name, size=64, n_frames=2, noise=False)[0]
        np.testing.assert_array_equal(rounded, np.rint(exact))


# ---------------------------------------------------------------------------- arrays and words


EXPECTED = {
    "beating_cell": ((90, 256, 256), "uint16", "TYX", 30.0),
    "still": ((90, 256, 256), "uint16", "TYX", 30.0),
    "cilia": ((160, 192, 256), "uint16", "TYX", 200.0),
    "vesicles": ((100, 256, 256), "uint16", "TYX", 25.0),
    "strings": ((200, 160, 240), "uint8", "TYX", 600.0),
    "drifting_membrane": ((120, 144, 208, 3), "uint8", "TYXS", 30.0),
    "pulsing_epithelium": ((60, 2, 160, 192), "uint16", "TCYX", 10.0),
}


def test_names():
    assert set(samples.NAMES) == set(EXPECTED)


@pytest.mark.parametrize("name", samples.NAMES)
def test_layer_data_fit_napari(name, monkeypatch):
    layers = pytest.importorskip("napari.layers")
    shape, dtype, axes, fps = EXPECTED[name]
    assert samples.find_sample(name).n_frames == shape[0]
    monkeypatch.setattr(samples, "load", functools.partial(samples.load, n_frames=3))
    provider = getattr(samples, f"sample_{name}")
    [(movie, arguments, kind)] = provider()
    assert kind == "image"
    assert (movie.shape, movie.dtype.name) == ((3, *shape[1:]), dtype)
    layer = layers.Image(movie, **arguments)
    assert layer.rgb == ("S" in axes)
    assert layer.axis_labels == tuple(axes.replace("S", ""))
    assert str(layer.units[0]) == "second"
    assert [str(unit) for unit in layer.units[-2:]] == ["micrometer"] * 2
    assert layer.scale[0] == pytest.approx(1 / fps)
    assert layer.scale[-1] == layer.scale[-2] < 1
    metadata = layer.metadata
    assert (metadata["name"], metadata["axes"], metadata["fps"]) == (name, axes, fps)
    low, high = layer.contrast_limits
    # neither cut off nor lost in the middle of the range
    assert np.mean((movie[0] >= low) & (movie[0] <= high)) > 0.98
    spread = np.ptp(np.percentile(movie[0], (0.5, 99.5)))
    assert spread > 0.6 * (high - low)


@pytest.mark.parametrize("name", samples.NAMES)
def test_same_seed_same_movie(name):
    short = {"size": 96, "n_frames": 4}
    a, _ = samples.load(name, **short)
    b, _ = samples.load(name, **short)
    np.testing.assert_array_equal(a, b)
    shorter, _ = samples.load(name, **{**short, "n_frames": 2})
    np.testing.assert_array_equal(a[:2], shorter)
    other, _ = samples.load(name, **{**short, "n_frames": 2, "seed": 1})
    assert np.mean(other != shorter) > 0.5
    # another seed is another scene, not only other noise
    ideal = samples.load(name, **{**short, "n_frames": 2, "seed": 1}, noise=False)[0]
    assert np.corrcoef(ideal[0].ravel(), a[0].ravel())[0, 1] < 0.97


@pytest.mark.parametrize("name", samples.NAMES)
def test_suggestion_suits_magnify_and_the_motion(name):
    import inspect

    from napari_motionmag import magnify, temporal

    _, metadata = samples.load(name, size=64, n_frames=2)
    suggestion = metadata["suggestion"]
    inspect.signature(magnify).bind(None, **suggestion)
    assert suggestion["factor"] > 1
    if suggestion["mode"] == "static":
        start = suggestion["reference"]
        for t in range(start.start, start.stop):  # the reference frames are at rest
            assert not metadata["displacement"](t).any()
        return
    low, high = suggestion["band"]
    inside = [f for f in metadata["frequencies"] if low < f < high]
    assert len(inside) == 1  # one motion and no other
    operator = temporal.make_operator("temporal", band=(low, high), fps=metadata["fps"])
    gain = np.abs(operator.response(np.array(metadata["frequencies"]), metadata["fps"]))
    wanted = [f in inside for f in metadata["frequencies"]]
    np.testing.assert_allclose(gain, wanted, atol=0.05)


def test_metadata_can_be_pickled_and_printed():
    _, metadata = samples.load("strings", size=64, n_frames=2)
    again = pickle.loads(pickle.dumps(metadata))
    np.testing.assert_array_equal(again["displacement"](1), metadata["displacement"](1))
    assert len(repr(metadata)) < 4000
    for key in ("title", "description", "rest"):
        assert metadata[key]


def test_any_size_can_be_had():
    for name in samples.NAMES:
        for size in (64, (64, 200), (150, 64)):
            movie, metadata = samples.load(name, size=size, n_frames=2)
            wanted = (size, size) if isinstance(size, int) else size
            rows = metadata["axes"].index("Y")
            assert movie.shape[rows : rows + 2] == wanted
            assert np.isfinite(metadata["displacement"](1)).all()


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("beating", {}, "no sample 'beating'; allowed: beating_cell, still"),
        (["still"], {}, "no sample"),
        ("still", {"amplitude": 1.0}, "no override 'amplitude'; allowed: n_frames, size"),
        ("cilia", {"drift": 1.0, "speed": 2}, "no override 'drift', 'speed'; allowed: amplitude"),
        ("cilia", {"n_frames": 1}, "n_frames must be a whole number from 2 up; got 1"),
        ("cilia", {"n_frames": 5.0}, "n_frames must be a whole number"),
        ("cilia", {"size": 63}, "size must be a whole number from 64 up; got 63"),
        ("cilia", {"size": (64, 64, 3)}, "size must be a whole number or a pair"),
        ("cilia", {"fps": 30}, "fps must be more than twice the highest frequency.* 15 Hz"),
        ("still", {"fps": 0}, "fps must be a positive, finite number"),
        ("cilia", {"photons": -1}, "photons must be a positive"),
        ("cilia", {"amplitude": np.nan}, "amplitude must be a finite number; got nan"),
        ("cilia", {"amplitude": "big"}, "amplitude must be a finite number"),
        ("cilia", {"amplitude": (1, 2)}, "amplitude must be a finite number"),
        ("strings", {"amplitude": (1, 2)}, "amplitude must be a number or 4 numbers"),
        ("cilia", {"seed": -1}, "seed must be a whole number from 0 up"),
        ("cilia", {"noise": 0.5}, "noise must be True or False"),
        ("cilia", {"dtype": "uint8"}, "dtype must be one of uint16, float32, float64; got 'uint8'"),
        ("cilia", {"dtype": "grey"}, "dtype must be one of"),
    ],
)
def test_wrong_arguments_are_named(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        samples.load(name, **overrides)


def test_samples_need_neither_torch_nor_napari():
    code = (
        "import sys; from napari_motionmag import samples; "
        "samples.load('still', size=64, n_frames=2); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'napari', 'qtpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
