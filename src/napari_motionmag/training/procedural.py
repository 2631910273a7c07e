"""Procedural pictures: textures and fields like those of microscopes.

Pictures are float32 arrays of shape (3, size, size) within 0..1.
"""

import numpy as np
from scipy import ndimage


def _normalized(field: np.ndarray) -> np.ndarray:
    low, high = np.percentile(field, (0.5, 99.5))
    return np.clip((field - low) / max(high - low, 1e-6), 0, 1)


def _spectrum_noise(rng: np.random.Generator, size: int, beta: float, stretch: float) -> np.ndarray:
    """Draw noise with power spectrum 1/f^beta, stretched along a random direction."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    angle = rng.uniform(0, np.pi)
    along = fx * np.cos(angle) + fy * np.sin(angle)
    across = -fx * np.sin(angle) + fy * np.cos(angle)
    radius = np.hypot(along * stretch, across / stretch)
    radius[0, 0] = np.inf
    real, imaginary = rng.standard_normal((2, size, size // 2 + 1))
    white = real + 1j * imaginary
    return np.fft.irfft2(white * radius ** (-beta / 2), s=(size, size))


def _colored(rng: np.random.Generator, fields: list[np.ndarray]) -> np.ndarray:
    """Mix up to three fields into correlated colors of random contrast and brightness."""
    base = fields[0]
    spread = rng.uniform(0, 0.7) if rng.random() < 0.7 else 0.0
    channels = []
    for k in range(3):
        other = fields[min(k, len(fields) - 1)]
        mixed = (1 - spread) * base + spread * other
        low = rng.uniform(0, 0.45)
        high = rng.uniform(low + 0.1, 1.0)
        channels.append(low + (high - low) * mixed)
    return np.stack(channels).astype(np.float32)


def spectral(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw 1/f^beta noise, beta 0.5 to 3.2, isotropic or stretched, often colored."""
    beta = rng.uniform(0.5, 3.2)
    stretch = np.exp(rng.uniform(0, 1.0)) if rng.random() < 0.5 else 1.0
    fields = [_normalized(_spectrum_noise(rng, size, beta, stretch)) for _ in range(3)]
    if rng.random() < 0.3:  # plateaus with edges
        steps = rng.integers(2, 6)
        fields = [np.floor(f * steps).clip(0, steps - 1) / (steps - 1) for f in fields]
    return _colored(rng, fields)


