"""Factors between 0 and 1 leave a part of the motion, and 0 takes it out."""

from dataclasses import replace

import numpy as np
import pytest
from motion import fourier_shift, measured_shift, smooth_texture

from napari_motionmag.magnification.magnification import plan

FPS, SLOW, FAST = 32.0, 1.0, 6.0  # Hz


@pytest.mark.parametrize("method", ["learned", "phase", "riesz", "lagrangian"])
def test_a_vibration_is_taken_out_of_a_slower_motion(method):
    texture = smooth_texture(64)
    t = np.arange(64) / FPS
    slow, fast = 0.3 * np.sin(2 * np.pi * SLOW * t), 0.2 * np.cos(2 * np.pi * FAST * t)
    movie = np.stack([fourier_shift(texture, x, y) for x, y in zip(slow, fast, strict=True)])
    times = (30, 32, 37)
    magnification = plan(
        movie.astype("f4"), 0, mode="temporal", band=(4, 8), fps=FPS, method=method,
        axes="TYX", intensity_range=(0, 1),
    )  # fmt: skip
    for factor in (0, 0.3):
        drawn = replace(magnification, factor=factor).draw(times)
        for frame, one in zip(times, drawn, strict=True):
            found = measured_shift(texture, one.astype(float))
            # of the vibration, 0.2 px, within the ripple of the filter; phases fall a little short
            most = 0.035 if method in ("phase", "riesz") else 0.015
            assert found == pytest.approx([slow[frame], factor * fast[frame]], abs=most)
