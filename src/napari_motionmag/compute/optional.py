"""Packages that come with an extra."""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import PackageNotFoundError, requires
from types import ModuleType

from napari_motionmag.compute.versions import PACKAGE


def optional(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module for `purpose` (plural), or name the extra that installs it.

    Where the extra does not install it, for want of a wheel, the message says so instead.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        needed = f"{purpose} need the package {package}"
        if not isinstance(error, ModuleNotFoundError) or error.name not in (package, module):
            raise ImportError(f"{needed}, which is installed but fails: {error}") from error
        python, system, machine = here = _platform()
        condition = _unmet_condition(module, extra, here)
        if condition:
            raise ImportError(
                f"{needed}, which has no wheel for Python {python} on {system} {machine}, only "
                f"where {condition}"
            ) from None
        raise ImportError(f"{needed}: pip install '{PACKAGE}[{extra}]'") from None


def _platform() -> tuple[str, str, str]:
    """Return the version of Python, the operating system and the processor."""
    python = ".".join(platform.python_version_tuple()[:2])
    return python, platform.system(), platform.machine()


def _unmet_condition(module: str, extra: str, here: tuple[str, str, str]) -> str:
    """Return the condition under which an extra installs a module, if it is not met here."""
    from packaging.requirements import Requirement

    try:
        lines = requires(PACKAGE) or []
    except PackageNotFoundError:
        return ""
    names = ("python_version", "platform_system", "platform_machine", "extra")
    environment = dict(zip(names, (*here, extra), strict=True))
    name, of_extra = module.partition(".")[0].lower(), f' and extra == "{extra}"'
    for one in map(Requirement, lines):
        marker = str(one.marker)
        if one.name.lower() == name and marker.endswith(of_extra):
            return "" if one.marker.evaluate(environment) else marker.removesuffix(of_extra)
    return ""
