"""The colors of maps of motion, and their histograms."""

from __future__ import annotations

import numpy as np

AMPLITUDE_COLORS = "plasma"
FREQUENCY_COLORS = "turbo"
_BINS = 36
_LIGHTNESS, _CHROMA = 0.74, 0.125  # of OKLCH: as colorful as sRGB allows for all hues
_TO_LMS = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def phase_colors(count: int = 129) -> np.ndarray:
    """Return colors (count, 3) within 0..1, equally light, so that no phase looks stronger.

    The first and the last, for -180 and 180 degrees, are equal. B. Ottosson, "A perceptual color
    space for image processing", 2020 (OKLCH).
    """
    hue = 2 * np.pi * np.arange(count) / (count - 1)
    lab = np.stack(
        [np.full(count, _LIGHTNESS), _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], axis=1
    )
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def draw_motion(figure, amplitude: np.ndarray, degrees: np.ndarray, top: float, unit: str) -> None:
    """Draw histograms of amplitude and phase in the colors of their maps, NaN left out.

    `top` is the amplitude that has the last color, `unit` that of the amplitude.
    """
    from matplotlib.colors import ListedColormap

    plots = figure.subplots(2, 1)
    _draw_histogram(plots[0], amplitude, (0.0, top), AMPLITUDE_COLORS, f"Amplitude, {unit}")
    wheel = ListedColormap(phase_colors())
    _draw_histogram(plots[1], degrees, (-180.0, 180.0), wheel, "Phase, degrees")
    plots[1].set_xticks([-180, -90, 0, 90, 180])


def draw_frequency(
    figure, frequency: np.ndarray, limits: tuple[float, float], unit: str = "Hz"
) -> None:
    """Draw the histogram of the dominant frequency in the colors of its map, NaN left out."""
    label = f"Dominant frequency, {unit}"
    _draw_histogram(figure.subplots(), frequency, limits, FREQUENCY_COLORS, label)


def _draw_histogram(axes, values: np.ndarray, limits: tuple[float, float], colors, label: str):
    from matplotlib import colormaps

    colors = colormaps[colors] if isinstance(colors, str) else colors
    (low, high), size = limits, values.size
    values = np.clip(values[np.isfinite(values)], low, high)
    counts, edges = np.histogram(values, _BINS, (low, high))
    share = 100 * counts / max(size, 1)
    place = (np.arange(_BINS) + 0.5) / _BINS
    axes.bar(edges[:-1], share, np.diff(edges), align="edge", color=colors(place))
    height = max(share.max(), 1e-9)
    scale = np.linspace(0, 1, 257)
    axes.pcolormesh(
        low + (high - low) * scale,
        [-0.16 * height, -0.04 * height],
        (scale[:-1] + scale[1:])[np.newaxis] / 2,
        cmap=colors,
        vmin=0,
        vmax=1,
        rasterized=True,
    )
    axes.set(xlim=(low, high), ylim=(-0.2 * height, 1.05 * height), xlabel=label)
    axes.set_ylabel("% of frame")
    axes.yaxis.get_major_locator().set_params(nbins=4)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * height])
