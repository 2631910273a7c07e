"""Layers side by side in a viewer's grid, restored afterwards. Needs no Qt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from napari.experimental import link_layers, unlink_layers

LINKED = ("contrast_limits", "gamma", "colormap")
SPACING = 4  # px between the cells
FONT_SIZE, SMALL_FONT = 9, 7  # of the names, and where they are long
LETTER = 0.8  # px that a letter is wide, for each point of the font size
FEWEST_LETTERS = 8  # of the name of a movie that remain
NAME_HEIGHT = 26  # px


def columns_for(count: int, frame: tuple[float, float], canvas: tuple[float, float]) -> int:
    """Return the number of columns in which `count` frames are drawn largest.

    `frame` and `canvas` are (height, width), each in a unit of its own.
    """
    sizes = [
        min(canvas[0] / -(-count // columns) / frame[0], canvas[1] / columns / frame[1])
        for columns in range(1, count + 1)
    ]
    return 1 + int(np.argmax(sizes))


def elided(name: str, letters: int) -> str:
    """Return a name of up to `letters` letters, its middle left out if it is longer."""
    if len(name) <= letters:
        return name
    half = (letters - 1) // 2
    return f"{name[: letters - 1 - half]}…{name[len(name) - half :]}"


class GridLayout:
    """Shows layers of a viewer side by side, each with its name, and restores the viewer."""

    def __init__(self, viewer):
        self._viewer = viewer
        self._before: _State | None = None
        self._layers: list = []
        self._named: dict = {}  # layer -> visibility and font size of its name before
        self._count = 0
        self._camera = None  # as it was set last; if it differs, the user moved it

    @property
    def active(self) -> bool:
        """Whether layers are shown side by side."""
        return self._before is not None

    @property
    def layers(self) -> list:
        """The layers that are shown."""
        return list(self._layers)

    def begin(self, count: int) -> None:
        """Make room for `count` layers: all that are shown now are hidden."""
        if self.active:
            self.drop(self.layers)
        else:
            self._before = _State(self._viewer)
        self.pause()
        for layer in self._viewer.layers:
            layer.visible = False
        self._count, self._camera = count, None
        grid = canvas_of(self._viewer).grid
        grid.stride, grid.shape, grid.spacing = 1, (-1, -1), SPACING
        grid.enabled = True

    def pause(self) -> None:
        """Turn the grid off until `begin` or `end`, so that it is not updated meanwhile."""
        canvas_of(self._viewer).grid.enabled = False

    def add(self, layer) -> None:
        """Show a layer of the viewer beside the others."""
        self._layers.append(layer)
        layer.visible = True
        overlay = getattr(layer, "name_overlay", None)  # napari before 0.7 has none
        if overlay is not None:
            self._named[layer] = overlay.visible, overlay.font_size
            overlay.visible = True
        if len(self._layers) > 1:
            link_layers(self._layers, LINKED)
        self._fit()

    def fitting(self, start: str, name: str) -> str:
        """Return ``start + name``, with the middle of the name left out as its cell requires."""
        width = self._cell_width()
        letters = len(name) if width is None else int(width / (LETTER * SMALL_FONT)) - len(start)
        return start + elided(name, max(letters, FEWEST_LETTERS))

    def expect(self, count: int) -> None:
        """Make room for another number of layers."""
        if count != self._count:
            self._count = count
            self._fit()

    def drop(self, layers: Iterable) -> None:
        """Take layers out of the grid; they stay in the viewer."""
        for layer in layers:
            if layer not in self._layers:
                continue
            for other in self._layers:
                if other is not layer:
                    unlink_layers([layer, other], LINKED)
            self._layers.remove(layer)
            named = self._named.pop(layer, None)
            if named is not None:
                layer.name_overlay.visible, layer.name_overlay.font_size = named

    def end(self) -> None:
        """Restore what was changed, except what the user has changed since."""
        if self._before is None:
            return
        self.drop(self.layers)
        before, self._before = self._before, None
        before.restore()

    def forget(self) -> None:
        """Release a viewer that is being closed."""
        self._before = None
        self._layers.clear()
        self._named.clear()

    def _fit(self) -> None:
        """Choose the shape of the grid and show whole frames, unless the user moved the camera."""
        viewer = self._viewer
        self._fit_names()
        if self._camera is not None and self._camera != _camera(viewer):
            return
        canvas = canvas_of(viewer)
        if not self._layers or not hasattr(canvas, "size") or viewer.dims.ndisplay != 2:
            viewer.reset_view()
        else:
            frame = _frame_size(viewer, self._layers[0])
            columns = columns_for(self._count, frame, canvas.size)
            canvas.grid.shape = (-1, columns)
            rows = -(-self._count // columns)
            height = canvas.size[0] / rows - SPACING
            if self._named and height > 4 * NAME_HEIGHT:
                viewer.reset_view(margin=(NAME_HEIGHT + 2 * SPACING) / height)
                camera = scene_of(viewer).camera
                center = np.array(camera.center)
                center[-2] -= NAME_HEIGHT / 2 / camera.zoom  # above the frame
                camera.center = tuple(center)
            else:
                viewer.reset_view()
        self._camera = _camera(viewer)

    def _cell_width(self) -> float | None:
        """Return the width of a cell, px, None where there is no canvas."""
        canvas = canvas_of(self._viewer)
        if not self._layers or not hasattr(canvas, "size"):
            return None
        frame = _frame_size(self._viewer, self._layers[0])
        return canvas.size[1] / columns_for(self._count, frame, canvas.size) - SPACING

    def _fit_names(self) -> None:
        """Write all names in the same size, smaller if one of them is long."""
        width = self._cell_width()
        longest = max((len(layer.name) for layer in self._named), default=0)
        fits = width is None or longest * LETTER * FONT_SIZE <= width
        for layer in self._named:
            layer.name_overlay.font_size = FONT_SIZE if fits else SMALL_FONT


class _State:
    """The state of a viewer before layers are shown side by side."""

    def __init__(self, viewer):
        self.viewer = viewer
        grid = canvas_of(viewer).grid
        self.grid = {name: getattr(grid, name) for name in ("stride", "shape", "spacing")}
        self.enabled = grid.enabled
        self.visible = [layer for layer in viewer.layers if layer.visible]
        self.camera = _camera(viewer)
        self.ndisplay = viewer.dims.ndisplay
        self.active = viewer.layers.selection.active

    def restore(self) -> None:
        viewer = self.viewer
        grid = canvas_of(viewer).grid
        grid.enabled = self.enabled
        for name, value in self.grid.items():
            setattr(grid, name, value)
        for layer in self.visible:
            if layer in viewer.layers:
                layer.visible = True
        if viewer.dims.ndisplay == self.ndisplay:
            camera = scene_of(viewer).camera
            camera.center, camera.zoom, camera.angles = self.camera
        if self.active in viewer.layers:
            viewer.layers.selection.active = self.active


def canvas_of(viewer):
    """Return what has the grid: the viewer itself before napari 0.9."""
    return getattr(viewer, "canvas", viewer)


def scene_of(viewer):
    """Return what has the camera: the viewer itself before napari 0.9."""
    return getattr(viewer, "scene", viewer)


def _camera(viewer) -> tuple:
    camera = scene_of(viewer).camera
    return tuple(camera.center), camera.zoom, tuple(camera.angles)


def _frame_size(viewer, layer) -> tuple[float, float]:
    """Return height and width of the layer as it is displayed."""
    size = np.abs(np.diff(layer.extent.world, axis=0))[0]
    first = viewer.dims.ndim - layer.ndim
    height, width = (size[axis - first] for axis in viewer.dims.displayed[-2:])
    return max(height, 1e-12), max(width, 1e-12)
