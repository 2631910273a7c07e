"""A report of a magnification: one HTML page with the film, figures, numbers and the script."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from napari_motionmag.compute.atomic import check_target, written_whole
from napari_motionmag.compute.optional import optional
from napari_motionmag.compute.validate import checked_text
from napari_motionmag.compute.versions import PACKAGE, version_of
from napari_motionmag.export.composition import Composition
from napari_motionmag.export.measures import Measures, measure
from napari_motionmag.export.movie_file import export_movie
from napari_motionmag.export.page import as_html, embedded
from napari_motionmag.export.panels import default_label, panel
from napari_motionmag.io.video_index import import_av
from napari_motionmag.io.writer import naming_output
from napari_motionmag.magnification.layer import weights_hash
from napari_motionmag.magnification.magnification import (
    Magnification,
    magnification_behind,
    plan,
)
from napari_motionmag.magnification.recipe import recipe_of
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.magnification.script import magnification as magnification_call
from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.movie.layer_traits import is_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.lines import line_across_motion
from napari_motionmag.views.estimators.series import part_of, pixel_size
from napari_motionmag.views.figures.motion import draw_displacement, draw_spectrum
from napari_motionmag.views.figures.noise_floor import draw_noise_floor
from napari_motionmag.views.figures.text import shown_unit
from napari_motionmag.views.responses import response_table
from napari_motionmag.views.spectrum import FEWEST_FRAMES, spectrum_of

_VERSIONS = ("napari", "numpy", "scipy", "torch", "dask", "av", "matplotlib", "pillow")
_WIDTH, _HEIGHT = 7.2, 2.6  # inches of a figure
_SLICE = 48  # px: length of a slice through what was traced


def write_report(
    path: str | os.PathLike,
    movie,
    result,
    *,
    title: str = "",
    region: tuple[int, int, int, int] | None = None,
    line=None,
    at: Mapping[str, int] | None = None,
    composition: Composition | None = None,
    origin: FromLayer | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **options,
) -> Path:
    """Write a report of a magnification: one HTML file that needs no other.

    It holds the film of both movies, the settings, displacement, spectrum and noise floor as
    figures, the numbers with their errors, versions, and the script that computes it again.

    Parameters
    ----------
    path : path
        ``.html``; appears when it is whole.
    movie : array, napari Image layer or Movie
    result : dask array of `napari_motionmag.magnify`, or magnified layer
    title : str
    region : (int, int, int, int), optional
        y0, y1, x0, x1 in px of the part that is measured; where the motion stands out most when
        None.
    line : array_like, shape (N, 2), optional
        (y, x) in px of the slice; through what was traced, along its motion, when None.
    at : mapping of str to int, optional
        Index along axes such as Z and C.
    composition : Composition, optional
        The film; both movies side by side, with `options`, when None. Slices are added if it has
        none.
    origin : napari_motionmag.magnification.script.FromLayer, optional
        Where the movie came from, for the script.
    overwrite : bool
        Whether to replace a file that is there.
    progress : callable, optional
        Called as ``progress(done, total)``; an exception from it ends the work, and nothing is
        left of the file.
    **options
        As for `Composition`, for example ``speed=1 / 20``.

    Returns
    -------
    Path

    Raises
    ------
    ValueError, TypeError
        If the path is no ``.html``, `result` is not magnified, or an argument is invalid.
    OSError
        If the file cannot be written, or exists and `overwrite` is False.
    ImportError
        If av or matplotlib is not installed.

    Examples
    --------
    >>> from napari_motionmag import Movie, export, magnify, samples
    >>> frames, about = samples.load("strings")
    >>> movie = Movie(frames, fps=600)
    >>> result = magnify(movie, 12, mode="temporal", band=(100, 120))
    >>> export.write_report("report.html", movie, result, speed=1 / 20)  # doctest: +SKIP
    """
    checked_text("title", title)
    if not isinstance(composition, Composition | None):
        raise TypeError(f"composition must be a Composition, got {composition!r}")
    path = check_report(path, overwrite=overwrite)
    magnification = _magnification_of(movie, result)
    shown = magnification.movie
    if composition is not None and options:
        raise TypeError(f"a Composition has its options already; got {sorted(options)}")
    if composition is None:
        labels = {"original": shown, default_label(result): magnification.dask()}
        panels = [panel(one, label, at=at, line=line) for label, one in labels.items()]
        composition = Composition(panels, **options)
    found = measure(
        shown,
        magnification.operator,
        shown.replace(data=magnification.dask()),
        region=region,
        at=at,
        progress=part_of(progress, 0, 0.5),
    )
    composition = _with_slices(composition, found, shown, at)
    film = _film(composition, part_of(progress, 0.5, 1))
    text = as_html(
        title=title
        or f"Motion of {shown.name or 'a movie'}, magnified {magnification.factor:g} times",
        subtitle=f"{PACKAGE} {version_of()}, {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        film=film,
        tables={
            "Measured": found.in_words(magnification.factor),
            "Settings": _settings(magnification),
            "Movie": _facts(shown),
            "Versions": _versions(magnification.recipe),
        },
        figures=_figures(found, magnification),
        script=_script(origin, magnification, region, at) if origin is not None else "",
    )
    with written_whole(path, overwrite) as partial, naming_output(path, False):
        partial.write_text(text, encoding="utf-8")
    return path


def check_report(path: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Check whether a report can be written; raises as `write_report` does."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: a report is an .html file")
    import_av()
    optional("matplotlib", "plots", "reports")
    check_target(path, overwrite)
    return path


def _magnification_of(movie, result) -> Magnification:
    """Return what draws a result; planned again from the recipe of a layer that was computed."""
    data = result.data if is_layer(result) or isinstance(result, Movie) else result
    magnification = magnification_behind(data)
    if magnification is not None:
        return magnification
    if not is_layer(result):
        raise ValueError("result must be a lazy result of magnify() or a magnified layer")
    return plan(movie, MagnifySettings.from_recipe(recipe_of(result)))


def _with_slices(composition: Composition, found: Measures, movie: Movie, at) -> Composition:
    """Return a composition with slices through what was traced, unless it has some."""
    panels = composition.panels
    shape = movie.frame_shape[:2]
    if any(p.line is not None or p.movie.frame_shape[:2] != shape for p in panels):
        return composition
    line = line_across_motion(movie, tuple((at or {}).values()))
    if found.oscillation is not None:
        center = np.array([(part.start + part.stop - 1) / 2 for part in found.trace.region])
        along = np.array([np.sin(found.oscillation.direction), np.cos(found.oscillation.direction)])
        line = center + np.outer((-_SLICE / 2, _SLICE / 2), along)
        line = np.clip(line, 0, np.array(shape) - 1)
    if line is None:
        return composition
    return replace(composition, panels=[replace(p, line=line) for p in panels])


def _film(composition: Composition, progress: Callable | None) -> str:
    """Return the film as the content of a page."""
    with tempfile.TemporaryDirectory(prefix="napari-motionmag-") as folder:
        path = export_movie(Path(folder) / "film.mp4", composition, progress=progress)
        return embedded(path.read_bytes(), "video/mp4")


# ---- tables ----


def _settings(magnification: Magnification) -> list[tuple[str, str]]:
    recipe = magnification.recipe
    pairs = [("Factor", f"{magnification.factor:g}"), ("Motion", magnification.operator.describe())]
    pairs.append(("Method", str(recipe["method"])))
    if recipe["method"] == "learned":
        pairs.append(("Model", str(recipe.get("model"))))
    pairs += [(name.capitalize(), str(value)) for name, value in recipe["options"].items()]
    if recipe.get("factor_map"):
        pairs.append(("Factor map", "painted: a factor for each pixel"))
    for name in ("stabilise", "region", "device", "precision", "tile"):
        if recipe.get(name) is not None:
            pairs.append((name.capitalize(), str(recipe[name])))
    if recipe.get("preview", 1) != 1:
        pairs.append(("Preview", f"{recipe['preview']} x {recipe['preview']} px averaged to one"))
    return pairs


def _facts(movie: Movie) -> list[tuple[str, str]]:
    size = pixel_size(movie)
    black, white = movie.intensity_range
    return [
        ("Name", movie.name or ""),
        ("Axes", movie.axes),
        ("Shape", " x ".join(map(str, movie.shape))),
        ("Type", str(movie.dtype)),
        ("Frames per second", "unknown" if movie.fps is None else f"{movie.fps:g}"),
        (
            "Pixel size (y, x)",
            "unknown" if size is None else f"{size[0]:g}, {size[1]:g} {shown_unit(size[2])}",
        ),
        ("Black, white", f"{black:g}, {white:g}"),
    ]


def _versions(recipe: Mapping) -> list[tuple[str, str]]:
    pairs = [(PACKAGE, version_of() or "")]
    pairs += [(name, version) for name in _VERSIONS if (version := version_of(name))]
    weights = weights_hash(recipe)
    return pairs if weights is None else [*pairs, ("SHA-256 of the weights", weights)]


# ---- figures ----


def _figures(found: Measures, magnification: Magnification) -> list[tuple[str, str]]:
    """Return pairs of a picture and its caption."""
    figures = []
    traces = {"original": found.trace, f"motion ×{magnification.factor:g}": found.magnified}
    traces = {name: trace for name, trace in traces.items() if trace is not None}
    if traces:
        direction = None if found.oscillation is None else found.oscillation.direction
        along = {} if direction is None else dict.fromkeys(traces, direction)
        figures.append(
            (
                _drawn(lambda figure: draw_displacement(figure, traces, along)),
                "Displacement of the traced part, with two standard errors to each side.",
            )
        )
    if found.trace is not None and found.trace.fps and len(found.trace) >= FEWEST_FRAMES:
        spectrum = spectrum_of(found.trace)
        responses = None
        if magnification.operator.band is not None:
            responses = response_table([magnification.operator], fps=found.trace.fps)
        figures.append(
            (
                _drawn(
                    lambda figure: draw_spectrum(
                        figure,
                        spectrum,
                        peaks=spectrum.peaks(),
                        band=magnification.operator.band,
                        responses=responses,
                    )
                ),
                "Spectrum of the motion in the movie and the selected band. Dotted: the level that "
                "noise exceeds in one of a hundred records.",
            )
        )
    if found.floor is not None and (found.floor.limit > 0).any():
        figures.append(
            (
                _drawn(lambda figure: draw_noise_floor(figure, found.floor, magnification.factor)),
                "Share of the frame in which noise alone moves by more than a pixel, over the "
                f"factor; the one used is {magnification.factor:g}.",
            )
        )
    return figures


def _drawn(draw: Callable) -> str:
    """Return a figure as the content of a page."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    draw(figure)
    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return embedded(buffer.getvalue(), "image/svg+xml")


# ---- script ----


def _script(origin: FromLayer, magnification: Magnification, region, at) -> str:
    """Return Python source that computes the report's numbers again."""
    magnified = magnification_call(origin, magnification.recipe)
    calls = [magnified]
    if magnification.movie.shape == origin.movie.shape:  # else a part was magnified
        result = Call(origin, "replace", data=magnified).named("result")
        where = {"region": region, "at": dict(at) if at else None}
        where = {name: value for name, value in where.items() if value is not None}
        numbers = Call(
            "napari_motionmag.export", "measure", origin, magnification.operator, result, **where
        )
        calls.append(numbers.named("measured", "measured.in_words(factor), measured.trace, ..."))
    return source(*calls, title="The numbers of the report.")