def dead_leaves(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw occluding disks, ellipses and bars with Pareto sizes, each with a faint texture."""
    out = np.empty((3, size, size), np.float32)
    out[:] = rng.uniform(0, 1, (3, 1, 1))
    texture = _normalized(_spectrum_noise(rng, size, rng.uniform(1, 2.5), 1.0))
    grid = np.arange(size, dtype=np.float32)
    color_spread = rng.uniform(0, 1)
    smallest = rng.uniform(2, 8)
    for _ in range(int(rng.integers(150, 500))):
        radius = min(smallest * (1 + rng.pareto(1.6)), size / 4)
        cy, cx = rng.uniform(0, size, 2)
        aspect = np.exp(rng.uniform(-1, 1)) if rng.random() < 0.6 else 1.0
        reach = int(np.ceil(radius * max(aspect, 1 / aspect))) + 2
        ys = slice(max(0, int(cy) - reach), min(size, int(cy) + reach))
        xs = slice(max(0, int(cx) - reach), min(size, int(cx) + reach))
        angle = rng.uniform(0, np.pi)
        dy, dx = grid[ys, None] - cy, grid[None, xs] - cx
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / aspect
        v = (-dx * np.sin(angle) + dy * np.cos(angle)) * aspect
        distance = (np.maximum(abs(u), abs(v)) if rng.random() < 0.25 else np.hypot(u, v)) - radius
        alpha = np.clip(0.5 - distance, 0, 1)
        gray = rng.uniform(0, 1)
        color = gray + color_spread * rng.uniform(-0.5, 0.5, (3, 1, 1))
        fill = color + rng.uniform(0, 0.4) * (texture[ys, xs] - 0.5)
        out[:, ys, xs] += alpha * (fill - out[:, ys, xs])
    return np.clip(out, 0, 1)


def spots(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw blurred points on a dark, uneven ground, like vesicles or beads."""
    field = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        layer = np.zeros_like(field)
        count = int(size * size / np.exp(rng.uniform(np.log(60), np.log(2500))))
        y, x = rng.integers(0, size, (2, count))
        np.add.at(layer, (y, x), rng.gamma(2.0, 1.0, count).astype(np.float32))
        sigma = np.exp(rng.uniform(np.log(0.8), np.log(5)))
        field += ndimage.gaussian_filter(layer, sigma, mode="wrap") * sigma**2
    ground = _normalized(_spectrum_noise(rng, size, 3.0, 1.0))
    return _gray(rng, _normalized(field) * rng.uniform(0.4, 1) + ground * rng.uniform(0, 0.3))


def filaments(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw curved threads, zero lines of smooth noise, sometimes striped like sarcomeres."""
    field = np.zeros((size, size))
    for _ in range(int(rng.integers(2, 6))):
        noise = _spectrum_noise(rng, size, rng.uniform(3, 4.5), np.exp(rng.uniform(0, 0.6)))
        noise /= np.hypot(*np.gradient(noise)).mean() + 1e-9
        field += rng.uniform(0.3, 1) * np.exp(-0.5 * (noise / rng.uniform(0.8, 3)) ** 2)
    if rng.random() < 0.4:
        period, angle = rng.uniform(5, 16), rng.uniform(0, np.pi)
        y, x = np.mgrid[:size, :size]
        phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period
        phase += _normalized(_spectrum_noise(rng, size, 3.5, 1.0)) * rng.uniform(0, 12)
        field *= 0.5 + 0.5 * np.cos(phase)
    return _gray(rng, _normalized(field))


def cells(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw cells with nuclei and granules, with or without a phase-contrast halo."""
    noise = _spectrum_noise(rng, size, rng.uniform(2.6, 4), 1.0)
    noise /= noise.std()
    body = 1 / (1 + np.exp(-np.clip((noise - rng.uniform(-0.5, 1)) * rng.uniform(4, 40), -30, 30)))
    granules = _normalized(_spectrum_noise(rng, size, rng.uniform(0.3, 2), 1.0))
    field = body * (rng.uniform(0.3, 1) + rng.uniform(0, 0.8) * (granules - 0.5))
    if rng.random() < 0.6:  # a phase ring passes part of the low frequencies
        halo = ndimage.gaussian_filter(body, rng.uniform(2, 10), mode="wrap") - body
        field = field + rng.uniform(0.5, 2.0) * halo
    if rng.random() < 0.3:  # relief of DIC: derivative along one direction
        angle = rng.uniform(0, 2 * np.pi)
        gy, gx = np.gradient(ndimage.gaussian_filter(field, 0.7, mode="wrap"))
        field = np.cos(angle) * gx + np.sin(angle) * gy
    return _gray(rng, _normalized(field))


def _gray(rng: np.random.Generator, field: np.ndarray) -> np.ndarray:
    """Return a gray or one-dye picture of a field, with random contrast."""
    if rng.random() < 0.2:
        field = 1 - field
    low = rng.uniform(0, 0.4)
    high = rng.uniform(low + 0.15, 1.0)
    field = low + (high - low) * np.clip(field, 0, 1)
    tint = np.ones(3) if rng.random() < 0.8 else rng.uniform(0.2, 1, 3)
    return (field[None] * tint[:, None, None]).astype(np.float32)


GENERATORS = (spectral, dead_leaves, spots, filaments, cells)


def picture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a picture of a random kind."""
    return GENERATORS[rng.integers(len(GENERATORS))](rng, size)


def mask(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw the alpha of a soft-edged ellipse, polygon or blob, float32 (size, size) within 0..1."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    kind = rng.integers(3)
    angle = rng.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    if kind == 0:
        aspect = np.exp(rng.uniform(-0.9, 0.9))
        distance = np.hypot(u / min(aspect, 1), v * max(aspect, 1)) - 0.7
    elif kind == 1:
        corners = rng.integers(3, 8)
        turns = np.sort(rng.uniform(0, 2 * np.pi, corners)) + angle
        distance = np.max(
            [np.cos(t) * x + np.sin(t) * y - rng.uniform(0.3, 0.6) for t in turns], axis=0
        )
        distance = np.maximum(distance, np.hypot(x, y) - 0.75)
    else:
        theta = np.arctan2(v, u)
        radius = 0.5 + sum(
            rng.uniform(-0.18, 0.18) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
            for k in range(2, 6)
        )
        distance = np.hypot(u, v) - np.clip(radius, 0.15, 0.8)
    return np.clip(0.5 - distance * size / 2, 0, 1).astype(np.float32)
