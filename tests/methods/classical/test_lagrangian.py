"""Lagrangian magnification against exact shifts and an analytic scene."""

import sys

import numpy as np
import pytest
from motion import fourier_shift, measured_shift, smooth_texture
from scipy import ndimage

from napari_motionmag.methods.classical.image_warp import draw_displaced
from napari_motionmag.methods.classical.lagrangian import LagrangianMagnifier
from napari_motionmag.methods.classical.optical_flow import FlowEstimator
from napari_motionmag.temporal import FIR, Dynamic, Static

SIZE = 96
ROWS, COLUMNS = np.indices((SIZE, SIZE))


def as_frames(*images):
    return [np.asarray(image, dtype=np.float32) for image in images]


def disc(dx, background):
    """A textured disc, displaced along x, over a background that does not move."""
    mask = 1 / (1 + np.exp((np.hypot(ROWS - 48, COLUMNS - 44 - dx) - 16) / 0.6))
    thing = 0.3 + 0.7 * smooth_texture(SIZE, 5, cutoff=0.12)
    return mask * fourier_shift(thing, 0, dx) + (1 - mask) * background


BACKGROUNDS = {"flat": 0.2, "textured": 0.6 * smooth_texture(SIZE, 6, cutoff=0.12)}


@pytest.mark.parametrize(
    ("displacement", "factor"),
    [(0.02, 100.0), (0.1, 20.0), (0.5, 8.0), (2.0, 2.0), (3.0, 0.0), (0.5, -4.0)],
)
@pytest.mark.parametrize("cutoff", [0.06, 0.2])
def test_a_texture_moves_by_factor_times_its_displacement(displacement, factor, cutoff):
    still = smooth_texture(SIZE, cutoff=cutoff)
    step = displacement * np.array([0.6, -0.8])
    frames = as_frames(still, fourier_shift(still, *step))
    out = LagrangianMagnifier().magnify(frames, Static(), [1], factor)[0]
    truth = fourier_shift(still, *(factor * step))
    inner = np.s_[20:-20, 20:-20]
    assert np.abs(out - truth)[inner].max() < 0.01
    moved = measured_shift(still, out.astype(np.float64), border=20)
    np.testing.assert_allclose(
        moved, factor * step, atol=0.005 * max(abs(factor * displacement), 1)
    )


@pytest.mark.parametrize("background", ["flat", "textured"])
@pytest.mark.parametrize(("displacement", "factor"), [(0.05, 40.0), (0.5, 8.0), (1.0, -3.0)])
@pytest.mark.parametrize("flow", ["ilk", "tvl1"])
def test_a_thing_moves_and_its_background_does_not(flow, displacement, factor, background):
    behind = BACKGROUNDS[background]
    frames = as_frames(disc(0, behind), disc(displacement, behind))
    out = LagrangianMagnifier(flow=flow).magnify(frames, Static(), [1], factor)[0]
    shift = factor * displacement
    truth = disc(shift, behind)
    core = np.hypot(ROWS - 48, COLUMNS - 44 - shift) < 12
    # displacement of the disc from what it looks like a little further on and back
    gradient = (disc(shift + 0.05, behind) - disc(shift - 0.05, behind))[core] / 0.1
    error = np.sum(gradient * (out - truth)[core]) / np.sum(gradient**2)
    assert abs(error / shift) < 0.05
    far = np.hypot(ROWS - 48, COLUMNS - 44) > 16 + abs(shift) + 16
    np.testing.assert_allclose(out[far], frames[0][far], atol=1e-3)
    unmagnified = np.sqrt(np.mean((frames[1] - truth) ** 2))
    assert np.sqrt(np.mean((out - truth) ** 2)) < 0.35 * unmagnified


@pytest.mark.parametrize("displacement", [0.02, 0.3, 1.0])
def test_flow_is_right_in_fine_texture_where_the_library_is_not(displacement):
    still = smooth_texture(SIZE, cutoff=0.25)
    moved = fourier_shift(still, 0, displacement)
    inner = np.s_[16:-16, 16:-16]

    def gain(refinements):
        estimator = FlowEstimator(blur=0, refinements=refinements)
        flow = estimator.flow(*(estimator.prepare(image) for image in (still, moved)))
        return flow[1][inner].mean() / displacement

    assert gain(3) == pytest.approx(1, abs=2e-3)
    if displacement < 0.5:  # a known fault: bilinear interpolation and central differences
        assert gain(0) > 1.03


