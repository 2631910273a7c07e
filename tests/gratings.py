"""Gratings and periodic textures, moved exactly, and how far they moved."""

import math

import numpy as np


def grating(shape, wavelength, shift, angle=0.0, phase=0.3, contrast=0.4):
    """Shifted by `shift` px along its own direction."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = x * math.cos(angle) + y * math.sin(angle) - shift
    return 0.5 + contrast * np.cos(2 * np.pi * along / wavelength + phase)


def displacement(a, b, wavelength, angle=0.0):
    """How far a grating moved from a to b, px along its direction, in the middle half."""
    middle = tuple(slice(n // 4, n - n // 4) for n in a.shape)
    y, x = np.mgrid[: a.shape[0], : a.shape[1]]
    along = (x * math.cos(angle) + y * math.sin(angle))[middle]
    hann = np.multiply.outer(*(np.hanning(n + 2)[1:-1] for n in along.shape))
    carrier = hann * np.exp(-2j * np.pi * along / wavelength)
    one, two = (((f - f.mean())[middle] * carrier).sum() for f in (a, b))
    return -np.angle(two / one) * wavelength / (2 * np.pi)


def texture(size, low, high, seed=0):
    """Periodic random texture with frequencies from low to high (of Nyquist), unit variance."""
    f = np.hypot(*np.meshgrid(2 * np.fft.fftfreq(size), 2 * np.fft.fftfreq(size), indexing="ij"))
    spectrum = np.fft.fft2(np.random.default_rng(seed).normal(size=(size, size)))
    image = np.fft.ifft2(spectrum * ((f > low) & (f < high)) / np.maximum(f, low)).real
    return image / image.std()


def fourier_shift(image, dx, dy=0.0):
    fy, fx = np.meshgrid(*(np.fft.fftfreq(n) for n in image.shape), indexing="ij")
    turn = np.exp(-2j * np.pi * (fx * dx + fy * dy))
    return np.fft.ifft2(np.fft.fft2(image) * turn).real
