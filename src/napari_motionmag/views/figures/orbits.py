"""Orbits and coherence drawn on a matplotlib Figure. matplotlib is not imported here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_motionmag.views.coherences import Coherence
from napari_motionmag.views.figures import text
from napari_motionmag.views.orbits import Orbit
from napari_motionmag.views.trace import DisplacementTrace


def draw_orbit(
    figure, traces: Mapping[str, DisplacementTrace], orbits: Mapping[str, Orbit] | None = None
) -> None:
    """Draw the paths that regions run along, as seen in the picture: y points down.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    traces : mapping of name to DisplacementTrace
    orbits : mapping of name to Orbit, optional
        Ellipses, drawn over the paths.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("vesicles", n_frames=40, size=96)
    >>> trace = views.displacement_trace(movie, (30, 60, 30, 60), fps=info["fps"], axes="TYX")
    >>> views.draw_orbit(Figure(), {"vesicle": trace}, {"vesicle": views.orbit(trace)})
    """
    axes = figure.subplots()
    for k, (name, trace) in enumerate(traces.items()):
        center = trace.displacement.mean(axis=0)
        ellipse = (orbits or {}).get(name)
        style = {"color": f"C{k}", "label": text.shortened(name, 42)}
        faint = {} if ellipse is None else {"alpha": 0.4}
        axes.plot(trace.dx, trace.dy, linewidth=0.7, marker=".", markersize=3, **style, **faint)
        if ellipse is not None:
            path = ellipse.path() + center
            axes.plot(path[:, 1], path[:, 0], color=f"C{k}", linewidth=1.8)
            ahead = path[4] - path[0]
            axes.annotate(
                "",
                (path[0, 1] + ahead[1], path[0, 0] + ahead[0]),
                (path[0, 1], path[0, 0]),
                arrowprops={"arrowstyle": "->", "color": f"C{k}", "linewidth": 1.8},
            )
    axes.set_aspect("equal", "datalim")
    axes.invert_yaxis()
    axes.set_xlabel("dx (px), to the right")
    axes.set_ylabel("dy (px), down")
    if len(traces) > 1:
        figure.legend(loc="outside upper left")
    axes.grid(True)


def draw_coherence(figure, found: Coherence, unit: str = "Hz") -> None:
    """Draw the coherence of two regions and by how much the second is ahead.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    found : Coherence
    unit : str
        Of frequencies.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("cilia", n_frames=80, size=96)
    >>> left, right = (
    ...     views.displacement_trace(movie, (30, 50, x, x + 20), fps=info["fps"], axes="TYX")
    ...     for x in (20, 50)
    ... )
    >>> views.draw_coherence(Figure(), views.coherence(left, right, segments=4))
    """
    above, below = figure.subplots(2, sharex=True)
    above.plot(found.frequencies, found.coherence, color="C0", linewidth=1)
    above.axhline(found.level, color="C0", linestyle=":", linewidth=0.8)
    above.set_ylim(0, 1.02)
    above.set_ylabel("coherence")
    sure = found.coherence > found.level
    below.errorbar(
        found.frequencies[sure],
        np.degrees(found.phase[sure]),
        2 * np.degrees(found.sigma_phase[sure]),
        color="C1",
        linestyle="none",
        marker="o",
        markersize=3,
        capsize=2,
    )
    below.set_ylim(-190, 190)
    below.set_yticks([-180, -90, 0, 90, 180])
    below.set_ylabel("phase (°)")
    below.set_xlabel(f"frequency ({unit})")
    for axes in (above, below):
        axes.grid(True)
