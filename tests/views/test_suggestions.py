"""Suggestions: the known frequencies of all samples; neither noise, lamps nor what is too large."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_motionmag import Movie, samples, views
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.temporal import make_operator
from napari_motionmag.views.estimators.rhythms import Rhythm, Rhythms
from napari_motionmag.views.suggestions import FoundMotion
from napari_motionmag.views.suggestions.adviser import Adviser

MOVING = [name for name in samples.NAMES if name != "still"]


def still(n=48, shape=(96, 96), seed=0, noise=1.0):
    """Frames of a texture with noise, float64."""
    random = np.random.default_rng(seed)
    picture = gaussian_filter(random.normal(size=shape), 1.6, mode="wrap")
    picture = 200 + 40 * picture / picture.std()
    return picture + noise * random.normal(size=(n, *shape))


def moved(course, **options):
    """A texture that moves along x as `course` says, by whole and half pixels."""
    frames = still(len(course), **options)
    rolled = [np.fft.rfft(frame, axis=-1) for frame in frames]
    turns = np.exp(-2j * np.pi * np.outer(course, np.fft.rfftfreq(frames.shape[-1])))
    return np.stack(
        [
            np.fft.irfft(spectrum * turn, frames.shape[-1], axis=-1)
            for spectrum, turn in zip(rolled, turns, strict=True)
        ]
    )


@pytest.mark.parametrize("name", MOVING)
def test_all_frequencies_of_a_sample_are_found_within_one_percent(name):
    size = (160, 160) if name != "strings" else (160, 128)
    array, info = samples.load(name, size=size)
    movie = Movie.from_any(array, axes=info["axes"], fps=info["fps"])
    found = views.suggest(movie, at={"C": 0} if "C" in movie.axes else None)
    frequencies = np.array([motion.frequency for motion in found.motions])
    for known in info["frequencies"]:
        assert np.abs(frequencies / known - 1).min() < 0.01, (known, frequencies)
    assert len(found.motions) == len(info["frequencies"])
    assert max(2, len(info["frequencies"])) <= len(found) <= 4
    first = found[0]
    assert first.settings["mode"] == "temporal"
    low, high = first.settings["band"]
    assert low < first.motion.frequency < high
    for one in found:
        assert 1 < one.settings["factor"] <= one.limit
        plan(movie, **one.settings)  # magnify takes them
        assert one.picture.dtype == np.uint8
        assert max(one.picture.shape) == 160


def test_cosmic_rays_move_nothing():
    array, info = samples.load("still", size=128)
    hit, rng = array.copy(), np.random.default_rng(0)
    for t, y, x in zip(*(rng.integers(0, size, 20) for size in array.shape), strict=True):
        hit[t, y : y + 2, x] = np.iinfo(array.dtype).max
    found = views.suggest(hit, fps=info["fps"])
    assert list(found) == []
    assert found.notes == views.suggest(array, fps=info["fps"]).notes
    maps = [views.motion_map(movie, "static", axes="TYX") for movie in (array, hit)]
    assert maps[1].rms == pytest.approx(maps[0].rms, rel=0.05)
    floors = [views.noise_floor(movie, "dynamic", axes="TYX") for movie in (array, hit)]
    assert floors[1].sigma == pytest.approx(floors[0].sigma, rel=0.05)


def test_a_part_that_moves_is_that_much_of_the_frame():
    array, info = samples.load("strings")  # four, each in its quarter
    for one in views.suggest(Movie.from_any(array, axes=info["axes"], fps=info["fps"])):
        assert 0.1 < one.motion.share < 0.3
        assert f"in {100 * one.motion.share:.0f} % of the frame" in one.text


def test_nothing_is_suggested_where_nothing_moves_and_the_reason_is_given():
    array, info = samples.load("still", size=128)
    found = views.suggest(array, fps=info["fps"])
    assert list(found) == []
    assert found.motions == []
    (note,) = found.notes
    assert note.startswith("Nothing moves more than its noise explains")
    least = float(note.split(" px")[0].split()[-1])
    beating, info = samples.load("beating_cell", size=128)
    assert views.suggest(beating, fps=info["fps"]).motions[0].amplitude > least


@pytest.mark.parametrize("local", [False, True])
def test_a_lamp_that_flickers_is_not_motion(local):
    frames = still()
    light = 1 + 0.05 * np.sin(2 * np.pi * 5 * np.arange(48) / 40)[:, np.newaxis, np.newaxis]
    if local:  # one half of the picture only, with a soft border
        share = 1 / (1 + np.exp((np.arange(96) - 48) / 12))
        light = 1 + (light - 1) * share
    found = views.suggest(frames * light, fps=40)
    assert list(found) == []
    assert found.motions == []
    assert any("brightness changes" in note and "at 5 Hz" in note for note in found.notes)


def test_motion_under_a_lamp_that_flickers_is_found():
    times = np.arange(60) / 40
    frames = moved(0.1 * np.sin(2 * np.pi * 3 * times))
    frames *= 1 + 0.05 * np.sin(2 * np.pi * 8 * times)[:, np.newaxis, np.newaxis]
    motion, *others = views.suggest(frames, fps=40).motions
    assert all(other.amplitude < 0.005 for other in others)  # motion times light
    assert motion.frequency == pytest.approx(3, rel=0.01)
    assert motion.amplitude == pytest.approx(0.1, rel=0.1)


def test_drift_beyond_the_reach_of_a_reference_is_not_magnified_against_one():
    found = views.suggest(moved(np.linspace(0, 30, 48)), fps=40)
    assert all(one.settings["mode"] != "static" for one in found)
    assert any("more than the 10 px" in note for note in found.notes)


def test_a_reach_near_the_limit_is_told_apart_from_it(monkeypatch):
    monkeypatch.setattr(Adviser, "_shift", lambda self: 10.04)
    found = views.suggest(moved(np.linspace(0, 3, 48)), fps=40)
    (note,) = (note for note in found.notes if "reaches" in note)
    reach, most = map(float, re.findall(r"([\d.]+) px", note))
    assert (reach, most) == (10.04, 10)


def test_drift_that_hides_a_band_is_followed():
    """What moves in the band gains less where the scene drifts by pixels within the filter."""
    t = np.arange(96) / 30
    slow, fast = np.sin(2 * np.pi * 0.5 * t + 0.4), 0.1 * np.sin(2 * np.pi * 5 * t)
    found = views.suggest(moved(2 * slow + fast), fps=30)
    assert found[0].motion.frequency == pytest.approx(5, rel=1e-3)
    assert found[0].settings["stabilise"] == "dense"
    assert "What drifts meanwhile, by 3.9 px, is followed" in found[0].text
    # 1.6 periods of a drift are no rhythm, nor are the lobes of its spectrum
    assert all(abs(one.frequency - 1) > 0.3 for one in found.motions)
    assert all("stabilise" not in one.settings for one in views.suggest(moved(fast), fps=30))


def test_irregular_motion_has_no_band():
    steps = np.random.default_rng(3).normal(scale=0.1, size=96)
    found = views.suggest(moved(np.cumsum(steps)), fps=40)
    assert found.motions == []
    assert [one.settings["mode"] for one in found] == ["static"]


def test_what_the_fit_of_a_damped_oscillation_leaves_is_no_other():
    """Its line is wider than that of a sinusoid: what is beside it fits the same line again."""
    t = np.arange(75)
    found = views.suggest(moved(0.2 * np.exp(-t / 18) * np.sin(2 * np.pi * 0.247 * t)), fps=1.0)
    (motion,) = found.motions
    assert motion.frequency == pytest.approx(0.247, rel=0.01)


@pytest.mark.parametrize("periods", [1.9, 2.2, 3.0])
@pytest.mark.parametrize("second", [0.6, 2, 5])
def test_few_periods_of_a_beat_are_told_from_its_harmonic(periods, second):
    """The second harmonic is that much larger than the fundamental."""
    turns = 2 * np.pi * periods * np.arange(64) / 64
    course = np.cos(turns + 0.3) + second * np.cos(2 * turns + 1.1)
    (motion,) = views.suggest(moved(0.3 * course / (1 + second)), fps=64 / periods).motions
    assert motion.frequency == pytest.approx(1, rel=0.01)
    assert motion.harmonics >= 2


def test_without_a_rate_all_motion_is_suggested_and_the_period_is_named():
    course = 0.2 * np.sin(2 * np.pi * np.arange(60) / 12)
    found = views.suggest(moved(course))
    assert found.motions[0].frequency == pytest.approx(1 / 12, rel=0.01)
    assert [one.settings["mode"] for one in found] == ["static"]
    assert "fps" not in found[0].settings
    assert any("0.0833" in note for note in found.notes)


def test_the_factor_is_honest():
    """The largest factor falls as the noise rises, and the suggested one is below it."""
    course = 0.05 * np.sin(2 * np.pi * np.arange(64) / 8)
    clear, noisy = (views.suggest(moved(course, noise=n), fps=40)[0] for n in (1.0, 30.0))
    assert clear.limit / noisy.limit == pytest.approx(30, rel=0.25)
    assert noisy.settings["factor"] <= noisy.limit < clear.settings["factor"]


def test_a_small_part_of_a_large_frame_is_suggested_as_the_region():
    frames = np.tile(still(40, (64, 64)), (1, 6, 6))
    frames[:, 128:192, 192:256] = moved(0.2 * np.sin(2 * np.pi * np.arange(40) / 8), shape=(64, 64))
    y0, y1, x0, x1 = views.suggest(frames, fps=40)[0].settings["region"]
    assert y0 <= 128 < 192 <= y1
    assert x0 <= 192 < 256 <= x1
    assert (y1 - y0) * (x1 - x0) < 0.4 * 384 * 384


class Counted:
    """An array that counts how often each frame is read."""

    def __init__(self, array):
        self.array, self.dtype, self.shape, self.ndim = array, array.dtype, array.shape, array.ndim
        self.chunks = (1, *array.shape[1:])
        self.reads = np.zeros(len(array), int)

    def __getitem__(self, index):
        self.reads[index[0]] += 1
        return self.array[index]


def test_each_frame_is_read_once_and_of_long_movies_the_first():
    counted = Counted(moved(0.2 * np.sin(2 * np.pi * np.arange(120) / 12)))
    steps = []
    found = views.suggest(
        Movie(counted, axes="TYX", fps=40),
        most_frames=80,
        progress=lambda *step: steps.append(step),
    )
    assert counted.reads[:80].tolist() == [1] * 80
    assert steps[-1] == (80, 80)
    assert any("first 80 of 120 frames" in note for note in found.notes)


def test_progress_can_end_the_search():
    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    with pytest.raises(Enough):
        views.suggest(still(), fps=40, progress=stop)


def test_results_are_plain_values_for_json():
    course = 0.2 * np.sin(2 * np.pi * np.arange(64) / 16)
    found = views.suggest(moved(np.where(np.arange(64) % 16 < 8, course, 0)), fps=40)
    again = json.loads(json.dumps(found.to_dict()))
    assert len(again["suggestions"]) == len(found)
    assert again["suggestions"][0]["settings"]["band"] == list(found[0].settings["band"])


@pytest.mark.parametrize(
    ("options", "match"),
    [({"most": 0}, "most must be"), ({"most_frames": 1.5}, "most_frames must be")],
)
def test_arguments_are_checked(options, match):
    with pytest.raises(ValueError, match=match):
        views.suggest(still(), fps=40, **options)


def test_short_and_small_movies_are_refused():
    with pytest.raises(ValueError, match="at least 16 frames; there are 12"):
        views.suggest(still(12), fps=40)
    with pytest.raises(ValueError, match=r"from 8 px up along each side; got a width of 5 px"):
        views.suggest(np.zeros((20, 40, 5)), fps=40)


def test_long_narrow_frames_are_wide_enough():
    found = views.suggest(still(16, (12, 9000)), fps=10)
    assert "Nothing moves more than its noise explains" in found.notes[0]


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((7, 300), "got a height of 7 px$"),
        ((300, 7), "got a width of 7 px$"),
        ((7, 6), "got a height of 7 px and a width of 6 px$"),
    ],
)
def test_the_side_that_is_too_small_is_named(shape, small):
    with pytest.raises(ValueError, match=f"from 8 px up along each side; {small}"):
        views.suggest(np.zeros((16, *shape)), fps=10)


@pytest.mark.parametrize(("low", "high"), [(100.4, 100.6), (100.44, 100.6), (1234.4, 1234.9)])
def test_bands_of_near_frequencies_hold_their_own_alone(low, high):
    ones = np.ones((1, 1))
    rhythms = [Rhythm(frequency / 3000, 1e-6, 1, ones, ones > 0) for frequency in (low, high)]
    motion = SimpleNamespace(course=np.zeros((50_000, 1, 1, 2)))
    movie = SimpleNamespace(fps=3000.0, frame_shape=(100, 100))
    adviser = Adviser(movie, motion, Rhythms(rhythms, *4 * [None]))
    below, above = (adviser._band(adviser._describe(rhythm)) for rhythm in rhythms)
    assert below[0] < low < below[1] < high
    assert low < above[0] < high < above[1]


def test_bands_begin_at_a_period_of_the_movie():
    movie = SimpleNamespace(fps=30.0, frame_shape=(100, 100))
    adviser = Adviser(movie, SimpleNamespace(course=np.zeros((45, 1))), Rhythms([], *4 * [None]))
    band = adviser._band(FoundMotion(1.2, 0.01, 1.0, 0.1, 3))
    assert band == (0.667, 4.2)
    assert not make_operator("temporal", band=band, fps=30).too_slow_for(45)


def test_bands_are_plain_numbers():
    movie = SimpleNamespace(fps=600.0, frame_shape=(100, 100))
    adviser = Adviser(movie, SimpleNamespace(course=np.zeros((600, 1))), Rhythms([], *4 * [None]))
    assert adviser._band(FoundMotion(110.123, 0.01, 1.0, 0.1, 1)) == (99.1, 121)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((20, 40, 40)),
        np.full((20, 40, 40), 7, np.uint8),
        np.random.default_rng(0).normal(100, 3, (24, 48, 48)),
        np.random.default_rng(0).normal(100, 3, (24, 10, 12)),
    ],
    ids=["zeros", "one gray level", "noise", "tiny"],
)
def test_movies_without_structure_are_said_to_have_none(frames):
    found = views.suggest(frames, fps=30)
    assert list(found) == []
    assert found.notes == ["Nothing in the frame has structure that would show motion."]
