"""The methods as users see them: their names, labels and options.

Each method is declared here, light enough for ``--help``: its options are fields of a dataclass,
with default, bounds, unit, label and help. The command line, the form and the documentation read
them from here; the class that implements a method inherits from its declaration, and is imported
when it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from napari_motionmag.methods.option_field import Option, option, options_of, parse_texts


@dataclass(frozen=True)
class MethodOptions:
    """Base of the declarations."""

    name: ClassVar[str]
    label: ClassVar[str]  # in forms
    implementation: ClassVar[str]  # "module:Class" in `methods`; the class inherits the declaration
    # arguments of `magnify` that the class takes besides its options -> their names in the class
    shared: ClassVar[dict[str, str]] = {"device": "device", "precision": "dtype"}
    unlisted: ClassVar[tuple[str, ...]] = ()  # options for scripts alone

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "implementation" in cls.__dict__:
            METHOD_CLASSES[cls.name] = cls


#: Declarations by the name of the method.
METHOD_CLASSES: dict[str, type[MethodOptions]] = {}


def _sigma():
    return option(
        2.0,
        "Smoothing of the phase variation, weighted by amplitude. 0: sharper between things that "
        "move differently; more: steadier in noise.",
        label="Smoothing",
        low=0,
        unit="px of each subband",
    )


def _chroma():
    return option(
        "pass",
        "Color movies: leave the chroma where it is, or magnify its motion too.",
        label="Color",
        choices=("pass", "magnify"),
    )


def _direction(which: str = ""):
    return option(
        None,
        f"{which}magnify motion along this direction only, 0 along x, 90 along y.".capitalize(),
        label="Direction",
        low=0,
        high=180,
        unit="degrees",
        none="all directions",
    )


def _max_bytes():
    return option(
        2**31,
        "Memory for transformed frames, and again for subbands; with less, work goes in chunks.",
        low=1,
        unit="bytes",
        expert=True,
    )


@dataclass(frozen=True, kw_only=True)
class LearnedOptions(MethodOptions):
    name = "learned"
    label = "Learned (neural network)"
    implementation = "learned.method:LearnedMagnifier"
    shared = {name: name for name in ("model", "device", "precision", "tile")}  # noqa: RUF012

    unlisted = ("compile",)

    draw: bool = option(
        True,
        "Network difference: draw what comes to light behind what moves. Without it, pixels are "
        "only moved.",
    )
    denoise: float | None = option(
        None,
        "Network difference: how much of the noise to take away. 0 keeps it, and the finest "
        "texture.",
        low=0,
        high=1,
        none="more in noisier movies; 0 without draw",
    )
    direction: float | None = _direction("Network difference: ")


@dataclass(frozen=True)
class PhaseOptions(MethodOptions):
    name = "phase"
    label = "Phase (steerable pyramid)"
    implementation = "classical.phase:PhaseMagnifier"

    pyramid: str = option(
        "half-octave",
        "Bandwidth of the subbands: narrower ones carry larger motion, ring wider and take longer.",
        choices=("half-octave", "octave", "quarter-octave"),
    )
    sigma: float = _sigma()
    chroma: str = _chroma()
    envelope: bool = option(
        False,
        "Magnify the variation of amplitudes too: exact for small motion of fine irregular "
        "texture, but multiplies noise.",
        label="Amplitudes",
    )
    padding: int = option(
        16, "Mirrored border on each side of the frame.", low=0, unit="px", expert=True
    )
    max_bytes: int = _max_bytes()


@dataclass(frozen=True)
class RieszOptions(MethodOptions):
    name = "riesz"
    label = "Phase (Riesz pyramid)"
    implementation = "classical.riesz:RieszMagnifier"

    transform: str = option(
        "exact",
        "The Riesz transform itself, or the three-tap filters of the paper, which fall short.",
        choices=("exact", "taps"),
        expert=True,
    )
    sigma: float = _sigma()
    chroma: str = _chroma()
    max_bytes: int = _max_bytes()


@dataclass(frozen=True)
class LinearOptions(MethodOptions):
    name = "linear"
    label = "Linear (Eulerian)"
    implementation = "classical.linear:LinearMagnifier"

    what: str = option(
        "motion",
        "Motion, or slow changes of intensity and color over wide areas, as a pulse.",
        label="Magnify",
        choices=("motion", "color"),
    )
    lambda_c: float | None = option(
        None,
        "Motion: wavelengths below it are magnified less.",
        label="Cut-off",
        low=0,
        unit="px",
        none="from the measured displacement",
        only=("what", "motion"),
    )
    attenuation: str = option(
        "scaled",
        "Motion: wavelengths below lambda_c get as much as the bound allows, or nothing.",
        label="Below it",
        choices=("scaled", "cut"),
        only=("what", "motion"),
    )
    levels: int | None = option(
        None,
        "Motion: number of bands of the pyramid.",
        low=1,
        none="as many as the frame has",
        only=("what", "motion"),
        expert=True,
    )
    residual: bool = option(
        False,
        "Motion: magnify the low-pass residual too, and with it the flicker of the lamp.",
        only=("what", "motion"),
        expert=True,
    )
    level: int = option(
        4,
        "Color: how often to halve the resolution.",
        label="Halvings",
        low=1,
        only=("what", "color"),
    )
    chroma: float | None = option(
        None,
        "Color movies: how much the chroma is magnified, relative to the luma.",
        label="Color",
        low=0,
        high=1,
        none="0 for motion, 1 for color",
    )


@dataclass(frozen=True)
class LagrangianOptions(MethodOptions):
    name = "lagrangian"
    label = "Lagrangian (flow and warp)"
    implementation = "classical.lagrangian:LagrangianMagnifier"
    shared = {}  # noqa: RUF012

    flow: str = option(
        "ilk",
        "Optical flow: iterative Lucas-Kanade, smooth and fast, or total variation, sharper at "
        "edges and three times slower.",
        choices=("ilk", "tvl1"),
    )
    radius: int | None = option(
        None,
        "Neighborhood that is taken to move together: larger for noise, smaller for small things.",
        label="Window",
        low=1,
        unit="px",
        none="5 for ilk, 3 for tvl1",
    )
    blur: float = option(1.0, "Smoothing before the flow is measured.", low=0, unit="px")
    sigma: float = option(
        2.0, "Smoothing of the displacement.", label="Smoothing", low=0, unit="px"
    )
    direction: float | None = _direction()
    order: int = option(5, "Of the spline that interpolates the frame.", low=1, high=5, expert=True)


@dataclass(frozen=True)
class AlignmentOptions:
    """Options of stabilisation, with any method, besides its mask."""

    model: str = option(
        "translation",
        "Large motion that is kept as it is: shifts; and rotations; and stretch and shear; or "
        "the drift of every part, slower than the band.",
        choices=("translation", "rigid", "affine", "dense"),
    )
    reference: int = option(
        0,
        "Frame that the others are aligned to; negative ones count from the end. Not for 'dense'.",
    )
    align_to: str = option(
        "reference",
        "Align all frames once (for 'dense', once for a few neighboring output frames), or anew "
        "for each output frame, so that what the reference does not show is magnified too.",
        label="Align to",
        choices=("reference", "current"),
    )
    smooth: float = option(
        0.0,
        "Only what is slower than this is large motion; faster shaking of the whole is magnified. "
        "0: any motion; for 'dense', what is slower than the band.",
        label="Slower than",
        low=0,
        unit="frames",
    )
    feather: float = option(
        4.0,
        "Width over which what is aligned fades into the still surroundings.",
        low=0,
        unit="px",
    )


OPTIONS: dict[str, tuple[Option, ...]] = {
    name: options_of(cls) for name, cls in METHOD_CLASSES.items()
}
"""Options of each method, besides the arguments of `magnify`."""

STABILISE: tuple[Option, ...] = options_of(AlignmentOptions)


def method_options(method: str) -> tuple[Option, ...]:
    """Return the options that a method takes besides the arguments of `magnify`.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    if method not in list(OPTIONS):
        raise ValueError(f"method must be one of {list(OPTIONS)}, got {method!r}")
    return OPTIONS[method]


def option_names(method: str) -> list[str]:
    """Return the names of the options that a method takes, including those for scripts alone."""
    return [option.name for option in method_options(method)] + [*METHOD_CLASSES[method].unlisted]


def label_of(name: str) -> str:
    """Return what a method is called in forms."""
    return METHOD_CLASSES[name].label if name in METHOD_CLASSES else name


def parse_options(method: str, texts: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` texts, as ``"pyramid=octave"``, as arguments for `magnify`."""
    return parse_texts(method_options(method), texts, "--option", f"method {method!r}")
