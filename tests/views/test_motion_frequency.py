"""The frequency at which each part of the frame moves most."""

import warnings

import numpy as np
import pytest

from napari_motionmag import views

FPS, LOW, HIGH = 50.0, 3.3, 9.1  # Hz


def test_each_part_has_its_own_frequency(texture):
    t = np.arange(100) / FPS
    halves = [
        texture(seed, shape=(64, 48)).movie(
            amplitude * np.stack([np.cos(2 * np.pi * f * t), np.sin(2 * np.pi * f * t)], axis=1)
        )
        for seed, f, amplitude in ((1, LOW, 0.2), (2, HIGH, 0.05))
    ]
    frames = np.concatenate(halves, axis=2)
    frames += np.random.default_rng(0).normal(0, 1, frames.shape)
    found = views.motion_map(
        frames, "static", reference=slice(0, 100), fps=FPS, axes="TYX", window=16
    )
    assert found.dominant.shape == found.amplitude.shape
    left, right = found.x < 36, found.x > 60
    # errors of an estimate from a hundred frames are a small part of the resolution, 0.5 Hz
    assert found.dominant[:, left] == pytest.approx(LOW, abs=0.05)
    assert found.dominant[:, right] == pytest.approx(HIGH, abs=0.05)
    band = views.motion_map(
        frames, "temporal", band=(7, 12), fps=FPS, axes="TYX", window=16, frequency=HIGH
    )
    assert band.dominant[:, right] == pytest.approx(HIGH, abs=0.05)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_motion_from_frame_to_frame_has_half_the_frame_rate(texture, n):
    frames = texture(1).movie(0.2 * np.stack([np.arange(n) % 2, np.zeros(n)], axis=1))
    frames += np.random.default_rng(0).normal(0, 0.1, frames.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of aliasing
        found = views.motion_map(frames, "static", axes="TYX", window=24)
    assert found.dominant == pytest.approx(0.5, abs=0.1 / n)


def test_half_the_frame_rate_is_not_favored(texture):
    t = np.arange(64)
    shifts = 0.1 * (1.6 * np.sin(2 * np.pi * 0.1 * t) + (-1.0) ** t)  # 1.28 and 1 in mean squares
    frames = texture(1).movie(np.stack([shifts, 0 * shifts], axis=1))
    frames += np.random.default_rng(0).normal(0, 0.1, frames.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of aliasing
        found = views.motion_map(frames, "static", axes="TYX", window=24)
    assert found.dominant == pytest.approx(0.1, abs=0.002)


def test_without_a_rate_it_is_in_cycles_per_frame(texture):
    t = np.arange(60)
    shifts = 0.2 * np.stack([np.cos(2 * np.pi * 0.1 * t), 0 * t], axis=1)
    frames = texture(1).movie(shifts)
    frames += np.random.default_rng(0).normal(0, 0.5, frames.shape)
    found = views.motion_map(frames, "static", axes="TYX", window=24)
    assert found.dominant == pytest.approx(0.1, abs=0.002)
