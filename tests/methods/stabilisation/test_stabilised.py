"""Alignment of analytic scenes, and magnification of what is left of the motion."""

import pickle
import sys

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture

from napari_motionmag.compute.cache import Cache
from napari_motionmag.methods.classical.lagrangian import LagrangianMagnifier
from napari_motionmag.methods.classical.linear import LinearMagnifier
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.stabilisation.masks import feathered
from napari_motionmag.methods.stabilisation.registration import Template
from napari_motionmag.methods.stabilisation.stabilised import Stabilised
from napari_motionmag.temporal import FIR, Dynamic, Static

SIZE = 112
PIXELS = np.indices((SIZE, SIZE), dtype=np.float64)
MIDDLE = (SIZE - 1) / 2


def waves(seed=0, count=40, finest=0.6):
    """A texture that is a function of the plane: a sum of plane waves."""
    rng = np.random.default_rng(seed)
    k, angle = rng.uniform(0.06, finest, count), rng.uniform(0, 2 * np.pi, count)
    ky, kx = k * np.cos(angle), k * np.sin(angle)
    phase, height = rng.uniform(0, 2 * np.pi, count), 0.12 / (0.2 + k) / np.sqrt(count)

    def texture(y, x):
        inside = np.multiply.outer(y, ky) + np.multiply.outer(x, kx) + phase
        return 0.5 + np.cos(inside) @ height

    return texture


TEXTURE = waves()