def test_one_smooth_map_moves_every_point_its_own_way():
    # a swelling: displacement grows with the distance from the middle
    def picture(scale):
        y, x = (ROWS - 47.5) / scale, (COLUMNS - 47.5) / scale
        return 0.5 + 0.2 * np.sin(0.5 * x + 0.1 * y) + 0.2 * np.cos(0.45 * y - 0.2 * x)

    out = LagrangianMagnifier(sigma=0).magnify(
        as_frames(picture(1), picture(1.004)), Static(), [1], 20
    )[0]
    inner = np.s_[16:-16, 16:-16]
    # the displacement at x in the second frame is x (1 - 1 / 1.004): 19 times that is added
    truth = picture(1.004 * (1 + 19 * (1 - 1 / 1.004)))
    assert np.abs(out - truth)[inner].max() < 0.02
    assert np.abs(picture(1) - truth)[inner].max() > 0.2


def test_only_the_band_of_frequencies_is_magnified():
    fps, n = 40.0, 24
    still = smooth_texture(SIZE, cutoff=0.1)
    time = np.arange(n) / fps
    slow, fast = 0.8 * np.sin(2 * np.pi * 0.5 * time), 0.05 * np.sin(2 * np.pi * 10 * time)
    frames = as_frames(*(fourier_shift(still, 0, d) for d in slow + fast))
    operator = FIR(7, 13, fps, taps=15)
    selected = operator.apply(slow + fast)  # the oracle: the operator on the true displacement
    times = [9, 11]
    out = LagrangianMagnifier().magnify(frames, operator, times, 20)
    for t, frame in zip(times, out, strict=True):
        moved = measured_shift(still, frame.astype(np.float64), border=20)
        expected = slow[t] + fast[t] + 19 * selected[t]
        np.testing.assert_allclose(moved, [0, expected], atol=0.01)


def test_dynamic_magnifies_the_last_step():
    still = smooth_texture(SIZE, cutoff=0.1)
    frames = as_frames(*(fourier_shift(still, d, 0) for d in (0, 0.7, 0.9)))
    out = LagrangianMagnifier().magnify(frames, Dynamic(), [2, 0], 6)
    moved = measured_shift(still, out[0].astype(np.float64), border=20)
    np.testing.assert_allclose(moved, [0.9 + 5 * 0.2, 0], atol=0.01)
    np.testing.assert_array_equal(out[1], frames[0])


def test_noise_is_moved_and_not_multiplied():
    rng = np.random.default_rng(0)
    still = smooth_texture(SIZE, cutoff=0.06)
    frames = as_frames(*(still + 0.01 * rng.standard_normal(still.shape) for _ in range(2)))
    out = LagrangianMagnifier().magnify(frames, Static(), [1], 30)[0]

    def grain(image):
        return (image - ndimage.gaussian_filter(image, 2)).std()

    assert grain(out) < 1.5 * grain(frames[1])


def test_colour_moves_along():
    still = np.stack([smooth_texture(SIZE, k, cutoff=0.1) for k in range(3)], -1)
    moved = np.stack([fourier_shift(still[..., k], 0, 0.2) for k in range(3)], -1)
    out = LagrangianMagnifier().magnify(as_frames(still, moved), Static(), [1], 10)[0]
    truth = np.stack([fourier_shift(still[..., k], 0, 2) for k in range(3)], -1)
    assert np.abs(out - truth)[20:-20, 20:-20].max() < 0.01


def test_factor_1_is_the_identity_and_a_still_scene_stays_still():
    rng = np.random.default_rng(0)
    frames = [rng.random((24, 30), dtype=np.float32) for _ in range(3)]
    out = LagrangianMagnifier().magnify(frames, Static(), [2, 1], 1)
    np.testing.assert_array_equal(out, frames[:0:-1])
    out = LagrangianMagnifier().magnify([frames[0]] * 3, Static(), [0, 2], 50)
    np.testing.assert_array_equal(out, [frames[0]] * 2)
    flat = [np.full((24, 30), value, np.float32) for value in (0.2, 0.3)]
    out = LagrangianMagnifier().magnify(flat, Static(), [1], 50)
    np.testing.assert_array_equal(out[0], flat[1])


