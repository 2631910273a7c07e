"""The preferences of this plugin, which users set in napari's Preferences.

They are declared in napari.yaml, and kept by napari (0.9 and later). The defaults hold where it
does not know them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from napari_motionmag.compute import device
from napari_motionmag.compute.cache import set_budget
from napari_motionmag.compute.versions import PACKAGE

AUTO = "auto"
_GROUPS = ("computing", "magnification", "playback")  # of the preferences in napari.yaml


_applied: dict[str, float] = {"memory": 0, "threads": 0}  # what a script set stays until then


@dataclass(frozen=True)
class Preferences:
    """Values of all preferences, by default those of a new installation."""

    device: str = AUTO
    precision: str = AUTO  # of the learned method
    threads: int = 0  # 0: as many as torch chooses
    memory: float = 0.0  # GiB for all caches together; 0: a share of the memory
    factor: float = 10.0
    method: str = "learned"
    fps: float = 0.0  # at which to play; 0: the rate of the movie, up to 30
    mode: str = "loop"
    fill_ahead: bool = False  # also while nothing is played

    @classmethod
    def current(cls) -> Preferences:
        """Return what napari keeps now."""
        values = {}
        for group in _groups():
            values |= {name: value for name, value in group.model_dump().items()}
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def apply(self) -> None:
        """Set the memory and the threads of this process, where a preference has changed."""
        if _applied["memory"] != self.memory:
            set_budget(int(self.memory * 2**30) if self.memory else None)
        if _applied["threads"] != self.threads:
            device.set_threads(self.threads or None)
        _applied.update(memory=self.memory, threads=self.threads)


def follow(changed: Callable) -> Callable[[], None]:
    """Call ``changed()`` whenever a preference changes; return a function that ends this."""
    groups = _groups()

    def call(event=None) -> None:
        changed()

    for group in groups:
        group.events.connect(call)

    def end() -> None:
        for group in groups:
            with suppress(ValueError, RuntimeError):
                group.events.disconnect(call)

    return end


def _groups() -> list:
    try:
        from napari.settings import get_plugin_settings

        settings = get_plugin_settings(PACKAGE)
    except (ImportError, KeyError):  # an earlier napari, or the plugin is disabled
        return []
    return [getattr(settings, name) for name in _GROUPS]
