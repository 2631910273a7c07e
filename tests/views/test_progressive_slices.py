"""Slice views from coarse to fine: the same numbers in the end, few frames at first."""

import dask.array as da
import numpy as np
import pytest

from napari_motionmag import Movie, magnify, views
from napari_motionmag.magnification.magnification import magnification_behind


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 4000, (70, 20, 30)).astype(np.uint16)


LINE = [(2, 3), (15, 25)]


@pytest.mark.parametrize("chunk", [None, 1, 7, 70])
def test_ends_as_slice_view(frames, chunk):
    data = frames if chunk is None else da.from_array(frames, chunks=(chunk, -1, -1))
    options = {"width": 3, "order": 1}
    expected = views.slice_view(frames, LINE, **options)
    done = []
    for count, made in views.slice_passes(data, LINE, axes="TYX", **options):
        done.append(count)
        view = made
    assert done[-1] == 70
    assert done == sorted(set(done))
    np.testing.assert_array_equal(view, expected)


def test_the_first_pass_reads_few_frames_evenly_spread(frames, counting_source):
    movie, reads = counting_source(frames)
    coarse = None
    for count, view in views.slice_passes(movie, LINE, first=8):
        if coarse is None and count >= 5:
            coarse, first_reads = view.copy(), sorted(reads)
            break
    assert first_reads == [0, 16, 32, 48, 64]
    exact = views.slice_view(frames, LINE)
    for t in range(70):
        np.testing.assert_array_equal(coarse[t], exact[16 * (t // 16)])


def test_each_frame_is_read_once(frames, counting_source):
    movie, reads = counting_source(frames)
    for _ in views.slice_passes(movie, LINE):
        pass
    assert sorted(reads) == list(range(70))


def test_colour_and_channels(frames):
    colour = np.stack([frames, frames // 2, frames // 3], axis=-1)
    *_, (_, view) = views.slice_passes(colour, LINE, axes="TYXS")
    np.testing.assert_array_equal(view, views.slice_view(colour, LINE, axes="TYXS"))
    channels = np.stack([frames, frames + 1], axis=1)
    *_, (_, view) = views.slice_passes(channels, LINE, axes="TCYX", at={"C": 1})
    np.testing.assert_array_equal(view, views.slice_view(frames + 1, LINE))


def test_wrong_lines_are_refused_at_once(frames):
    with pytest.raises(ValueError, match="leaves the frame"):
        views.slice_passes(frames, [(0, 0), (50, 10)])
    with pytest.raises(ValueError, match="outside the frame"):
        views.slice_passes(frames, [(100, 100), (120, 110)], outside="nan")
    with pytest.raises(ValueError, match="first"):
        views.slice_passes(frames, LINE, first=0)


def test_magnified_frames_are_drawn_together_and_kept(frames, monkeypatch):
    movie = Movie(frames, axes="TYX", fps=10)
    lazy = magnify(movie, 3, method="linear", mode="dynamic")
    made = magnification_behind(lazy)
    assert made is not None
    assert magnification_behind(frames) is None
    asked = []
    draw = type(made)._draw

    def counted(self, times, other):
        asked.append(list(times))
        return draw(self, times, other)

    monkeypatch.setattr(type(made), "_draw", counted)
    *_, (_, view) = views.slice_passes(movie.replace(data=lazy), LINE)
    assert sorted(t for times in asked for t in times) == list(range(70))
    assert len(asked) < 20
    *_, (_, again) = views.slice_passes(movie.replace(data=lazy), LINE)
    assert sum(map(len, asked)) == 70, "kept from before"
    np.testing.assert_array_equal(view, again)
    monkeypatch.undo()
    np.testing.assert_allclose(view, views.slice_view(lazy.compute(), LINE), rtol=1e-6)


def test_a_result_is_what_it_was_when_magnify_was_called(frames):
    lazy = magnify(Movie(frames, axes="TYX", fps=10), 3, method="linear", mode="dynamic")
    before = np.asarray(views.slice_view(lazy, LINE, axes="TYX"))
    *_, (_, kept) = views.slice_passes(lazy, LINE, axes="TYX")
    frames[10:12] = frames[30]
    *_, (_, again) = views.slice_passes(lazy, LINE, axes="TYX")
    np.testing.assert_allclose(kept, before, rtol=1e-6)
    # frame 11 depends on frame 10: both as before, not one of them anew
    np.testing.assert_array_equal(again, kept)
    anew = magnify(Movie(frames, axes="TYX", fps=10), 3, method="linear", mode="dynamic")
    *_, (_, edited) = views.slice_passes(anew, LINE, axes="TYX")
    assert (edited[10:12] != kept[10:12]).any(axis=1).all()
    magnification_behind(lazy).refresh()
    *_, (_, refreshed) = views.slice_passes(lazy, LINE, axes="TYX")
    np.testing.assert_array_equal(refreshed, edited)
