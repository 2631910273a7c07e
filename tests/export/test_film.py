"""Frames of exported movies: the pixels, the scale bar, the times and the divider."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.colormaps import ensure_colormap

from napari_motionmag import Movie, export, magnify, views
from napari_motionmag.export.lettering import length_text, nice_length, speed_text, time_text

BARE = {"labels": False, "scale_bar": False, "time_stamp": False, "playback_fps": 20}


def film(movies, **options):
    return export.Film(export.compose(movies, **options))


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 4000, (12, 24, 32)).astype(np.uint16)


def panel_of(frame, made, k=0):
    y, x, height, width = made._places[k].panel
    return frame[y : y + height, x : x + width]


def test_a_frame_is_the_movie_between_its_limits(frames):
    made = film(frames, looks=[export.Look((100, 3100))], zoom=1, **BARE)
    drawn = list(made.frames())
    gray = np.rint(255 * np.clip((frames - 100.0) / 3000, 0, 1))
    assert len(drawn) == 12
    for t in (0, 7):
        picture = panel_of(drawn[t], made)
        assert picture.shape == (24, 32, 3)
        assert np.abs(picture - gray[t][..., np.newaxis]).max() <= 1
        assert (picture == picture[..., :1]).all()


@pytest.mark.parametrize("kind", [list, np.array])
def test_colors_may_be_given_as_an_array(kind):
    look = export.Look((0, 2), kind([[0, 0, 0], [1, 0.5, 0]]))
    assert look(np.array([[0.0, 1, 2]])).tolist() == [[[0, 0, 0], [128, 64, 0], [255, 128, 0]]]


@pytest.mark.parametrize(("name", "gamma"), [("viridis", 1), ("magma", 0.5), ("green", 2)])
def test_colors_are_those_of_the_layer(frames, name, gamma):
    limits = (200.0, 3000.0)
    layer = Image(frames, colormap=name, gamma=gamma, contrast_limits=limits)
    made = film(layer, zoom=1, **BARE)
    unit = np.clip((frames[3] - limits[0]) / (limits[1] - limits[0]), 0, 1) ** gamma
    wanted = 255 * ensure_colormap(name).map(unit.ravel())[:, :3].reshape(24, 32, 3)
    drawn = panel_of(list(made.frames())[3], made)
    assert np.abs(drawn - wanted).max() < 2


def test_eight_bits_and_rgb_stay_as_they_are():
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, (3, 16, 18), np.uint8)
    color = rng.integers(0, 256, (3, 16, 18, 3), np.uint8)
    made = film([Movie(gray, "TYX"), Movie(color, "TYXS")], zoom=1, **BARE)
    drawn = next(made.frames())
    assert (panel_of(drawn, made) == gray[0][..., np.newaxis]).all()
    assert (panel_of(drawn, made, 1) == color[0]).all()


def test_enlarged_pixels_are_squares(frames):
    made = film(frames, zoom=3, **BARE)
    small = film(frames, zoom=1, **BARE)
    drawn, single = (panel_of(next(f.frames()), f) for f in (made, small))
    assert (drawn == np.repeat(np.repeat(single, 3, 0), 3, 1)).all()


def test_reduced_pixels_are_means():
    rng = np.random.default_rng(2)
    movie = rng.integers(0, 256, (2, 32, 40), np.uint8)
    made = film(movie, zoom=0.5, **BARE)
    drawn = panel_of(next(made.frames()), made)[..., 0]
    means = movie[0].reshape(16, 2, 20, 2).mean(axis=(1, 3))
    assert np.abs(drawn - means).max() <= 1


def test_pixels_that_are_not_square_are_shown_as_they_are():
    movie = Movie(np.zeros((2, 20, 30), "u1"), scale=(1, 2, 1), units=("s", "um", "um"))
    made = film(movie, zoom=2, **BARE)
    assert made._places[0].panel[2:] == (80, 60)


def test_movies_of_other_pixel_size_are_shown_at_one_scale(frames):
    units = ("s", "um", "um")
    fine = Movie(frames, scale=(1, 0.5, 0.5), units=units)
    coarse = Movie(frames[:, ::2, ::2], scale=(1, 1, 1), units=units)
    made = film([fine, coarse], zoom=4, **BARE)
    assert made._places[0].panel[2:] == made._places[1].panel[2:] == (96, 128)


def test_pixels_that_average_others_are_larger(frames):
    coarse = magnify(frames, 2, method="linear", preview=2, axes="TYX")
    made = film([frames, coarse], pixel_size=0.5, zoom=4, **BARE)
    assert made._places[0].panel[2:] == made._places[1].panel[2:] == (96, 128)


@pytest.mark.parametrize(("size", "zoom", "length"), [(0.5, 4, 10), (0.163, 3, 2.5), (2, 5, 7)])
def test_the_scale_bar_is_as_long_as_it_says(frames, size, zoom, length):
    bare = dict(BARE, scale_bar=length)
    made = film(frames, pixel_size=size, zoom=zoom, **bare)
    without = film(frames, pixel_size=size, zoom=zoom, **{**bare, "scale_bar": False})
    drawn = next(made.frames())
    foot = drawn[made._foot_at[0] :, :, 0].astype(float)
    rows = foot[(foot == 255).sum(axis=1).argmax()]  # through the bar
    text = made._scale_bar()[0]
    start = np.flatnonzero(rows)[0]
    run = rows[start : start + int(length / size * zoom) + 2]
    covered = run[: np.flatnonzero(run)[-1] + 1].sum() / 255
    assert covered == pytest.approx(length / size * zoom, abs=0.01)
    assert text == length_text(length, "um")
    assert without.shape[0] < made.shape[0]


def test_a_bar_that_fits_is_chosen(frames):
    made = film(frames, pixel_size=0.5, zoom=4, playback_fps=10)
    text, length = made._scale_bar()
    assert text == "2 µm"  # of 16 µm
    assert length == 2 / 0.5 * 4


def test_lengths_and_times_in_words():
    assert [nice_length(x) for x in (0.9, 1, 4.9, 5.1, 99)] == [0.5, 1, 2, 5, 50]
    assert length_text(0.5, "um") == "500 nm"
    assert time_text(0.1, 2.0, 1 / 30) == "0.10 s"
    assert time_text(0.0125, 0.05, 1 / 15000) == "12.50 ms"
    assert time_text(600, 7200, 60) == "10 min"
    assert [speed_text(x) for x in (1, 1 / 20, 1 / 7.5, 4)] == [
        "real time",
        "1/20 of real time",
        "1/7.5 of real time",
        "4× real time",
    ]


@pytest.mark.parametrize(
    ("fps", "options", "rate", "shown"),
    [
        (600, {"speed": 1 / 20}, 30, [0, 1, 2, 3]),
        (25, {}, 25, [0, 1, 2, 3]),
        (600, {}, 30, [0, 1, 2, 3]),
        (30, {"playback_fps": 15}, 15, [0, 1, 2, 3]),
        (4, {}, 12, [0, 0, 0, 1]),  # repeated: still 4 of the movie a second
        (240, {"speed": 0.5}, 60, [0, 2, 4, 6]),
    ],
)
@pytest.mark.filterwarnings("ignore:The movie plays at")
def test_speed_against_real_time(frames, fps, options, rate, shown):
    composition = export.compose(frames, fps=fps, **options)
    found, times = composition.timing()
    assert (found, times[:4]) == (rate, shown)
    lasts = len(times) / float(found)
    speed = composition.shown_speed
    assert lasts == pytest.approx(len(frames) / fps / speed, rel=0.01)


def test_leaving_out_frames_is_a_warning(frames):
    with pytest.warns(UserWarning, match="one frame of 2 is shown"):
        film(frames, fps=240, speed=0.5)


def test_times_are_those_of_the_movie(frames):
    made = film(frames, fps=500, speed=1 / 50, frames=slice(3, 9))
    assert made.shown == [3, 4, 5, 6, 7, 8]
    assert [made._time_text(t) for t in (3, 8)] == [
        "6 ms  ·  1/50 of real time",
        "16 ms  ·  1/50 of real time",
    ]
    drawn = list(made.frames())
    y = made._foot_at[0]
    assert not (drawn[0][y:] == drawn[5][y:]).all()


def test_trim_in_seconds(frames):
    composition = export.compose(frames, fps=10, trim=(0.2, 0.6))
    assert composition.times == range(2, 7)
    assert export.compose(frames, fps=10, trim=(None, 0.3)).times == range(4)
    assert export.compose(frames, fps=10, trim=np.array([0.2, 0.6])).times == composition.times


def test_the_divider_shows_one_movie_on_each_side(frames):
    other = frames // 2
    movies = {"left": frames, "right": other}
    looks = [export.Look((0, 4000))] * 2
    made = film(movies, looks=looks, layout="split", divider=0.25, zoom=2, **BARE)
    drawn = panel_of(next(made.frames()), made)
    halves = [looks[0](np.repeat(np.repeat(m[0], 2, 0), 2, 1)) for m in (frames, other)]
    assert (drawn[:, :14] == halves[0][:, :14]).all()
    assert (drawn[:, 18:] == halves[1][:, 18:]).all()


def test_the_divider_moves_there_and_back(frames):
    movies = {"dark": np.zeros((40, 16, 60), "u1"), "light": np.full((40, 16, 60), 128, "u1")}
    made = film(movies, layout="split", zoom=2, **BARE)
    places = [(panel_of(frame, made)[0, :, 0] == 0).sum() for frame in made.frames()]
    assert max(places) > 0.85 * 120
    assert min(places) < 0.15 * 120
    assert abs(places[0] - places[-1]) < 12  # it loops
    assert np.abs(np.diff(places)).max() < 12


def test_channels_add_up(frames):
    red, green = export.Look((0, 4000), "red"), export.Look((0, 3000), "green")
    other = export.panel(frames[::-1], look=green, line=[(2, 3), (20, 3)])
    shown = export.panel(frames, "both", look=red, line=[(2, 3), (20, 3)], channels=[other])
    made = export.Film(export.Composition([shown], zoom=1, playback_fps=10))
    steps = []
    drawn = list(made.frames(lambda *step: steps.append(step)))
    assert steps[-1] == (36, 36)
    wanted = np.minimum(red(frames[4]).astype(int) + green(frames[::-1][4]), 255)
    found = panel_of(drawn[4], made)
    free = (found != (255, 180, 0)).any(axis=2)  # of the line
    assert (found == wanted)[free].all()
    y, x, height, width = made._places[0].slice
    assert drawn[0][y : y + height, x : x + width, 1].any()
    with pytest.raises(ValueError, match="channels must be of one size"):
        export.panel(frames, "a", channels=[export.panel(frames[:, :20], "b")])


def test_the_slice_is_that_of_the_views(frames):
    line = [(3, 4), (20, 4)]
    look = export.Look((0, 4000))
    made = film(Movie(frames, fps=20), looks=[look], line=line, frames=slice(2, 10), zoom=4)
    drawn = list(made.frames())
    y, x, height, width = made._places[0].slice
    view = views.slice_view(frames, line)[2:10]
    rows = ((np.arange(height) + 0.5) * 18 / height).astype(int)
    columns = ((np.arange(width) + 0.5) * 8 / width).astype(int)
    wanted = look(view.T)[rows][:, columns]
    for k in (0, 7):
        found = drawn[k][y : y + height, x : x + width]
        marked = (found == (255, 180, 0)).all(axis=(0, 2))
        assert marked.sum() == 1
        assert np.flatnonzero(marked)[0] == int((k + 0.5) / 8 * width)
        assert (np.abs(found - wanted.astype(int)).max(axis=(0, 2)) <= 1)[~marked].all()


def test_a_magnified_array_is_shown_like_its_source(frames):
    source = Movie(frames, fps=50, scale=(1, 0.3, 0.3), units=("s", "um", "um"))
    result = magnify(source, 3, method="linear", device="cpu")
    composition = export.compose([source, result])
    first, second = composition.panels
    assert second.label == "motion ×3 (linear)"
    assert second.look.limits == first.look.limits == source.intensity_range
    made = export.Film(replace(composition, zoom=1, labels=False))
    drawn = list(made.frames())[5]
    assert (panel_of(drawn, made, 1) == first.look(result[5].compute())).all()


def test_frame_sizes_are_even_and_steps_are_counted(frames):
    for count in (1, 2, 3):
        steps = []
        made = film([frames[:, :23, :31]] * count, line=[(2, 2), (20, 20)], fps=10)
        drawn = list(made.frames(lambda *step, steps=steps: steps.append(step)))
        assert drawn[0].shape[:2] == made.shape
        assert made.shape[0] % 2 == made.shape[1] % 2 == 0
        assert steps[-1] == (made.n_steps, made.n_steps) == (12 + 12 * count,) * 2


def test_many_movies_fill_a_screen(frames):
    made = film([frames] * 4, zoom=1, **BARE)
    assert [place.panel[:2] for place in made._places][3][0] > made._places[0].panel[0]
    row = film([frames] * 4, zoom=1, layout="row", **BARE)
    assert len({place.panel[0] for place in row._places}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the frame rate of 'original' is unknown: give fps, or playback_fps"),
        ({"speed": 0.1}, "speed: the frame rate of 'original' is unknown: give fps"),
        ({"playback_fps": 9, "time_stamp": True}, "time_stamp: the frame rate"),
        ({"playback_fps": 9, "trim": (0, 1)}, "trim: the frame rate is unknown"),
        ({"playback_fps": 9, "scale_bar": True}, "scale_bar: the pixel size of 'original'"),
        ({"fps": 9, "scale_bar": 99, "pixel_size": 1}, "longer than the frame is wide, 32 um"),
        ({"fps": 9, "scale_bar": 32.001, "pixel_size": 1}, "32.001 is longer than the frame is w"),
        ({"fps": 9, "speed": 1, "playback_fps": 2}, "speed and playback_fps"),
        ({"fps": 9, "speed": -1}, "speed must be a finite number above 0"),
        ({"fps": 9, "frames": slice(20, 30)}, "frames 20 lies outside the movie of 12 frames"),
        ({"fps": 9, "frames": slice(5, 5)}, "frames 5:5 of 12 are empty"),
        ({"fps": 9, "trim": (5, 9)}, r"the movie lasts 1.333 s, and its last frame is at 1.222 s"),
        ({"fps": 9, "layout": "split"}, "layout='split' shows two movies, got 1"),
        ({"fps": 9, "layout": "pile"}, "layout must be one of grid, row, column, split"),
        ({"fps": 9, "divider": 0.5}, "divider is for layout='split'"),
        ({"fps": 9, "zoom": 0}, "zoom must be a finite number above 0"),
        ({"fps": 9, "zoom": 1000}, "up to 16384 x 16384"),
        ({"fps": 9, "labels": ["a", "b"]}, "labels must be one for each of 1 movies"),
        ({"fps": 9, "labels": "a"}, "labels must be one for each of 1 movies; got 'a'"),
        ({"fps": 9, "trim": 3}, "trim must be two times in seconds, or None; got 3"),
        ({"fps": 9, "scale_bar": "long"}, "scale_bar must be a finite number above 0 um, got 'lo"),
        ({"fps": 9, "line": [(50, 0), (99, 0)]}, "line lies outside the frame of 24 x 32 px"),
        ({"fps": 9, "background": "red"}, "background must be one of black, white"),
    ],
)
def test_bad_arguments_are_one_line(frames, options, message):
    with pytest.raises(ValueError, match=r"\S") as refused:
        list(film(frames, **options).frames())
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_movies_of_other_rates_are_said(frames):
    movies = [Movie(frames, "TYX", fps) for fps in (9, 18)]
    with pytest.warns(UserWarning, match="'b' was taken at 18 frames per second, 'a' at 9: times"):
        export.compose(movies, labels=["a", "b"])


def test_movies_must_fit_together(frames):
    with pytest.raises(ValueError, match="same number of frames: 'original' has 12, 'b' 9"):
        export.compose([frames, frames[:9]], labels=["original", "b"], fps=9)
    with pytest.raises(ValueError, match=r"one size: .* 24 x 32 px .* 20 x 32 px"):
        export.compose([frames, frames[:, :20]], layout="split", fps=9)
    with pytest.raises(ValueError, match=r"colormap must be one of .*viridis"):
        export.Look((0, 1), "rainbows")