def similarity(dy, dx, degrees=0.0, stretch=((0, 0), (0, 0))):
    """Matrix on (y, x, 1): a rotation and stretch about the middle of the frame, and a shift."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = (np.eye(2) + np.array(stretch)) @ rotation
    matrix[:2, 2] = MIDDLE - matrix[:2, :2] @ [MIDDLE, MIDDLE] + [dy, dx]
    return matrix


def back(matrix):
    """Where in the reference the pixels of a frame come from."""
    inverse = np.linalg.inv(matrix)
    return np.tensordot(inverse[:2, :2], PIXELS, 1) + inverse[:2, 2][:, None, None]


def view(matrix, texture=TEXTURE):
    return texture(*back(matrix)).astype(np.float32)


def worst(found, truth, where=None):
    """Largest distance between what two maps make of the pixels, px."""
    points = PIXELS.reshape(2, -1) if where is None else PIXELS[:, where]
    difference = found[:2] - truth[:2]
    return np.abs(difference[:, :2] @ points + difference[:, 2:]).max()


def bump(matrix, amount, radius=12.0):
    """The texture seen through a map, with a part in the middle displaced along x."""
    y, x = back(matrix)
    near = np.exp(-((y - MIDDLE) ** 2 + (x - MIDDLE) ** 2) / (2 * radius**2))
    return TEXTURE(y, x - amount * near).astype(np.float32), near


# ---- alignment ----


@pytest.mark.parametrize(
    ("model", "truth"),
    [
        ("translation", similarity(0.31, -0.74)),
        ("translation", similarity(-21.4, 33.7)),
        ("translation", similarity(40.5, 35.2)),
        ("rigid", similarity(2.2, -3.1, 1.7)),
        ("rigid", similarity(-6.4, 5.5, 14)),
        ("rigid", similarity(5.2, -4.9, 100)),
        ("affine", similarity(3.3, -4.6, 3, ((0.03, 0.02), (-0.01, -0.04)))),
    ],
)
def test_maps_are_found_to_two_hundredths_of_a_pixel(model, truth):
    found = Template(view(np.eye(3)), model).align(view(truth))
    assert worst(found.matrix, truth) < 0.02
    assert found.correlation > 0.99


@pytest.mark.parametrize("shift", [(0.0, 0.013), (0.5, 0.5), (3.37, -7.81)])
def test_fourier_shifts_are_found_in_fine_texture(shift):
    picture = smooth_texture(SIZE, cutoff=0.25)
    found = Template(picture, "translation").align(fourier_shift(picture, *shift))
    # the periodic picture brings in another content at the borders
    np.testing.assert_allclose(found.matrix[:2, 2], shift, atol=0.005)


def test_brightness_and_noise_do_not_matter_much():
    truth = similarity(4.2, -2.7, 2.0)
    rng = np.random.default_rng(0)
    noise = 0.1 * view(truth).std() * rng.standard_normal((2, SIZE, SIZE))
    bleached = 0.4 * view(truth) + 0.3
    assert worst(Template(view(np.eye(3)), "rigid").align(bleached).matrix, truth) < 0.01
    found = Template(view(np.eye(3)) + noise[0], "rigid").align(bleached + 0.4 * noise[1])
    assert worst(found.matrix, truth) < 0.05


def test_the_larger_part_decides():
    truth = similarity(3.6, 2.3, 1.0)
    other = similarity(-6, 9, -4)
    inside = np.hypot(PIXELS[0] - 40, PIXELS[1] - 50) < 22
    frame = np.where(inside, waves(5)(*back(other)), view(truth))
    assert worst(Template(view(np.eye(3)), "rigid").align(frame).matrix, truth) < 0.02


def scene_with_a_disc(matrix, background=None, radius=22):
    """A disc that is carried by a map, over a background that stands still."""
    y, x = back(matrix)
    cover = 1 / (1 + np.exp((np.hypot(y - 45, x - 45) - radius) / 0.6))
    behind = 0.1 if background is None else background(*PIXELS) - 0.2
    return (cover * (waves(4)(y, x) + 0.3) + (1 - cover) * behind).astype(np.float32)


@pytest.mark.parametrize("with_frame_masks", [False, True])
def test_a_masked_part_is_followed_over_a_textured_background(with_frame_masks):
    truths = [np.eye(3), similarity(9.3, 14.2, 5), similarity(24.1, 19.6, -6)]
    movie = [scene_with_a_disc(matrix, waves(7)) for matrix in truths]
    discs = np.stack([np.hypot(*(back(matrix) - 45)) < 24 for matrix in truths])
    mask = discs if with_frame_masks else discs[0]
    method = Stabilised(LinearMagnifier(), "rigid", mask)
    for t in (1, 2):
        assert worst(method.transform(movie, t), truths[t], discs[0]) < 0.02


def test_a_reference_without_texture_is_refused():
    for flat in (np.zeros((64, 64)), np.full((64, 64), 0.3, np.float32)):
        with pytest.raises(ValueError, match="too little texture"):
            Template(flat, "translation")
    stripes = np.tile(np.sin(np.arange(64) / 2), (64, 1))
    with pytest.raises(ValueError, match="tell a translation from"):
        Template(stripes, "translation")
    small = np.zeros((64, 64), bool)
    small[10:14, 10:40] = True
    with pytest.raises(ValueError, match="8 x 8 px, got 4 x 30"):
        Template(view(np.eye(3))[:64, :64], "rigid", small)


# ---- magnification ----


def drifting(model, n=7):
    """Frames of a scene that drifts far while a part of it trembles; the truth for a factor."""
    turn = 0.7 if model == "rigid" else 0.0
    maps = [similarity(2.3 * t, -2.9 * t, turn * t) for t in range(n)]
    tremble = [0.15 * np.sin(2 * np.pi * t / 5) for t in range(n)]
    movie = [bump(matrix, a)[0] for matrix, a in zip(maps, tremble, strict=True)]

    def truth(t, factor):
        return bump(maps[t], factor * tremble[t])

    return movie, truth


@pytest.mark.parametrize(
    ("method", "model", "align_to"),
    [
        (LinearMagnifier(), "translation", "reference"),
        (LinearMagnifier(), "rigid", "current"),
        (PhaseMagnifier(sigma=0), "rigid", "reference"),
        (LagrangianMagnifier(), "translation", "current"),
        (LagrangianMagnifier(), "rigid", "reference"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_small_motion_is_magnified_and_large_motion_stays(method, model, align_to):
    movie, truth = drifting(model)
    times = [6, 4]
    for factor in (6.0, 0.0):
        out = Stabilised(method, model, align_to=align_to).magnify(movie, Static(), times, factor)
        for t, frame in zip(times, out, strict=True):
            wanted, near = truth(t, factor)
            core = near > 0.2
            error = np.sqrt(np.mean((frame - wanted)[core] ** 2))
            assert error < 0.35 * np.sqrt(np.mean((movie[t] - wanted)[core] ** 2))
            np.testing.assert_allclose(frame[near < 1e-4], movie[t][near < 1e-4], atol=0.01)


def test_without_alignment_the_drift_would_be_magnified():
    movie, truth = drifting("translation")
    plain = LagrangianMagnifier().magnify(movie, Static(), [4], 6)[0]
    wanted, near = truth(4, 6)
    assert np.abs(plain - wanted)[near > 0.2].mean() > 0.05


@pytest.mark.parametrize("align_to", ["reference", "current"])
def test_drift_alone_changes_nothing(align_to):
    maps = [similarity(3.1 * t, 2.2 * t, 0.5 * t) for t in range(5)]
    movie = [view(matrix) for matrix in maps]
    method = Stabilised(LinearMagnifier(lambda_c=0), "rigid", align_to=align_to)
    out = method.magnify(movie, Dynamic(), range(5), 10)
    for before, after in zip(movie, out, strict=True):
        inner = np.s_[16:-16, 16:-16]
        assert np.abs(after - before)[inner].max() < 2e-3  # interpolation, magnified
        assert np.abs(after - before).max() < 0.05


def test_what_has_left_the_reference_is_magnified_too_when_aligned_to_the_current_frame():
    maps = [similarity(0, 0), similarity(0, 40), similarity(0, 40)]
    tremble = [0, 0, 0.1]

    def scene(matrix, amount):
        y, x = back(matrix)
        # a part that lies outside of the first frame
        near = np.exp(-((y - MIDDLE) ** 2 + (x + 20) ** 2) / (2 * 8**2))
        return TEXTURE(y, x - amount * near).astype(np.float32), near

    movie = [scene(*each)[0] for each in zip(maps, tremble, strict=True)]
    truth, near = scene(maps[2], 0.5)
    error = {}
    for align_to in ("reference", "current"):
        method = Stabilised(LagrangianMagnifier(), align_to=align_to)
        frame = method.magnify(movie, Dynamic(), [2], 5)[0]
        error[align_to] = np.abs(frame - truth)[near > 0.3].mean()
    unchanged = np.abs(movie[2] - truth)[near > 0.3].mean()
    assert error["reference"] == pytest.approx(unchanged, rel=1e-3)
    assert error["current"] < 0.2 * unchanged


def test_only_the_masked_part_is_magnified():
    def scene(matrix, swelling):
        y, x = back(matrix)
        x = 45 + (x - 45) / (1 + swelling)
        cover = 1 / (1 + np.exp((np.hypot(y - 45, x - 45) - 22) / 0.6))
        frame = cover * (waves(4)(y, x) + 0.3) + (1 - cover) * 0.1
        # something else that moves, far from it
        spot = np.exp(-((PIXELS[0] - 100) ** 2 + (PIXELS[1] - 12 - 40 * swelling) ** 2) / 18)
        return (frame + 0.5 * spot).astype(np.float32)

    maps = [similarity(5 * t, 6 * t, 2 * t) for t in range(4)]
    swelling = [0, 0.015, -0.01, 0.02]
    movie = [scene(*each) for each in zip(maps, swelling, strict=True)]
    mask = np.hypot(PIXELS[0] - 45, PIXELS[1] - 45) < 30
    out = Stabilised(LagrangianMagnifier(), "rigid", mask).magnify(movie, Static(), [1, 3], 5)
    for t, frame in zip((1, 3), out, strict=True):
        disc = np.hypot(*(back(maps[t]) - 45)) < 28
        wanted = scene(maps[t], 5 * swelling[t])
        error = np.sqrt(np.mean((frame - wanted)[disc] ** 2))
        assert error < 0.4 * np.sqrt(np.mean((movie[t] - wanted)[disc] ** 2))
        spot = np.hypot(PIXELS[0] - 100, PIXELS[1] - 12) < 10
        np.testing.assert_allclose(frame[spot], movie[t][spot], atol=1e-6)


def test_fast_shaking_of_the_whole_is_magnified_when_only_slow_motion_is_large_motion():
    n, t = 24, 12
    shake = 0.1 * np.sin(2 * np.pi * np.arange(n) / 4)
    path = 0.9 * np.arange(n)
    movie = [view(similarity(0, d)) for d in path + shake]
    operator = FIR(8, 12, 40.0, taps=9)  # the shaking is at 10 Hz
    still = Stabilised(LagrangianMagnifier()).magnify(movie, operator, [t + 1], 8)[0]
    moved = Stabilised(LagrangianMagnifier(), smooth=3).magnify(movie, operator, [t + 1], 8)[0]
    inner = np.s_[24:-24, 24:-24]
    wanted = view(similarity(0, path[t + 1] + 8 * shake[t + 1]))
    np.testing.assert_allclose(still[inner], movie[t + 1][inner], atol=2e-3)
    unchanged = np.abs(movie[t + 1] - wanted)[inner].mean()
    assert np.abs(moved - wanted)[inner].mean() < 0.1 * unchanged


def test_colour():
    maps = [similarity(3 * t, 2 * t) for t in range(3)]
    tremble = [0, 0.1, -0.1]
    tint = np.array([1.0, 0.6, 0.3], np.float32)

    def scene(t, factor):
        return bump(maps[t], factor * tremble[t])[0][..., None] * tint

    movie = [scene(t, 1) for t in range(3)]
    out = Stabilised(LagrangianMagnifier()).magnify(movie, Static(), [2], 6)[0]
    inner = np.s_[20:-20, 20:-20]
    unchanged = np.abs(movie[2] - scene(2, 6))[inner].mean()
    assert np.abs(out - scene(2, 6))[inner].mean() < 0.3 * unchanged


def test_factor_1_is_the_identity():
    movie, _ = drifting("translation", 3)
    out = Stabilised(PhaseMagnifier()).magnify(movie, Static(), [2, 0], 1)
    np.testing.assert_array_equal(out, [movie[2], movie[0]])


# ---- economy ----


class Frames(list):
    """Frames that note what is read, perhaps with a cache as `magnify` gives them."""

    def __init__(self, frames, cached):
        super().__init__(frames)
        self.reads = []
        self.series = ()
        if cached:
            self.cache = Cache()

    def key(self, t):
        return (t,)

    def __getitem__(self, index):
        self.reads.append(index)
        return super().__getitem__(index)


@pytest.mark.parametrize("cached", [False, True])
def test_reads_what_the_operator_needs_and_the_reference_once(cached):
    movie, _ = drifting("translation", 12)
    frames = Frames(movie, cached)
    operator = Dynamic(2)
    Stabilised(LinearMagnifier(), reference=3).magnify(frames, operator, [8, 9], 5)
    assert sorted(frames.reads) == [3, 6, 7, 8, 9]
    frames.reads.clear()
    Stabilised(LinearMagnifier(), align_to="current").magnify(frames, operator, [8, 9], 5)
    assert sorted(frames.reads) == [0, 6, 7, 8, 9]


def test_transforms_are_estimated_once(monkeypatch):
    movie, _ = drifting("translation", 6)
    counted = []
    real = Template.align

    def align(self, *args):
        counted.append(1)
        return real(self, *args)

    monkeypatch.setattr(Template, "align", align)
    frames = Frames(movie, True)
    method = Stabilised(LinearMagnifier())
    first = method.magnify(frames, Dynamic(), [3], 5)
    again = method.magnify(frames, Dynamic(), [3], 5)
    method.magnify(frames, Dynamic(), [3, 4], 5)
    np.testing.assert_array_equal(first, again)
    assert len(counted) == 3  # frames 2, 3 and 4
    Stabilised(LinearMagnifier(), "rigid").magnify(frames, Dynamic(), [3], 5)
    assert len(counted) == 5  # another model is another map


def test_results_do_not_depend_on_what_is_computed_with_them():
    movie, _ = drifting("rigid", 6)
    method = Stabilised(LinearMagnifier(), "rigid")
    together = method.magnify(movie, Dynamic(), [5, 2, 3], 4)
    for t, frame in zip([5, 2, 3], together, strict=True):
        np.testing.assert_array_equal(method.magnify(movie, Dynamic(), [t], 4)[0], frame)


def test_works_after_pickling():
    movie, _ = drifting("translation", 4)
    method = pickle.loads(
        pickle.dumps(Stabilised(LinearMagnifier(), mask=np.ones((SIZE, SIZE)) > 0))
    )
    out = method.magnify(movie, Static(), [2], 3)
    assert out.shape == (1, SIZE, SIZE)
    assert out.dtype == np.float32
    assert method.name == "stabilised linear"
    assert method.smallest_frame == 16


# ---- masks ----


def test_feathering_rises_inwards_from_the_border():
    mask = np.zeros((40, 40), bool)
    mask[:, 10:] = True
    weight = feathered(mask, 6)
    assert (weight[:, :10] == 0).all()
    assert (np.diff(weight[20, 9:17]) > 0).all()
    assert (weight[:, 16:] == 1).all()  # and does not fall towards the border of the frame
    np.testing.assert_array_equal(feathered(mask, 0), mask)


# ---- errors and warnings ----


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "projective"}, ValueError, "model must be one of"),
        ({"reference": 1.5}, ValueError, "reference must be"),
        ({"align_to": "mean"}, ValueError, "align_to must be"),
        ({"smooth": -1}, ValueError, "smooth must be"),
        ({"feather": float("nan")}, ValueError, "feather must be"),
        ({"mask": np.zeros((4, 4), bool)}, ValueError, "marks no pixel"),
        ({"mask": np.ones(4, bool)}, ValueError, "mask must be"),
        ({"mask": np.ones((4, 4))}, TypeError, "mask must be boolean"),
    ],
)
def test_refuses_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Stabilised(LinearMagnifier(), **options)


def test_refuses_bad_requests():
    movie, _ = drifting("translation", 3)
    with pytest.raises(TypeError, match="method must have magnify"):
        Stabilised("phase")
    with pytest.raises(ValueError, match="reference must be within -3 to 2, got 3"):
        Stabilised(LinearMagnifier(), reference=3).magnify(movie, Static(), [1], 2)
    with pytest.raises(ValueError, match="mask must have the shape"):
        Stabilised(LinearMagnifier(), mask=np.ones((8, 9), bool)).magnify(movie, Static(), [1], 2)
    with pytest.raises(ValueError, match="times must be within"):
        Stabilised(LinearMagnifier()).magnify(movie, Static(), [3], 2)
    with pytest.raises(ValueError, match="at least 16 x 16"):
        Stabilised(LinearMagnifier()).magnify([f[:12] for f in movie], Static(), [1], 2)
    with pytest.raises(ValueError, match="one shape"):
        Stabilised(LinearMagnifier()).magnify([movie[0], movie[1][:50]], Static(), [1], 2)


def test_warns_of_a_frame_that_is_not_of_the_scene():
    movie, _ = drifting("translation", 3)
    rng = np.random.default_rng(0)
    movie[2] = rng.random((SIZE, SIZE), dtype=np.float32)
    with pytest.warns(
        UserWarning, match=r"frame 2 aligns poorly to reference 0: correlation -?0\."
    ):
        Stabilised(LinearMagnifier()).magnify(movie, Static(), [2], 2)


def test_a_pixel_that_is_not_finite_is_reported_and_not_spread():
    movie, _ = drifting("translation", 3)
    movie[2][40, 50] = np.nan
    with pytest.warns(UserWarning, match="frame 2 has 1 values that are not finite"):
        out = Stabilised(LinearMagnifier()).magnify(movie, Static(), [2], 2)[0]
    assert np.argwhere(~np.isfinite(out)).tolist() == [[40, 50]]


def test_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.registration", None)
    with pytest.raises(ImportError, match=r"napari-motionmag\[registration\]"):
        Stabilised(LinearMagnifier())
