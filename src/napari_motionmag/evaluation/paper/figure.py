"""What a figure is made with and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.evaluation.run import make_method
from napari_motionmag.methods.learned import weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture


class MethodsMissing(ValueError):
    """The methods that a figure is about are not among those compared."""


@dataclass(frozen=True)
class Setting:
    """What is compared, and how thoroughly."""

    names: tuple[str, ...] = ("learned:difference", "learned:oh2018", "phase")  # see `make_method`
    full: bool = False  # ten scenes a level instead of two
    device: str | None = None  # of the learned methods

    @property
    def seeds(self) -> int:
        return 10 if self.full else 2

    @cached_property
    def methods(self) -> dict:
        return {name: make_method(name, self.device) for name in self.names}

    @property
    def learned(self) -> dict:
        """The learned ones among the methods."""
        return {name: m for name, m in self.methods.items() if name.startswith("learned")}

    @cached_property
    def oh2018(self) -> str:
        """The first weights of the paper's network that are compared."""
        models = [name.partition(":")[2] or "default" for name in self.learned]
        own = [m for m in models if weights.read_card(weights.resolve(m))["model"] == "oh2018"]
        if not own:
            raise MethodsMissing(
                f"methods must have weights of oh2018 among them, got {', '.join(self.names)}"
            )
        return own[0]


@dataclass(frozen=True)
class Figure:
    """A figure of the paper."""

    number: str
    title: str
    draw: Callable[[Setting], tuple[dict, Picture]]  # numbers for JSON, and a picture


def blank(width: float, height: float) -> Picture:
    """Return an empty picture; width and height in inches."""
    from matplotlib.figure import Figure as Empty

    return Empty(figsize=(width, height), layout="constrained")


def shown(
    pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int = 4, aspect: str = "equal"
) -> Picture:
    """Return frames in rows, each with a title."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    canvas = blank(2.4 * columns, 2.6 * rows)
    plots = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes in plots:
        axes.axis("off")
    for axes, picture, title in zip(plots, pictures, titles, strict=False):
        axes.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1, aspect=aspect)
        axes.set_title(title, fontsize=8)
    return canvas
