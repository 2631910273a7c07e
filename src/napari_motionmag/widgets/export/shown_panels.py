"""The panels of an exported movie, by the layers of a viewer and a line drawn in it."""

from __future__ import annotations

from napari.layers import Image, Shapes

from napari_motionmag.export.look import look_of
from napari_motionmag.export.panels import Panel, default_label
from napari_motionmag.magnification.recipe import is_magnified
from napari_motionmag.magnification.script import FromLayer
from napari_motionmag.movie.layer_traits import layer_arguments
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.shapes import drawn_lines, line_from_shapes
from napari_motionmag.widgets.common.shown_frame import frame_shown


def panel_of(viewer, layer: Image, movie: Movie, label: str, shapes: Shapes | None) -> Panel:
    """Return the panel that shows a layer as the viewer does, at its sliders."""
    _, other = frame_shown(viewer, layer, movie.axes)
    at = dict(zip(movie.other_axes, other, strict=True))
    line = None
    if shapes is not None:
        if not drawn_lines(shapes):
            raise ValueError(f"Layer {shapes.name!r} has no line yet: draw one across the motion")
        line = line_from_shapes(shapes, layer)
    return Panel(movie, label, look_of(layer), at, line)


def movie_of(layer: Image) -> Movie:
    """Return the movie of a layer; ValueError if it is none."""
    recipe = (layer.metadata.get("napari_motionmag") or {}).get("recipe") or {}
    axes = recipe.get("axes")
    given = {"axes": axes} if axes and len(axes) == layer.ndim + bool(layer.rgb) else {}
    return Movie(**layer_arguments(layer, given))


def label_of(layer: Image) -> str:
    """Return the text above a layer, if the user gives none."""
    return default_label(layer) if is_magnified(layer) else layer.name


def grouped(layers: list[Image]) -> list[list[Image]]:
    """Return the layers of each panel: those that add up in the viewer are channels of one."""
    groups: dict = {}
    for layer in layers:
        own = id(layer) if str(layer.blending) != "additive" or layer.rgb else None
        recipe = (layer.metadata.get("napari_motionmag") or {}).get("recipe") or {}
        groups.setdefault((own, recipe.get("factor"), recipe.get("method")), []).append(layer)
    return list(groups.values())


def panel_arguments(panel: Panel, layer: Image) -> dict:
    """Return the arguments of `export.panel` for a script."""
    arguments = {"label": panel.label, "look": panel.look}
    if panel.at:
        arguments["at"] = dict(panel.at)
    if panel.line is not None:
        arguments["line"] = panel.line.round(3)
    return {"movie": FromLayer(layer, panel.movie), **arguments}
