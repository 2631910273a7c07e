"""From the fields to the arguments of `magnify` and back."""

from __future__ import annotations

from pathlib import Path

from napari_motionmag.widgets.common.motion_fields import MotionFields
from napari_motionmag.widgets.magnify.fields import OWN_FILE, Fields


def arguments(fields: Fields, method: str = "", model: str = "") -> dict:
    """Return the arguments of `magnify` that the fields say, besides the movie.

    A mask and a region are the layers that are chosen.

    Parameters
    ----------
    fields : Fields
    method, model : str
        Instead of those that are chosen.
    """
    method = method or fields.method.value
    said = {"factor": fields.factor.value, "method": method}
    said |= motion_arguments(fields)
    if method == "learned":
        model = model or fields.model.value
        said["model"] = Path(fields.model_file.value) if model == OWN_FILE else model
    if fields.device.value != "auto":
        said["device"] = fields.device.value
    said |= fields.large_motion.values() | fields.large_frames.values()
    return said | fields.method_options.values(method)


def motion_arguments(fields: MotionFields) -> dict:
    """Return the arguments that select the motion, which measurements take too."""
    said = {"mode": fields.mode.value}
    if said["mode"] == "static":
        first, count = fields.reference.value, fields.reference_frames.value
        said["reference"] = first if count == 1 else slice(first, first + count)
    if said["mode"] == "temporal":
        said["band"] = (fields.band_low.value, fields.band_high.value)
        said["filter"] = fields.filter.value
    return said


def fill(fields: Fields, said: dict) -> None:
    """Set the fields to arguments of `magnify`, those that are there."""
    for name in ("factor", "method", "model"):
        if name in said:
            getattr(fields, name).value = said[name]
    options = fields.method_options.of.get(fields.method.value)
    if options is not None and set(options.fields) & set(said):
        options.fill(said)
    if "stabilise" in said:
        fields.large_motion.fill(said["stabilise"])
    fill_motion(fields, said)


def fill_motion(fields: MotionFields, said: dict) -> None:
    """Set the fields of the motion to arguments of `magnify`, those that are there."""
    for name in ("mode", "filter"):
        if name in said:
            getattr(fields, name).value = said[name]
    if "reference" in said:
        first, count = reference_of(said["reference"])
        fields.reference.value, fields.reference_frames.value = first, count
    if said.get("band"):
        fields.band_low.value, fields.band_high.value = said["band"]


def reference_of(said: int | slice) -> tuple[int, int]:
    """Return first frame and number of frames of a reference."""
    if isinstance(said, slice):
        first = said.start or 0
        return first, max(1, (said.stop or first + 1) - first)
    return int(said), 1


def band_to_start_from(fps: float) -> tuple[float, float]:
    """Return a band well below half the frame rate; zeros when that is unknown, 0."""
    return float(f"{fps / 20:.2g}"), float(f"{fps / 5:.2g}")
