"""Versions of installed packages, from the records of the installation: nothing is imported."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGE = "napari-motionmag"


@cache
def version_of(package: str = PACKAGE) -> str | None:
    """Return the version of an installed package, this one by default; None when it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
