"""How many files one frame goes through: what a stranger has to read to follow it."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import napari_motionmag
from napari_motionmag import magnify

SOURCE = Path(napari_motionmag.__file__).parent
INSIDE_THE_NETWORK = ("methods/learned/networks/", "methods/learned/kernels/")
MOTION = {
    "static": {"mode": "static"},
    "temporal": {"mode": "temporal", "band": (72, 92), "fps": 600},
}


def _files_called(function) -> set[str]:
    """The files of the package whose functions run while `function` does."""
    called = set()

    def note(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and frame.f_code.co_name != "<module>" and SOURCE in path.parents:
            called.add(path.relative_to(SOURCE).as_posix())

    sys.setprofile(note)
    threading.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return called


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("mode", MOTION)
def test_a_frame_goes_through_few_files(mode, dtype):
    movie = np.random.default_rng(0).integers(0, 200, (60, 32, 32)).astype(dtype)

    def draw(data):
        magnify(data, 10, **MOTION[mode])[12].compute(scheduler="synchronous")

    draw(movie)  # loads the network
    called = _files_called(lambda: draw(movie.copy()))
    called = {path for path in called if not path.startswith(INSIDE_THE_NETWORK)}
    assert "magnification/magnification.py" in called
    assert "methods/learned/engine.py" in called
    assert len(called) <= 18, sorted(called)
