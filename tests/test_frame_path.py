"""How many files one frame goes through: what a stranger has to read to follow it."""

import numpy as np
import pytest
from frame_walk import SOURCE, called_files, walk

from napari_motionmag import magnify
from napari_motionmag.io import open_movie, save_movie

INSIDE_THE_NETWORK = ("methods/learned/networks/", "methods/learned/kernels/")
MOTION = {
    "static": {"mode": "static"},
    "temporal": {"mode": "temporal", "band": (72, 92), "fps": 600},
}


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("mode", MOTION)
def test_a_frame_goes_through_few_files(mode, dtype):
    movie = np.random.default_rng(0).integers(0, 200, (60, 32, 32)).astype(dtype)

    def draw(data):
        magnify(data, 10, **MOTION[mode])[12].compute(scheduler="synchronous")

    draw(movie)  # loads the network
    called = called_files(lambda: draw(movie.copy()))
    called = {path for path in called if not path.startswith(INSIDE_THE_NETWORK)}
    assert "magnification/magnification.py" in called
    assert "methods/learned/engine.py" in called
    assert len(called) <= 18, sorted(called)


def test_the_walk_from_a_file_is_the_way_of_its_frames(tmp_path):
    save_movie(tmp_path / "film.avi", np.zeros((4, 16, 16), np.uint8), fps=10)
    called = called_files(lambda: open_movie(tmp_path / "film.avi").read(2))
    assert len(walk("**From a file")) >= 6
    assert walk("**From a file") <= called, sorted(called)


def test_the_walk_from_the_button_names_files_that_are_there():
    """The test of the widget tells whether they are on the way."""
    assert len(walk("**From the button")) >= 12
    assert all((SOURCE / path).is_file() for path in walk("**From the button"))
