"""Packages that come with an extra."""

from __future__ import annotations

import importlib
from types import ModuleType


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module for `purpose` (plural), or name the extra that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f"{purpose} need the package {module}: pip install 'napari-motionmag[{extra}]'"
        ) from None
