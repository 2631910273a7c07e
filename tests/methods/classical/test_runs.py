"""Phase and Riesz along a run of frames: drawn in blocks, with the pixels of frames drawn alone."""

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_motionmag.compute.cache import set_budget
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.methods.base import WarnOnce
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.riesz import RieszMagnifier
from napari_motionmag.movie.frame_source import FrameSource
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import FIR, Acceleration, Butterworth, Dynamic, Static

pytestmark = pytest.mark.filterwarnings("ignore:.*factor - 1")

N = 40
METHODS = [PhaseMagnifier(device="cpu", pyramid="octave"), RieszMagnifier(device="cpu")]
OPERATORS = [
    FIR(2, 5, 30),
    FIR(1, 2, 30),  # longer than the movie
    Butterworth(2, 5, 30),
    Butterworth(2, 5, 30, zero_phase=True),
    Acceleration(1, 30),
]


@pytest.fixture(scope="module")
def frames():
    texture = gaussian_filter(np.random.default_rng(3).random((44, 50)), 1.2)
    texture = (texture - texture.min()) / np.ptp(texture)
    moves = [(0.2 * np.sin(t / 2), 0.3 * np.cos(t / 3)) for t in range(N)]
    moved = [shift(texture, move, order=3, mode="nearest")[4:-4, 4:-4] for move in moves]
    return np.stack(moved).astype(np.float32)


@pytest.fixture
def transformed(monkeypatch):
    """Count the frames that are transformed."""
    count = []
    for method in METHODS:
        kind, original = method.decomposition, method.decomposition.transform

        def transform(self, planes, original=original):
            count.append(1)
            return original(self, planes)

        monkeypatch.setattr(kind, "transform", transform)
    return count


def source(frames, **kwargs):
    return FrameSource(Movie(frames, "TYX", intensity_range=(0, 1)), **kwargs)


def by_name(value):
    return value.describe() if hasattr(value, "describe") else value.name


@pytest.mark.parametrize("operator", OPERATORS, ids=by_name)
@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_a_run_has_the_pixels_of_frames_drawn_alone(method, operator, frames, transformed):
    plain = list(frames)
    played = source(frames)
    for order in (range(12, 18), (34, 33, 32), (3, 38, 4), (36, 37, 39)):
        for t in order:
            drawn = method.magnify(played, operator, [t], 6)
            np.testing.assert_allclose(
                drawn, method.magnify(plain, operator, [t], 6), atol=3e-6, err_msg=str(t)
            )


@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_several_frames_at_a_time_are_a_run(method, frames):
    operator, played = FIR(2, 5, 30), source(frames)
    expected = method.magnify(list(frames), operator, range(N), 6)
    for start in range(0, N, 3):
        times = range(start, min(start + 3, N))
        drawn = method.magnify(played, operator, times, 6)
        np.testing.assert_allclose(drawn, expected[start : start + 3], atol=3e-6)
    whole = method.magnify(source(frames), operator, [5, *range(N)], 6)
    np.testing.assert_allclose(whole, expected[[5, *range(N)]], atol=3e-6)


