"""Presets: the sequences of the paper, and motions that are common in microscopy.

A preset selects a motion (mode, band, filter) and a factor. It leaves the method, the frame rate
and everything else alone::

    magnify(movie, **presets.get("cardiomyocyte").arguments)

The sequences are those of Table A.1 of Oh et al., "Learning-based Video Motion Magnification",
ECCV 2018. The table lists alpha. The factor of this program is the total gain m: in the temporal
modes, where M + alpha T(M) is decoded (the paper's Eq. 4), m = 1 + alpha; between two frames
(static, dynamic; Eq. 2 and 3), m = alpha. FIR filters there have as many taps as the sequence has
frames; here they are as long as the band needs.

The bands for microscopy are wide enough for what varies between specimens. Where the frequency is
known, a narrower band around it shows the same motion with less noise, which is proportional to the
width of the band.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from napari_motionmag.compute.validate import told_apart

PAPER, MICROSCOPY = "Oh et al. 2018", "Microscopy"


@dataclass(frozen=True)
class Preset:
    """Settings for a kind of movie.

    Attributes
    ----------
    name, title : str
        For programs and for people.
    group : str
        `PAPER` or `MICROSCOPY`.
    factor : float
        m, total gain.
    why_factor, why_motion : str
        Reasons for the factor, and for mode and band, in one line each.
    mode : {"static", "dynamic", "temporal"}
    band : (float, float) or None
        Temporal mode: band in Hz.
    filter : str or None
        Temporal mode: kind of filter.
    fps : float or None
        Sequences of the paper: frames per second at which they were taken.
    """

    name: str
    title: str
    group: str
    factor: float
    why_factor: str
    mode: str
    why_motion: str
    band: tuple[float, float] | None = None
    filter: str | None = None
    fps: float | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `napari_motionmag.magnify`; the frame rate is not among them.

        A sequence of the paper needs its frame rate too where the file does not have it:
        ``magnify(movie, fps=preset.fps, **preset.arguments)``.
        """
        arguments: dict[str, Any] = {"factor": self.factor, "mode": self.mode}
        if self.mode == "static":
            arguments["reference"] = 0
        if self.mode == "temporal":
            arguments |= {"band": self.band, "filter": self.filter}
        return arguments

    @property
    def summary(self) -> str:
        """What it sets, as ``"x11, 74-78 Hz, FIR"``."""
        factor = f"x{self.factor:g}"
        if self.mode != "temporal":
            return f"{factor}, {self.mode}"
        from napari_motionmag.temporal import filters  # takes NumPy along

        low, high = self.band
        return f"{factor}, {low:g}-{high:g} Hz, {filters()[self.filter].short_label()}"

    @property
    def explanation(self) -> str:
        """What it sets and why, one reason per line."""
        taken = f"\nTaken at {self.fps:g} frames per second" if self.fps else ""
        return f"{self.summary}\n{self.why_motion}\n{self.why_factor}{taken}"

    def problem(self, fps: float | None) -> str | None:
        """Return why it cannot be used at a frame rate (None: unknown), or None where it can."""
        if self.mode != "temporal":
            return None
        low, high = self.band
        least, rate = told_apart(2 * high, fps or 0, 6)
        needs = f"preset {self.name!r} needs at least {least} fps for its band of "
        needs += f"{low:g}-{high:g} Hz"
        taken = f" (the paper's sequence was taken at {self.fps:g} fps)" if self.fps else ""
        if not fps:
            return f"{needs}; the rate of this movie is unknown: give it{taken}"
        if 2 * high > fps:
            return (
                f"{needs}; this movie has {rate} fps. If it was taken faster than it is played, "
                f"give that rate{taken}"
            )
        return None


def get(name: str) -> Preset:
    """Return a preset by its name; ValueError for an unknown name."""
    if not isinstance(name, str) or name not in _PRESETS:
        raise ValueError(f"preset must be one of {', '.join(NAMES)}; got {name!r}")
    return _PRESETS[name]


def _presets() -> Iterator[Preset]:
    """Yield the sequences of Table A.1, and the motions of microscopy."""
    for name, title, alpha, band, fps, filter, why in _TEMPORAL:
        reason = f"Factor 1 + alpha, alpha = {alpha} in Table A.1"
        yield Preset(name, title, PAPER, 1 + alpha, reason, "temporal", why, band, filter, fps)
    for name, title, mode, alpha, why in _FRAMES:
        reason = f"Factor alpha = {alpha} of Table A.1"
        yield Preset(name, title, PAPER, alpha, reason, mode, why)
    for name, title, factor, band, reason, why in _MICROSCOPY:
        yield Preset(name, title, MICROSCOPY, factor, reason, "temporal", why, band, "fir")


