"""The fields of the dock widget "Slice view"."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import CheckBox, ComboBox, PushButton, Select, SpinBox

from napari_motionmag.widgets.common.motion_fields import may_be_narrow

ALONG = [
    ("x, at a row (x-t)", "x"),
    ("y, at a column (y-t)", "y"),
    ("a line that is drawn", "line"),
]
LAYER_UNITS = [
    ("s and µm, or ms, min…", "fit"),
    ("s and µm", "s"),
    ("frames and px (squares)", "px"),
]
ORDERS = [("nearest pixel", 0), ("linear", 1), ("cubic", 3)]


class SliceFields:
    """All fields and buttons, as attributes.

    Parameters
    ----------
    movies, shapes : callable
        Return the layers to choose from.
    """

    def __init__(self, movies: Callable, shapes: Callable):
        self.layers = Select(
            name="layers",
            label="Movies",
            choices=movies,
            tooltip="Image layers with a time axis. Select several (Ctrl) to compare them.",
        )
        self.along = ComboBox(
            name="along", label="Along", choices=ALONG, tooltip="The line that is cut."
        )
        self.position = SpinBox(
            name="position", label="Row", min=0, max=0, tooltip="Row or column of the frame, px."
        )
        self.lines = ComboBox(
            name="lines",
            label="Drawn in",
            choices=shapes,
            nullable=False,
            tooltip="Shapes layer; the line or path that is selected in it, or else the last.",
        )
        self.line_width = SpinBox(
            name="line_width",
            label="Width (px)",
            value=1,
            min=1,
            max=1000,
            tooltip="The slice is the mean over this many pixels across the line: less noise.",
        )
        self.order = ComboBox(
            name="order",
            label="Between px",
            choices=ORDERS,
            value=1,
            tooltip="Interpolation between pixels.",
        )
        self.frame_beside = CheckBox(
            name="frame_beside",
            text="Frame and line beside the slice",
            value=False,
            tooltip="Show the part of the frame around the line, as figures in papers do.",
        )
        self.live = CheckBox(
            name="live",
            text="Live: follow line, layers and fields",
            value=True,
            tooltip="Cut again after each change. Frames of magnified layers have to be computed: "
            "a coarse slice comes first.",
        )
        self.layer_units = ComboBox(
            name="layer_units",
            label="Layers in",
            choices=LAYER_UNITS,
            tooltip="Units of the slices that are opened as layers. In napari a second is as long "
            "as a µm: where that makes a slice a mere stripe, ms or min may fit.",
        )
        self.draw_line = PushButton(
            name="draw_line",
            text="Draw a line",
            tooltip="Add a Shapes layer with a line across the motion; drag its ends, or add "
            "corners to a path.",
        )
        self.as_layers = PushButton(
            name="as_layers",
            text="Open as layers",
            tooltip="Open the slices in a second napari window: time down, position to the right.",
        )
        self.save = PushButton(
            name="save",
            text="Save slices…",
            tooltip="CSV with times and positions, or TIFF that ImageJ opens with its calibration. "
            "Figures are saved by the button below them.",
        )
        self.layers.native.setMaximumHeight(74)
        for box in (self.lines, self.along, self.layer_units):
            may_be_narrow(box.native)

    @property
    def rows(self) -> list:
        """The fields that choose the slices."""
        line = [self.along, self.position, self.lines]
        return [self.layers, *line, self.line_width, self.order]

    @property
    def checks(self) -> list:
        """The fields below: how the slices are shown."""
        return [self.frame_beside, self.live, self.layer_units]

    @property
    def buttons(self) -> list:
        """The buttons, two a row."""
        return [self.draw_line, self.as_layers, self.save]
