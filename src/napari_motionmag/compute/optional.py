"""Packages that come with an extra."""

from __future__ import annotations

import importlib
from types import ModuleType


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module, or raise ImportError that names the extra that installs it.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Extra of this package that requires it.
    purpose : str
        What needs it, in the plural.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f"{purpose} need the package {module}: pip install 'napari-motionmag[{extra}]'"
        ) from None
