"""Names of units, as files and viewers spell them, and how to convert between them.

Kept without a units library: movies need seconds and meters only.
"""

# canonical name -> factor to seconds, UDUNITS-2 name, other spellings in lower case
_TIME = {
    "ns": (1e-9, "nanosecond", ("nsec",)),
    "us": (1e-6, "microsecond", ("usec",)),
    "ms": (1e-3, "millisecond", ("msec",)),
    "s": (1.0, "second", ("sec", "secs")),
    "min": (60.0, "minute", ()),
    "h": (3600.0, "hour", ("hr",)),
    "d": (86400.0, "day", ()),
}
# canonical name -> factor to meters, UDUNITS-2 name, other spellings in lower case
_LENGTH = {
    "pm": (1e-12, "picometer", ()),
    "angstrom": (1e-10, "angstrom", ("å", "ångström")),
    "nm": (1e-9, "nanometer", ()),
    "um": (1e-6, "micrometer", ("micron", "microns")),
    "mm": (1e-3, "millimeter", ()),
    "cm": (1e-2, "centimeter", ()),
    "inch": (0.0254, "inch", ("in", "inches", '"')),
    "m": (1.0, "meter", ()),
}
_SPELLINGS = {
    spelling: name
    for name, (_, long, others) in (_TIME | _LENGTH).items()
    for spelling in (name, long, f"{long}s", *others)
}
_SPELLINGS |= {name.replace("meter", "metre"): unit for name, unit in _SPELLINGS.items()}


def short_name(unit) -> str:
    """Return the canonical short name of a unit.

    Parameters
    ----------
    unit : object
        A name such as ``"µm"``, ``"micron"`` or ``"Second"``, or any object whose ``str`` is one
        (napari layers hold pint units).

    Returns
    -------
    str
        ``"um"``, ``"s"``, ...; an unknown name is returned unchanged, an empty one or a
        plural of pixels as ``"pixel"``.
    """
    text = str(unit).strip()
    # ImageJ escapes the micro sign; Unicode has two of them
    plain = text.replace("\\u00B5", "u").replace("\\u00b5", "u")
    plain = plain.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u").lower()
    if plain in ("", "pixel", "pixels", "px", "none"):
        return "pixel"
    return _SPELLINGS.get(plain, text)


def long_name(unit) -> str | None:
    """Return the UDUNITS-2 name that OME-Zarr requires, or None for other units."""
    entry = (_TIME | _LENGTH).get(short_name(unit))
    return None if entry is None else entry[1]


def seconds(unit) -> float | None:
    """Return how many seconds one `unit` is, or None for other units."""
    entry = _TIME.get(short_name(unit))
    return None if entry is None else entry[0]


def without_noise(number: float) -> float:
    """Return a number that was converted between units as people write it: 0.9, not 0.8999...9."""
    return float(f"{number:.12g}")


def meters(unit) -> float | None:
    """Return how many meters one `unit` is, or None for other units."""
    entry = _LENGTH.get(short_name(unit))
    return None if entry is None else entry[0]
