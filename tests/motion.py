"""Textures with exactly known motion, and displacement measured by no code of our own."""

import numpy as np


def smooth_texture(size: int, seed: int = 0, *, cutoff: float = 0.15) -> np.ndarray:
    """Periodic band-limited texture in [0.1, 0.9], float64 (size, size)."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    white = np.fft.rfft2(rng.standard_normal((size, size)))
    field = np.fft.irfft2(white * np.exp(-((f / cutoff) ** 2)) / (f + 0.02), s=(size, size))
    low, high = field.min(), field.max()
    return 0.1 + 0.8 * (field - low) / (high - low)


def fourier_shift(picture: np.ndarray, dy: float, dx: float) -> np.ndarray:
    """The periodic picture moved by (dy, dx) px, exactly."""
    fy = np.fft.fftfreq(picture.shape[0])[:, None]
    fx = np.fft.rfftfreq(picture.shape[1])[None]
    ramp = np.exp(-2j * np.pi * (fy * dy + fx * dx))
    return np.fft.irfft2(np.fft.rfft2(picture) * ramp, s=picture.shape)


def measured_shift(reference: np.ndarray, moved: np.ndarray, border: int = 16) -> np.ndarray:
    """Displacement (dy, dx) in px by least squares on splines, started by phase correlation."""
    from scipy.ndimage import shift
    from scipy.optimize import least_squares
    from skimage.registration import phase_cross_correlation

    inner = (slice(border, -border),) * 2
    window = np.outer(*(np.hanning(n - 2 * border) for n in reference.shape))
    a, b = ((x[inner] - x[inner].mean()) * window for x in (reference, moved))
    start, _, _ = phase_cross_correlation(b, a, upsample_factor=20, normalization=None)

    def misfit(d):
        return (shift(reference, d, order=5, mode="mirror") - moved)[inner].ravel()

    return least_squares(misfit, start, diff_step=1e-3, x_scale=0.1).x
