"""Small movies of which half moves, for the docks that measure."""

import numpy as np
from scipy.ndimage import gaussian_filter

FPS, FREQUENCY, AMPLITUDE, NOISE = 16.0, 2.0, 0.4, 1.0
SHAPE = (32, 48, 64)


def half_moving(seed: int = 0, dtype=np.uint16) -> np.ndarray:
    """A texture; its left half moves along x by 0.4 px at 2 Hz, its right half is still."""
    rng = np.random.default_rng(seed)
    count, height, width = SHAPE
    texture = gaussian_filter(rng.standard_normal((height, width)), 1.5, mode="wrap")
    spectrum = np.fft.fft2(500 + 60 * texture / texture.std())
    turn = -2j * np.pi * np.fft.fftfreq(width)
    still = np.fft.ifft2(spectrum).real
    frames = np.empty(SHAPE)
    for t in range(count):
        shift = AMPLITUDE * np.cos(2 * np.pi * FREQUENCY * t / FPS)
        moved = np.fft.ifft2(spectrum * np.exp(turn * shift)).real
        frames[t] = np.where(np.arange(width) < width // 2, moved, still)
    frames += NOISE * rng.standard_normal(SHAPE)
    return np.rint(frames).astype(dtype) if np.dtype(dtype).kind in "iu" else frames.astype(dtype)


def add_movie(viewer, data=None, name="cell", **changes):
    """Add it as a layer, 16 fps, 0.2 x 0.2 um a pixel."""
    data = half_moving() if data is None else data
    arguments = {
        "name": name,
        "scale": (1 / FPS, 0.2, 0.2),
        "units": ("s", "um", "um"),
        "axis_labels": ("t", "y", "x"),
        "contrast_limits": (300, 700),
    }
    return viewer.add_image(data, **{**arguments, **changes})
