"""Make the pictures of the README and the documentation: python docs/make_pictures.py [NAME ...]

Real windows are opened and photographed, so a display is needed; without one:
xvfb-run -s "-screen 0 1600x1200x24" python docs/make_pictures.py
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent / "pictures"
WINDOW = (1200, 620)  # px
LARGEST_FILE = 300_000  # bytes
PATIENCE = 120  # seconds for a frame to be drawn


def main(argv: list[str] | None = None) -> None:
    """Make the pictures named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures")
    arguments = parser.parse_args(argv)
    unknown = sorted(set(arguments.names) - set(PICTURES))
    if unknown:
        parser.error(f"no picture {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        path = arguments.out / f"{name}.png"
        _save(PICTURES[name](), path)
        print(f"{path} ({path.stat().st_size // 1000} kB)")


def window(sample: str, preset: str = ""):
    """Photograph the demonstration of a sample, perhaps with a preset, when its frame is there."""
    from PIL import Image

    from napari_motionmag.demo import open_window
    from napari_motionmag.widgets import slicing

    slicing.SLOW = math.inf  # how fast this machine is does not belong into the picture
    viewer, widget = open_window(sample)
    try:
        viewer.window.resize(*WINDOW)
        _wait(lambda: len(viewer.layers) == 2 and all(layer.loaded for layer in viewer.layers))
        if preset:
            drawn = viewer.layers[-1].data
            widget.preset.value = preset
            _wait(lambda: viewer.layers[-1].data is not drawn and viewer.layers[-1].loaded)
        viewer.reset_view()
        _wait_until_quiet(1)
        return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    finally:
        viewer.close()


def slices(sample: str):
    """Draw a frame and a slice over time of a sample and of its magnification."""
    from napari_motionmag.demo import picture

    return picture(sample)


PICTURES: dict[str, Callable] = {
    "window": lambda: window("beating_cell"),
    "window_band": lambda: window("strings"),
    "window_preset": lambda: window("cilia", preset="cilia"),
    "window_colour": lambda: window("drifting_membrane"),
    "slices_strings": lambda: slices("strings"),
    "slices_cell": lambda: slices("beating_cell"),
}


def _wait(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing to photograph after {seconds:g} s")
        QApplication.processEvents()
        time.sleep(0.01)


def _wait_until_quiet(seconds: float) -> None:
    end = time.monotonic() + seconds
    _wait(lambda: time.monotonic() > end, seconds + 1)


def _save(picture, path: Path) -> None:
    """Write a PNG, of fewer colours and then smaller until it is small enough."""
    from PIL import Image

    for colours in (None, 256, 128, 64):
        smaller = (
            picture if colours is None else picture.quantize(colours, Image.Quantize.MEDIANCUT)
        )
        smaller.save(path, optimize=True)
        if path.stat().st_size <= LARGEST_FILE:
            return
    size = (picture.width * 3 // 4, picture.height * 3 // 4)
    _save(picture.resize(size, Image.Resampling.LANCZOS), path)


if __name__ == "__main__":
    main()
