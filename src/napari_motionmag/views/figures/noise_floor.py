"""A figure of the share of the frame that shows noise, over the factor."""

from __future__ import annotations

import numpy as np

from napari_motionmag.views.noise_floors import NoiseFloor

_FEWEST = 3.0  # highest factor drawn over the lowest, at least


def factor_range(limit: np.ndarray) -> tuple[float, float]:
    """Return the range of factors to draw, of 1, 3, 10, 30 ..., around nearly all of the limits."""
    known = limit[np.isfinite(limit) & (limit > 0)]
    if not known.size:
        return 1.0, 10.0
    ends = np.quantile(known, (0.02, 0.98))
    low = max(_step(ends[0], np.floor), 1.0)
    return low, max(_step(ends[1], np.ceil), low * _FEWEST)


def _step(value: float, rounded) -> float:
    """Round to one of 1, 3, 10, 30 ..., down or up."""
    half_decades = rounded(round(2 * np.log10(value), 6))
    decade, odd = divmod(int(half_decades), 2)
    return 10.0**decade * (3 if odd else 1)


def draw_noise_floor(
    figure, floor: NoiseFloor, factor: float | None = None, colormap: str = "viridis"
) -> None:
    """Draw the share of the structure in the frame where noise shows, over the factor.

    `factor` is marked; `colormap` is that of the map of largest honest factors.
    """
    low, high = factor_range(floor.limit)
    plot, scale = figure.subplots(2, 1, sharex=True, height_ratios=(1, 0.09))
    factors = np.geomspace(low, high, 200)
    shares = np.array([floor.share_above(value) for value in factors])
    plot.plot(factors, 100 * shares)
    plot.fill_between(factors, 100 * shares, alpha=0.2)
    plot.set(xscale="log", xlim=(low, high), ylim=(0, 100), ylabel="% of frame")
    plot.set_title("Where noise moves by more than 1 px")
    plot.grid(True)
    if factor is not None and low <= abs(factor) <= high:
        plot.axvline(abs(factor), color="C1")
        right = abs(factor) > np.sqrt(low * high)
        plot.annotate(
            f" x{factor:g} ", (abs(factor), 93), color="C1", ha="right" if right else "left"
        )
    edges = np.geomspace(low, high, 129)
    colors = np.linspace(0, 1, 128)[np.newaxis]
    scale.pcolormesh(edges, [0, 1], colors, cmap=colormap, rasterized=True)
    scale.set(yticks=[], xlabel="Factor (colors: largest honest factor)")
    ticks = [unit * 10.0**decade for decade in range(10) for unit in (1, 3)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    scale.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    scale.set_xticks([], minor=True)
