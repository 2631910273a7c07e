"""What the dock "Magnify motion" shares with its parts."""

from __future__ import annotations

from dataclasses import dataclass

from napari.viewer import Viewer

from napari_motionmag.widgets.common.messages import Messages
from napari_motionmag.widgets.common.work import Work
from napari_motionmag.widgets.frames.magnified_layers import Results
from napari_motionmag.widgets.magnify.chosen_movie import ChosenMovie
from napari_motionmag.widgets.magnify.fields import Fields


@dataclass(frozen=True)
class Shared:
    """The viewer, the fields, the movie in them, its magnified layers, and the work on them."""

    viewer: Viewer
    fields: Fields
    chosen: ChosenMovie
    results: Results
    messages: Messages
    work: Work