@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_a_run_transforms_few_frames(method, frames, transformed):
    operator = FIR(2, 5, 30)
    window = len(operator.needs(N // 2, N))
    played = source(frames)
    for t in range(N):
        method.magnify(played, operator, [t], 6)
    blocks = -(-N // (window // 4))
    assert len(transformed) <= N + (blocks + 1) * window < 0.2 * N * window
    transformed.clear()
    for t in range(N - 1, -1, -1):
        method.magnify(played, operator, [t], 6)
    assert not transformed


def test_a_jump_draws_one_frame(frames, transformed):
    operator = FIR(2, 5, 30)
    window = len(operator.needs(N // 2, N))
    played = source(frames)
    for t in (20, 5, 30):
        METHODS[1].magnify(played, operator, [t], 6)
    assert len(transformed) <= 3 * window + 1  # the length of blocks takes no transform
    transformed.clear()
    METHODS[1].magnify(played, operator, [5, 30], 6)
    assert not transformed


def test_the_third_frame_of_a_block_draws_the_block(frames, transformed):
    """As where the frames of a movie are dealt out to several processes."""
    operator, played = FIR(2, 5, 30), source(frames)
    for t in (11, 14, 17):
        METHODS[1].magnify(played, operator, [t], 6)
    assert len(transformed) == 3 * len(operator.needs(14, N))
    transformed.clear()
    drawn = METHODS[1].magnify(played, operator, [13, 15, 19], 6)
    assert not transformed
    expected = METHODS[1].magnify(list(frames), operator, [13, 15, 19], 6)
    np.testing.assert_allclose(drawn, expected, atol=3e-6)


@pytest.mark.parametrize("operator", [Static(), Dynamic()], ids=by_name)
def test_two_frames_are_no_run(operator, frames, transformed):
    played = source(frames)
    for t in range(4, 8):
        METHODS[1].magnify(played, operator, [t], 6)
    assert len(transformed) == 8


def test_without_memory_frames_are_drawn_alone(frames, transformed):
    operator = FIR(2, 5, 30)
    set_budget(0)
    try:
        played = source(frames)
        for t in range(18, 22):
            drawn = METHODS[1].magnify(played, operator, [t], 6)
    finally:
        set_budget(None)
    assert len(transformed) <= 4 * (len(operator.needs(20, N)) + 1)
    expected = METHODS[1].magnify(list(frames), operator, [21], 6)
    np.testing.assert_array_equal(drawn, expected)


def test_blocks_keep_to_the_memory_of_the_method(frames):
    operator = FIR(2, 5, 30)
    expected = METHODS[1].magnify(list(frames), operator, range(N), 6)
    for max_bytes in (2**16, 2**18, 2**20):
        method, played = RieszMagnifier(device="cpu", max_bytes=max_bytes), source(frames)
        for t in range(16, 24):
            drawn = method.magnify(played, operator, [t], 6)
            np.testing.assert_allclose(drawn[0], expected[t], atol=3e-6)


def test_each_magnification_warns_of_what_was_drawn_before(frames):
    operator, played = FIR(2, 5, 30), source(frames)
    for t in (11, 12):  # alone, then in a block
        with pytest.warns(UserWarning, match="factor - 1"):
            METHODS[1].magnify(played, operator, [t], 300)
    again = FrameSource(played.movie, warned=WarnOnce())
    with pytest.warns(UserWarning, match="factor - 1"):
        METHODS[1].magnify(again, operator, [11], 300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        METHODS[1].magnify(again, operator, [12], 300)


def test_what_was_drawn_is_forgotten_on_refresh(frames):
    frames = frames.copy()
    motion = {"mode": "temporal", "band": (2, 5), "fps": 30, "method": "riesz", "device": "cpu"}
    magnification = plan(frames, 6, **motion, intensity_range=(0, 1))
    first = magnification.draw([8, 9, 10])
    frames[:] = frames[::-1]
    magnification.refresh()
    np.testing.assert_allclose(
        magnification.draw([9])[0], plan(frames, 6, **motion, intensity_range=(0, 1)).draw([9])[0]
    )
    assert np.abs(first[1] - magnification.draw([9])[0]).max() > 0.01


@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_another_factor_transforms_only_the_frame_itself(method, frames, transformed):
    operator, played = FIR(2, 5, 30), source(frames)
    method.magnify(played, operator, [20], 6)
    for factor in (3, -2):
        transformed.clear()
        drawn = method.magnify(played, operator, [20], factor)
        assert len(transformed) == 1
        expected = method.magnify(list(frames), operator, [20], factor)
        np.testing.assert_allclose(drawn, expected, atol=1e-6)
    transformed.clear()
    smoother = dataclasses.replace(method, sigma=5.0)
    drawn = smoother.magnify(played, operator, [20], 3)
    assert len(transformed) == 1
    expected = smoother.magnify(list(frames), operator, [20], 3)
    np.testing.assert_allclose(drawn, expected, atol=1e-6)
