"""A picture that can be shifted exactly, and its gradient."""

import numpy as np
import pytest


class Texture:
    """Band-limited random texture on a torus: shifts and slopes are exact, by Fourier.

    Parameters
    ----------
    seed : int
    blur : float
        Standard deviation of the blur, px, as of a microscope's point spread function.
    contrast : float
        Standard deviation of the intensity.
    level : float
        Mean intensity.
    """

    def __init__(self, seed, blur=1.3, contrast=20.0, level=100.0, shape=(56, 56)):
        self.shape = shape
        random = np.random.default_rng(seed)
        self.ky, self.kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
        spectrum = np.fft.rfft2(random.normal(size=shape))
        spectrum *= np.exp(-2 * (np.pi * blur) ** 2 * (self.ky**2 + self.kx**2))
        spectrum[(np.abs(self.ky) >= 0.49) | (self.kx >= 0.49)] = 0
        spectrum[0, 0] = 0
        picture = np.fft.irfft2(spectrum, shape)
        self.spectrum = spectrum * contrast / picture.std()
        self.spectrum[0, 0] = level * shape[0] * shape[1]

    def at(self, dy=0.0, dx=0.0):
        """The picture moved by (dy, dx) px."""
        turn = np.exp(-2j * np.pi * (self.ky * dy + self.kx * dx))
        return np.fft.irfft2(self.spectrum * turn, self.shape)

    def movie(self, shifts):
        return np.stack([self.at(*shift) for shift in shifts])

    def gradient(self):
        """(d/dy, d/dx), grey levels per px."""
        return np.stack(
            [np.fft.irfft2(self.spectrum * 2j * np.pi * k, self.shape) for k in (self.ky, self.kx)]
        )

    def bound(self, region, variance):
        """Cramer-Rao bound of the displacement of a region in one frame, (2, 2), px^2."""
        y0, y1, x0, x1 = region
        slopes = self.gradient()[:, y0:y1, x0:x1].reshape(2, -1)
        variance = np.broadcast_to(variance, self.shape)[y0:y1, x0:x1].ravel()
        return np.linalg.inv((slopes / variance) @ slopes.T)


@pytest.fixture(scope="session")
def texture():
    return Texture


@pytest.fixture
def trace_of():
    """Make the trace of a region that oscillates along x, 0.5 um a pixel."""
    from napari_motionmag.views.estimators.noise_model import NoiseModel
    from napari_motionmag.views.trace import DisplacementTrace

    def make(frequency, amplitude=0.1, fps=50.0, sigma=0.005, n=200):
        clock = np.arange(n) / 50.0
        random = np.random.default_rng(5)
        covariance = np.broadcast_to(sigma**2 * np.eye(2), (n, 2, 2))
        return DisplacementTrace(
            times=np.arange(n) / (fps or 1.0),
            time_unit="s" if fps else "frame",
            dy=random.normal(0, sigma, n),
            dx=amplitude * np.cos(2 * np.pi * frequency * clock) + random.normal(0, sigma, n),
            covariance=covariance,
            frame_covariance=covariance,
            misfit=np.ones(n),
            noise=NoiseModel(1.0),
            region=(slice(0, 10), slice(0, 10)),
            reference="mean of all frames",
            fps=fps,
            pixel_size=(0.5, 0.5),
            length_unit="um",
        )

    return make