def test_results_do_not_depend_on_contrast_and_level():
    still = smooth_texture(SIZE, cutoff=0.1)
    frames = as_frames(still, fourier_shift(still, 0.1, 0.1))
    full = LagrangianMagnifier().magnify(frames, Static(), [1], 10)[0]
    faint = LagrangianMagnifier().magnify([5 + 0.01 * f for f in frames], Static(), [1], 10)[0]
    np.testing.assert_allclose((faint - 5) / 0.01, full, atol=2e-3)


def test_reads_what_the_operator_needs_once():
    class Counting(list):
        reads = ()

        def __getitem__(self, index):
            self.reads += (index,)
            return super().__getitem__(index)

    still = smooth_texture(32)
    frames = Counting(as_frames(*(fourier_shift(still, 0, 0.1 * k) for k in range(40))))
    operator = FIR(5, 9, 40.0, taps=7)
    LagrangianMagnifier().magnify(frames, operator, [20, 21], 5)
    needed = {20, 21}.union(*(operator.row(t, 40)[0].tolist() for t in (20, 21)))
    assert sorted(frames.reads) == sorted(needed)


def test_a_pixel_that_is_not_finite_is_reported_and_not_spread():
    still = smooth_texture(SIZE)
    frames = as_frames(still, fourier_shift(still, 0, 0.1))
    frames[1][40, 50] = np.nan
    with pytest.warns(UserWarning, match="frame 1 has 1 values that are not finite"):
        out = LagrangianMagnifier().magnify(frames, Static(), [1], 5)[0]
    assert np.argwhere(~np.isfinite(out)).tolist() == [[40, 50]]


# ---- drawing ----


def test_drawing_whole_pixels_is_a_plain_shift():
    picture = smooth_texture(32).astype(np.float32)
    displacement = np.zeros((2, 32, 32))
    displacement[0], displacement[1] = 3, -5
    out = draw_displaced(picture, displacement)
    np.testing.assert_allclose(out[3:, :-5], picture[:-3, 5:], atol=1e-5)


@pytest.mark.parametrize("jump", [6, -6])
def test_what_moves_lies_in_front_and_gaps_show_the_background(jump):
    behind = np.tile(np.linspace(0, 0.2, 64)[:, None], (1, 64))
    block = np.zeros((64, 64), bool)
    block[20:44, 20:44] = True
    picture = np.where(block, 1.0, behind)
    out = draw_displaced(picture, np.stack([np.zeros((64, 64)), jump * block]), order=1)
    there = np.roll(block, jump, axis=1)
    np.testing.assert_allclose(out[there], 1, atol=1e-6)
    # filled along x, across which the background does not change: nothing of the block is left
    np.testing.assert_allclose(out[~there], behind[~there], atol=0.04)


def test_a_strong_even_stretch_has_no_gaps():
    rows = (np.arange(48) - 24.0) * 4
    displacement = np.stack([np.tile(rows[:, None], (1, 48)), np.zeros((48, 48))])
    picture = np.tile(np.sin(np.arange(48) / 2)[:, None], (1, 48))
    out = draw_displaced(picture, displacement)
    expected = np.sin((24 + (np.arange(48) - 24) / 5) / 2)
    np.testing.assert_allclose(out, np.tile(expected[:, None], (1, 48)), atol=2e-3)


# ---- errors ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow": "farneback"}, "flow must be"),
        ({"radius": 0}, "radius must be"),
        ({"blur": -1}, "blur must be"),
        ({"sigma": float("inf")}, "sigma must be"),
        ({"order": 0}, "order must be"),
    ],
)
def test_refuses_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        LagrangianMagnifier(**options)


def test_refuses_bad_requests():
    frames = as_frames(smooth_texture(32), smooth_texture(32, 1))
    method = LagrangianMagnifier()
    with pytest.raises(ValueError, match="times must be within 0 to 1"):
        method.magnify(frames, Static(), [2], 3)
    with pytest.raises(ValueError, match="factor must be finite"):
        method.magnify(frames, Static(), [1], float("nan"))
    with pytest.raises(ValueError, match="at least 16 x 16"):
        method.magnify([f[:15] for f in frames], Static(), [1], 3)
    with pytest.raises(ValueError, match="one shape"):
        method.magnify([frames[0], frames[1][:20]], Static(), [1], 3)


def test_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.registration", None)
    with pytest.raises(ImportError, match=r"napari-motionmag\[registration\]"):
        LagrangianMagnifier()
