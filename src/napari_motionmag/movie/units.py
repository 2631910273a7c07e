"""Names of units, as files and viewers spell them, and how to convert between them.

Kept without a units library: movies need seconds and meters only.
"""

# canonical name -> (factor to seconds, other spellings in lower case)
_TIME = {
    "ns": (1e-9, ("nsec", "nanosecond", "nanoseconds")),
    "us": (1e-6, ("usec", "microsecond", "microseconds")),
    "ms": (1e-3, ("msec", "millisecond", "milliseconds")),
    "s": (1.0, ("sec", "secs", "second", "seconds")),
    "min": (60.0, ("minute", "minutes")),
    "h": (3600.0, ("hr", "hour", "hours")),
    "d": (86400.0, ("day", "days")),
}
# canonical name -> (factor to meters, other spellings in lower case)
_LENGTH = {
    "pm": (1e-12, ("picometer", "picometers", "picometre", "picometres")),
    "angstrom": (1e-10, ("å", "ångström", "angstroms")),
    "nm": (1e-9, ("nanometer", "nanometers", "nanometre", "nanometres")),
    "um": (1e-6, ("micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres")),
    "mm": (1e-3, ("millimeter", "millimeters", "millimetre", "millimetres")),
    "cm": (1e-2, ("centimeter", "centimeters", "centimetre", "centimetres")),
    "inch": (0.0254, ("in", "inches", '"')),
    "m": (1.0, ("meter", "meters", "metre", "metres")),
}
_SPELLINGS = {
    spelling: name
    for table in (_TIME, _LENGTH)
    for name, (_, others) in table.items()
    for spelling in (name, *others)
}
_LONG = {
    "ns": "nanosecond",
    "us": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "pm": "picometer",
    "nm": "nanometer",
    "um": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
}


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
    return _LONG.get(short_name(unit))


def seconds(unit) -> float | None:
    """Return how many seconds one `unit` is, or None for other units."""
    entry = _TIME.get(short_name(unit))
    return None if entry is None else entry[0]


def meters(unit) -> float | None:
    """Return how many meters one `unit` is, or None for other units."""
    entry = _LENGTH.get(short_name(unit))
    return None if entry is None else entry[0]
