"""Lines and slices as napari layers."""

from __future__ import annotations

import weakref

import numpy as np
from napari.layers import Image

from napari_motionmag.movie.units import seconds
from napari_motionmag.views.figures.slices import SlicePicture

STRIPE = 8  # a layer this many times longer than wide is hard to look at
_WINDOWS: list = []  # the window for slices that is open, if any


def add_line(viewer, layer, frame_shape: tuple[int, ...], ends: np.ndarray | None = None):
    """Add a Shapes layer with a line on an image, ready to be dragged.

    `ends` are (y, x) px; None is a line across the middle. The layer is in world coordinates, so
    that it fits layers of any scale and rotation.
    """
    height, width = frame_shape[:2]
    if ends is None:
        row = (height - 1) / 2
        ends = np.array([(row, 0.15 * (width - 1)), (row, 0.85 * (width - 1))])
    lead = layer.ndim - 2
    world = np.array([layer.data_to_world((*[0] * lead, *end)) for end in ends])[:, -2:]
    pixel = np.hypot(*(world[1] - world[0])) / np.hypot(*(ends[1] - ends[0]))
    shapes = viewer.add_shapes(
        [world],
        shape_type="line",
        ndim=2,
        name=f"line on {layer.name}",
        edge_width=pixel * max(1.0, max(height, width) / 120),
        edge_color="#ffb400",
        units=layer.units[-2:],
        axis_labels=layer.axis_labels[-2:],
    )
    viewer.layers.selection.active = shapes
    shapes.mode = "direct"
    shapes.selected_data = {0}
    return shapes


def slice_layer(layer, picture: SlicePicture, about: dict, units: str = "fit"):
    """Return an Image layer with axes time and distance that shows a slice of a movie's layer.

    `units` are "s": s and um if the movie is calibrated; "fit": the same, with another unit of
    time where s makes a mere stripe; or "px": frames and px, whatever the calibration. `about` is
    the metadata.
    """
    calibration = picture.calibration
    positions = calibration["positions"]
    step = float(positions[-1] / max(len(positions) - 1, 1))
    names = {"frame": "pixel", "px": "pixel"}
    interval, time_unit = calibration["interval"], calibration["time_unit"]
    if units == "fit" and time_unit == "s":
        interval, time_unit = fitting_time(interval, len(picture.view), float(positions[-1]))
    scale, named = (interval, step), (time_unit, calibration["length_unit"])
    if units == "px":
        scale, named = (1.0, 1.0), ("pixel", "pixel")
    view = picture.view
    rgb = view.ndim == 3
    look = {"contrast_limits": picture.limits, "colormap": layer.colormap}
    if rgb:  # napari shows RGB of floats from 0 to 1
        low, high = picture.limits
        view, look = np.clip((view - low) / (high - low), 0, 1), {}
    return Image(
        view,
        name=f"slice of {layer.name}",
        scale=scale,
        units=[names.get(name, name) for name in named],
        axis_labels=("t", "distance"),
        rgb=rgb,
        metadata=about,
        gamma=layer.gamma,
        **look,
    )


def fitting_time(interval: float, n_frames: int, length: float) -> tuple[float, str]:
    """Return the time between frames and its unit: s, or another where s makes a mere stripe.

    `interval` is in s, `length` that of the slice in its unit.
    """
    length = max(length, 1e-300)

    def stretch(unit: str) -> float:
        return abs(np.log(n_frames * interval / seconds(unit) / length))

    if stretch("s") <= np.log(STRIPE):
        return interval, "s"
    unit = min(("us", "ms", "s", "min", "h"), key=stretch)
    return interval / seconds(unit), unit


def open_slices(slices: list[tuple], units: str = "fit"):
    """Show slices, given as arguments of `slice_layer`, in a napari window of their own.

    Time and place cannot share an axis, as they would in the window of the movie. The window is
    used again as long as it is open.
    """
    import napari

    layers = [slice_layer(*one, units) for one in slices]
    viewer = _WINDOWS[0]() if _WINDOWS else None
    if viewer is None or not _is_open(viewer):
        viewer = napari.Viewer(title="Slices over time")
        _WINDOWS[:] = [weakref.ref(viewer)]
    viewer.layers.clear()
    for layer in layers:
        viewer.add_layer(layer)
    grid = getattr(viewer, "canvas", viewer).grid  # napari before 0.9 has it in the viewer
    duration, length = layers[0].extent.world[1] - layers[0].extent.world[0]
    count = len(layers)
    grid.shape, grid.stride = ((1, count) if duration > length else (count, 1)), -1
    grid.enabled = len(layers) > 1
    viewer.dims.axis_labels = ("t", "distance")
    viewer.reset_view()
    return viewer


def _is_open(viewer) -> bool:
    try:
        return viewer.window._qt_window.isVisible()
    except (RuntimeError, AttributeError):  # deleted by Qt
        return False