# The corners of "baby" are the published coefficients 0.04 and 0.4 at 30 fps in Hz:
# r = 1 - exp(-2 pi f / fps), so f = -ln(1 - r) fps / (2 pi)
_TEMPORAL = (
    ("crane", "Crane in the wind", 75, (0.2, 0.25), 24, "fir", "Sway of the crane, 0.2-0.25 Hz"),
    ("balance", "Man holding his balance", 10, (1.0, 8.0), 300, "butterworth",
     "Unsteadiness, 1-8 Hz; slower movement is intentional"),
    ("throat", "Singing throat", 100, (90.0, 110.0), 1900, "fir",
     "Vocal folds, 90-110 Hz: the pitch"),
    ("baby", "Breathing baby", 20, (0.195, 2.44), 30, "iir",
     "Breathing; corners of the published coefficients 0.04 and 0.4 at 30 fps, in Hz"),
    ("tree_high", "Tree, twigs", 25, (1.5, 2.0), 60, "fir", "Thin branches, 1.5-2 Hz"),
    ("tree_low", "Tree, trunk", 25, (0.5, 1.0), 60, "fir", "Thick branches, 0.5-1 Hz"),
    ("camera", "Camera shutter", 75, (36.0, 62.0), 300, "butterworth",
     "Vibration of the body after the mirror flips, 36-62 Hz"),
    ("eye", "Eye of a looking man", 75, (30.0, 50.0), 500, "fir", "Tremor of the eye, 30-50 Hz"),
    ("drum", "Drum", 10, (74.0, 78.0), 1900, "fir", "The membrane's mode at 76 Hz, alone"),
    ("guitar", "Guitar, one string", 25, (72.0, 92.0), 600, "butterworth",
     "The low E string (82.4 Hz), and no other"),
)  # fmt: skip
_FAST = "Velocity: against the frame before, for motion on top of larger motion"
_REST = "All motion since the first frame"
_FRAMES = (
    ("gun", "Gun, recoil of the arm", "dynamic", 8, _FAST),
    ("cat_toy", "Rolling cat toy", "dynamic", 7, _FAST),
    ("drone", "Hovering drone", "dynamic", 10, _FAST),
    ("hot_coffee", "Hot coffee", "dynamic", 3, _FAST),
    ("drum_static", "Drum, static mode", "static", 10, _REST),
    ("guitar_static", "Guitar, static mode", "static", 10, _REST),
)
# name, title, factor, band in Hz, reasons for the factor and for the band
_WALL = "A wall that moves by 1 % of a 30 px wide vessel, 0.3 px, moves by 3 px"
_MICROSCOPY = (
    # Cells beat by themselves or are paced at about 0.5-2 Hz. A twitch lasts a few tenths of a
    # second, so that its shape is in the harmonics up to some 6 Hz: kept, so that the beat does
    # not become a sine. Drift of stage and focus is below 0.3 Hz.
    ("cardiomyocyte", "Beating heart muscle cells", 10, (0.3, 6.0),
     "Weak contractions of 0.1-0.5 px become 1-5 px",
     "Beats at 0.5-2 Hz with the harmonics that make up a twitch; drift is left out"),
    # Airway cilia beat at some 7-20 Hz, ependymal ones of the rat at 28 Hz at 30 degrees and 36 Hz
    # at 37 degrees (O'Callaghan et al., Cilia 1:8, 2012). Counting beats takes 150 fps (Scopulovic
    # et al., Physiol. Rep. 10:e15349, 2022). The second harmonic of the airway's is within.
    ("cilia", "Cilia", 6, (7.0, 40.0),
     "Strokes of stiff or short cilia, 0.3-1 px, become 2-6 px; free ones need no factor",
     "Beat of cilia, 7-40 Hz, airway to ependyma; take it at 150 fps or more"),
    # Heart at rest 50-100 per minute, 0.8-1.7 Hz; the upstroke of the pulse is in the second and
    # third harmonic. Breathing, 0.2-0.4 Hz, moves the tissue more than the pulse does the vessel.
    ("vessel_pulse", "Vessel pulse, human", 10, (0.7, 5.0),
     _WALL,
     "Pulse at 0.8-1.7 Hz with its harmonics; breathing (0.2-0.4 Hz) is left out"),
    # 78 beats a minute at 18 degrees to 162 at 28 degrees in adults (Lee et al., PLoS ONE
    # 11:e0145163, 2016); larvae up to some 200.
    ("vessel_pulse_zebrafish", "Vessel pulse, zebrafish", 10, (1.2, 7.0),
     _WALL,
     "Pulse at 1.3-3.3 Hz (18-28 °C, adult and larva) with its second harmonic"),
    # 350-650 beats a minute under anesthesia; breathing at 1-3 Hz is below the band.
    ("vessel_pulse_mouse", "Vessel pulse, mouse", 10, (5.0, 22.0),
     _WALL,
     "Pulse at 6-11 Hz under anesthesia with its second harmonic; breathing is left out"),
    # Flicker has no frequency of its own: its power falls with frequency (as f^-1.3 to f^-1.45 at
    # a point; Brochard and Lennon, J. Phys. 36:1035, 1975), and what is active in it is below
    # 10 Hz (Betz et al., PNAS 106:15320, 2009). Above, noise outweighs it; below 0.3 Hz the cell
    # drifts and turns.
    ("membrane_fluctuation", "Membrane fluctuation", 10, (0.3, 10.0),
     "Some 30 nm rms, 0.3 px of 100 nm, become 3 px",
     "Flicker of red cells and vesicles: strongest, and active, below 10 Hz; drift is left out"),
)  # fmt: skip
_PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _presets()})

NAMES: tuple[str, ...] = tuple(_PRESETS)
"""Names of the presets."""
