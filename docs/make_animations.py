"""Make the animations of the gallery and the README: python docs/make_animations.py [NAME ...]

Each sample is shown as it is, and with its motion magnified as its suggestion says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDER = Path(__file__).parent / "pictures" / "animations"
MARGIN, TITLE = 4, 22  # px between the panels, and above them
QUALITY = 55  # of WebP
# first frame, number of frames (whole periods of the motion, so that it loops), step, and how
# fast they are shown, frames per second
COURSES = {
    "beating_cell": (0, 25, 1, 20),
    "still": (0, 25, 1, 20),
    "cilia": (40, 40, 1, 20),
    "vesicles": (25, 25, 1, 12),
    "strings": (60, 38, 1, 12),
    "drifting_membrane": (30, 30, 2, 12),
    "pulsing_epithelium": (20, 20, 1, 10),
}
COLORS = ((1.0, 0.2, 1.0), (0.2, 1.0, 0.4))  # of channels


def main(argv: list[str] | None = None) -> None:
    """Make the animations named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COURSES))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the animations")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(COURSES))
    if unknown:
        parser.error(f"no animation {', '.join(unknown)}; there are {', '.join(COURSES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or COURSES:
        path = arguments.out / f"{name}.webp"
        frames, duration = animation(name)
        frames[0].save(
            path,
            save_all=True,
            append_images=frames[1:],
            duration=duration,
            loop=0,
            quality=QUALITY,
            method=6,
        )
        print(f"{path} ({path.stat().st_size // 1000} kB)")


def animation(name: str):
    """Return the frames of a sample beside its magnification, and the milliseconds of each."""
    from napari_motionmag import magnify, samples

    first, n_frames, step, rate = COURSES[name]
    movie, info = samples.load(name)
    magnified = magnify(movie, **info["suggestion"])
    factor = info["suggestion"]["factor"]
    frames = []
    for t in range(first, first + n_frames * step, step):
        panels = [
            _colored(plane, info["contrast_limits"], info["axes"])
            for plane in (movie[t], magnified[t].compute())
        ]
        frames.append(_beside(panels, ("as it is", f"motion x {factor:g}")))
    return frames, round(1000 / rate)


def _colored(plane, limits, axes: str):
    """Return a plane as an RGB picture."""
    import numpy as np
    from PIL import Image

    unit = np.clip((plane.astype(float) - limits[0]) / (limits[1] - limits[0]), 0, 1)
    if "C" in axes:
        unit = np.clip(np.einsum("cyx,cs->yxs", unit, COLORS), 0, 1)
    elif unit.ndim == 2:
        unit = np.repeat(unit[..., None], 3, axis=2)
    return Image.fromarray(np.rint(unit * 255).astype(np.uint8))


def _beside(panels, titles):
    from PIL import Image, ImageDraw, ImageFont

    width, height = panels[0].size
    sheet = Image.new("RGB", (2 * width + MARGIN, height + TITLE), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        x = place * (width + MARGIN)
        draw.text((x + 2, 3), title, "black", font=ImageFont.load_default(14))
        sheet.paste(panel, (x, TITLE))
    return sheet


if __name__ == "__main__":
    main()
