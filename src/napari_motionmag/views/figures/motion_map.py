"""The colours of maps of motion, and how much of the frame has which."""

from __future__ import annotations

import numpy as np

AMPLITUDE_COLOURS = "plasma"
_BINS = 36
_LIGHTNESS, _CHROMA = 0.74, 0.125  # of OKLCH: as colourful as sRGB allows for all hues
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


def phase_colours(count: int = 129) -> np.ndarray:
    """Colours once round the circle, all equally light: no phase looks stronger than another.

    Parameters
    ----------
    count : int
        The first and the last, for -180 and 180 degrees, are the same.

    Returns
    -------
    ndarray, shape (count, 3), values within 0..1

    References
    ----------
    B. Ottosson, "A perceptual color space for image processing", 2020 (OKLCH).
    """
    hue = 2 * np.pi * np.arange(count) / (count - 1)
    lab = np.stack(
        [np.full(count, _LIGHTNESS), _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], axis=1
    )
    linear = np.clip((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def draw_motion(figure, amplitude: np.ndarray, degrees: np.ndarray, top: float, unit: str) -> None:
    """Draw histograms of amplitude and phase in the colours of their maps.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Axes are added.
    amplitude, degrees : ndarray, the same shape
        NaN where nothing was measured.
    top : float
        Amplitude that has the last colour.
    unit : str
        Of the amplitude.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    plots = figure.subplots(2, 1)
    scales = (
        (
            amplitude[np.isfinite(amplitude)],
            (0.0, top),
            colormaps[AMPLITUDE_COLOURS],
            f"Amplitude, {unit}",
        ),
        (
            degrees[np.isfinite(degrees)],
            (-180.0, 180.0),
            ListedColormap(phase_colours()),
            "Phase, degrees",
        ),
    )
    for axes, (values, (low, high), colours, label) in zip(plots, scales, strict=True):
        counts, edges = np.histogram(np.clip(values, low, high), _BINS, (low, high))
        share = 100 * counts / max(amplitude.size, 1)
        place = (np.arange(_BINS) + 0.5) / _BINS
        axes.bar(edges[:-1], share, np.diff(edges), align="edge", color=colours(place))
        height = max(share.max(), 1e-9)
        scale = np.linspace(0, 1, 257)
        axes.pcolormesh(
            low + (high - low) * scale,
            [-0.16 * height, -0.04 * height],
            (scale[:-1] + scale[1:])[np.newaxis] / 2,
            cmap=colours,
            vmin=0,
            vmax=1,
            rasterized=True,
        )
        axes.set(xlim=(low, high), ylim=(-0.2 * height, 1.05 * height), xlabel=label)
        axes.set_ylabel("% of frame")
        axes.yaxis.get_major_locator().set_params(nbins=4)
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= 1.05 * height])
    plots[1].set_xticks([-180, -90, 0, 90, 180])
