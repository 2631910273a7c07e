"""The parts of the dock widget that need no window."""

import pickle
import subprocess
import sys
from contextlib import nullcontext
from threading import Thread
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import Dynamic
from napari_motionmag.widgets.common.motion_fields import reference_of
from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification
from napari_motionmag.widgets.frames.layer_frames import mark_slicing
from napari_motionmag.widgets.frames.whole_result import draw_all, room_for, total_frames
from napari_motionmag.widgets.magnify.factor import LAST, factor_at, position_of

FUSION_OFF = {"optimization.fuse.active": False}


def test_the_slider_reaches_from_0_over_1_to_1000():
    assert factor_at(0) == 0
    assert factor_at(position_of(1)) == 1
    assert factor_at(LAST) == 1000
    factors = [factor_at(position) for position in range(LAST + 1)]
    assert factors == sorted(factors)


@pytest.mark.parametrize("factor", [0, 0.5, 1, 2.5, 10, 33, 100, 720, 1000])
def test_the_slider_comes_near_to_a_factor(factor):
    assert factor_at(position_of(factor)) == pytest.approx(factor, rel=0.04, abs=0.03)


@pytest.mark.parametrize(("factor", "end"), [(-7, 0), (-0.5, 0), (5000, LAST)])
def test_what_the_slider_cannot_show_is_at_its_end(factor, end):
    assert position_of(factor) == end


@pytest.mark.parametrize(
    ("said", "first", "count"),
    [(4, 4, 1), (slice(0, 6), 0, 6), (slice(2, 5), 2, 3), (slice(None, 3), 0, 3)],
)
def test_references(said, first, count):
    assert reference_of(said) == (first, count)


def test_frame_shown_minds_units_and_offsets():
    viewer = ViewerModel()
    seconds = viewer.add_image(
        np.zeros((20, 8, 9)), scale=(0.1, 1, 1), units=("s", "um", "um"), translate=(0.5, 0, 0)
    )
    viewer.dims.set_point(0, 1.2)
    assert frame_shown(viewer, seconds, "TYX") == (7, ())
    milliseconds = viewer.add_image(
        np.zeros((30, 8, 9)), scale=(100, 1, 1), units=("ms", "um", "um")
    )
    slider = {"s": 1.2, "ms": 1200}[f"{viewer.dims.units[0]:~}"]
    viewer.dims.set_point(0, slider)
    assert frame_shown(viewer, milliseconds, "TYX") == (12, ())
    assert frame_shown(viewer, seconds, "TYX") == (7, ())


def test_frame_shown_outside_the_movie_is_its_end():
    viewer = ViewerModel()
    long = viewer.add_image(np.zeros((50, 8, 9)))
    short = viewer.add_image(np.zeros((5, 8, 9)))
    viewer.dims.set_current_step(0, 40)
    assert frame_shown(viewer, short, "TYX") == (4, ())
    assert frame_shown(viewer, long, "TYX") == (40, ())


def test_frame_shown_of_channels_below_other_axes():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((2, 6, 3, 8, 9)))
    layer = viewer.add_image(np.zeros((6, 3, 8, 9)))
    viewer.dims.current_step = (1, 4, 2, 0, 0)
    assert frame_shown(viewer, layer, "TCYX") == (4, (2,))
    assert not time_is_drawn(viewer, layer, "TCYX")
    viewer.dims.ndisplay = 3
    assert not time_is_drawn(viewer, layer, "TZYX")
    assert time_is_drawn(viewer, layer, "ZTYX")


class AgainstFrameBefore:
    """out = B + (m - 1) T(B) on pixels; counts its calls."""

    name = "pixels"

    def __init__(self):
        self.calls = 0

    def magnify(self, frames, operator, times, factor):
        self.calls += 1
        out = []
        for t in times:
            indices, weights = operator.row(t, len(frames))
            change = sum(w * frames[i] for i, w in zip(indices.tolist(), weights, strict=True))
            out.append((frames[t] + (factor - 1) * change).astype(np.float32))
        return np.stack(out)


@pytest.fixture
def magnification():
    frames = np.random.default_rng(0).integers(0, 4000, (7, 2, 16, 18)).astype(np.uint16)
    return Magnification(Movie(frames, "TCYX"), AgainstFrameBefore(), Dynamic(), 5.0)


def test_draw_all_equals_the_lazy_array(magnification):
    out = np.zeros(magnification.movie.shape, magnification.movie.dtype)
    assert list(draw_all(magnification, out)) == list(range(1, 15))
    assert total_frames(magnification) == 14
    assert np.array_equal(out, magnification.dask().compute())


def test_shown_goes_to_other_processes_without_its_listener(magnification):
    class Listener:
        def __reduce__(self):
            raise AssertionError("pickled")

    shown = CachedMagnification.of(magnification, Listener())
    there = pickle.loads(pickle.dumps(shown))
    assert there.listener is None
    assert np.array_equal(there.draw([3], (1,))[0], magnification.draw([3], (1,))[0])


def test_shown_keeps_a_frame_and_gives_copies(magnification):
    shown = CachedMagnification.of(magnification)
    first = shown.draw([2], (0,))[0]
    second = shown.draw([2], (0,))[0]
    assert magnification.method.calls == 1
    assert np.array_equal(first, second)
    second[:] = 0
    assert np.array_equal(shown.draw([2], (0,))[0], first)


def test_nobody_but_napari_gets_blank_frames_while_a_layer_is_about_to_be_hidden(magnification):
    class Listener:
        def unwanted(self, token):
            return True

        def listening(self):
            return nullcontext()

    expected = magnification.dask().compute()
    frames = CachedMagnification.of(magnification, Listener()).dask()
    layer = SimpleNamespace(dask_optimized_slicing=lambda: dask.config.set(FUSION_OFF))
    mark_slicing(layer)
    saved = []
    with layer.dask_optimized_slicing():  # as napari does; the setting is that of all threads
        saving = Thread(target=lambda: saved.append(np.asarray(frames)))
        saving.start()
        saving.join(20)
        assert not np.asarray(frames[:, 0]).any()
    assert np.array_equal(saved[0], expected)
    assert np.array_equal(frames[:, 0].compute(), expected[:, 0])


def test_room_for_many_dtypes():
    assert room_for((3, 4, 5), np.dtype(">u2")).dtype == np.dtype(">u2")


EXIT = """
import numpy as np, napari
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).integers(0, 255, (300, 48, 48)).astype(np.uint8))
drawing, computing = MagnifyWidget(viewer), MagnifyWidget(viewer)
for widget in (drawing, computing):
    widget.method.value = "phase"
computing()
computing._whole_movie.begin()
drawing.draw()
assert drawing._work.frames.working and computing.working
viewer.close()
"""


def test_a_program_may_end_while_frames_are_drawn(qapp):
    ended = subprocess.run(
        [sys.executable, "-c", EXIT], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
