"""Faults of public code for motion magnification that no method here may have, each by name."""

import warnings

import numpy as np
import pytest
from motion import fourier_shift, measured_shift, smooth_texture

from napari_motionmag import magnify, temporal
from napari_motionmag.methods.base import METHODS

FPS, N, FACTOR = 30.0, 33, 5.0
TIMES = np.arange(N) / FPS
INSIDE = 0.06 * np.sin(2 * np.pi * 6 * TIMES)
OUTSIDE = 0.4 * np.sin(2 * np.pi * 0.7 * TIMES + 0.4)
BAND = temporal.FIR(4, 8, FPS, taps=15)
STILL = smooth_texture(64, 2, cutoff=0.1)


def magnified(frames, times, **options):
    with warnings.catch_warnings():  # of bounds
        warnings.simplefilter("ignore", UserWarning)
        out = magnify(frames, FACTOR, **options)
        return [out[t].compute() for t in times]


@pytest.mark.parametrize("method", METHODS)
def test_each_frame_moves_by_its_own_in_band_motion_without_delay(method):
    """Not one frame's shape for all frames; no phase shift; no leak of what is slower."""
    movie = np.stack([fourier_shift(STILL, 0, d) for d in INSIDE + OUTSIDE]).astype(np.float32)
    times = [13, 14, 15, 17]  # a crest, a fall and a trough of the motion in the band
    out = magnified(movie, times, method=method, mode=BAND, intensity_range=(0, 1), axes="TYX")
    got = np.array([measured_shift(STILL, frame.astype(float), 12)[1] for frame in out])
    extra = got - (INSIDE + OUTSIDE)[times]
    wanted = (FACTOR - 1) * abs(BAND.response([6.0])[0]) * INSIDE[times]
    # the fault would give all frames the same extra motion, or one that is delayed
    assert np.ptp(wanted) > 0.25
    gain = (extra @ wanted) / (wanted @ wanted)
    np.testing.assert_allclose(extra, gain * wanted, atol=0.1 * np.abs(wanted).max())
    # broad textures in small frames are hard for phases and networks
    assert gain == pytest.approx(1, abs=0.08 if method in ("linear", "lagrangian") else 0.35)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_outside_of_the_band_stays(method):
    movie = np.stack([fourier_shift(STILL, 0, d) for d in OUTSIDE]).astype(np.float32)
    times = [13, 16]
    out = magnified(movie, times, method=method, mode=BAND, intensity_range=(0, 1), axes="TYX")
    for t, frame in zip(times, out, strict=True):
        inner = np.s_[8:-8, 8:-8]
        # the drift that must not be magnified, would be by (FACTOR - 1) times this
        drift = np.abs(OUTSIDE[t] - OUTSIDE.mean()) * np.abs(np.gradient(STILL, axis=1)).max()
        # networks also sharpen or smooth a little where something moves
        share = 0.06 if method == "learned" else 0.03
        assert np.abs(frame - movie[t])[inner].max() < share * (FACTOR - 1) * drift


@pytest.mark.parametrize("method", ["phase", "riesz", "linear"])
def test_the_finest_detail_is_not_dropped(method):
    """The high-pass residual of pyramids: a checkerboard that stands still is all of it."""
    checks = 0.05 * (-1.0) ** np.add.outer(np.arange(64), np.arange(64))
    movie = np.stack([fourier_shift(STILL, 0, d) + checks for d in (0, 0.1)]).astype(np.float32)
    out = magnified(movie, [1], method=method, intensity_range=(0, 1), axes="TYX")[0]
    sign = np.sign(checks)
    left = (out * sign)[8:-8, 8:-8].mean() / 0.05
    assert left == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("method", METHODS)
def test_integers_keep_their_type_and_are_rounded(method, dtype):
    """Not 8 bits for all; not cut off, which would make frames darker by half a level."""
    top = 200 if dtype == np.uint8 else 20_000
    movie = np.rint(top * np.stack([fourier_shift(STILL, 0, d) for d in (0, 0.2)])).astype(dtype)
    options = {"method": method, "intensity_range": (0, top), "axes": "TYX"}
    whole = magnified(movie, [1], **options)[0]
    exact = magnified(movie.astype(np.float64), [1], **options)[0]
    assert whole.dtype == dtype
    error = whole.astype(float) - exact
    assert np.abs(error).max() <= 0.51
    assert abs(error.mean()) < 0.05
    assert np.abs(whole.astype(float) - movie[1]).max() > 0.01 * top


def test_a_filter_in_hz_is_in_hz():
    """Corner frequencies of the difference of IIR filters are no raw coefficients."""
    f = np.linspace(0.2, 9, 400)
    for fps in (20.0, 500.0):
        operator = temporal.DifferenceOfIIR(1.0, 4.0, fps=fps)
        # low-passes of 1 and 4 Hz differ most at their geometric mean
        assert f[np.abs(operator.response(f)).argmax()] == pytest.approx(2, rel=0.15)


def test_the_order_of_a_butterworth_filter_is_the_order():
    gains = [
        np.abs(temporal.Butterworth(2.0, 4.0, fps=60.0, order=order).response([1.0]))[0]
        for order in (1, 2, 4)
    ]
    assert gains[0] > 2 * gains[1] > 8 * gains[2]


def test_phases_wrap_to_the_nearest_branch():
    """``a - b % c`` is not ``(a - b) % c``: a step of a little over half a turn goes backwards."""
    torch = pytest.importorskip("torch")
    from napari_motionmag.methods.classical.phase import PhaseMagnifier

    method = PhaseMagnifier(device="cpu")
    parts = method.decomposition(method, (32, 32), 1, 1.0, torch.device("cpu"))
    earlier = torch.tensor([3.0, -3.0, 0.5, -0.5]).view(4, 1, 1, 1)
    later = torch.tensor([-3.0, 3.0, 0.9, 2.6]).view(4, 1, 1, 1)
    turn = 2 * np.pi
    expected = [turn - 6.0, 6.0 - turn, 0.4, 3.1]
    np.testing.assert_allclose(parts.difference(earlier, later).ravel(), expected, atol=1e-6)
