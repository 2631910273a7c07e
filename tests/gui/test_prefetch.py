"""Frames that are drawn before they are shown."""

import subprocess
import sys
import threading

import pytest

from napari_motionmag.widgets.frames.prefetch import COUNT, Prefetcher


class Drawing:
    def __init__(self):
        self.drawn = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, t):
        assert self.gate.wait(10)
        self.drawn.append(t)


def _never(error):
    raise AssertionError from error


@pytest.mark.parametrize(
    ("shown", "drawn"),
    [
        ([4], []),
        ([4, 7], []),
        ([4, 5], [6, 7, 8]),
        ([5, 4], [3, 2, 1]),
        ([7, 8], [9]),
        ([8, 9], []),
        ([9, 0], []),
        ([4, 4], []),
    ],
)
def test_frames_in_the_direction_of_play_are_drawn_ahead(shown, drawn):
    prefetcher, draw = Prefetcher(), Drawing()
    for t in shown:
        prefetcher.shown("movie", t, 10, draw, _never)
    prefetcher.wait()
    assert draw.drawn == drawn
    assert len(drawn) <= COUNT


def test_what_is_ahead_is_forgotten_when_something_else_is_shown():
    prefetcher, first, second = Prefetcher(), Drawing(), Drawing()
    first.gate.clear()
    prefetcher.shown("x10", 3, 50, first, _never)
    prefetcher.shown("x10", 4, 50, first, _never)
    prefetcher.shown("x20", 4, 50, second, _never)  # another factor
    first.gate.set()
    prefetcher.wait()
    assert first.drawn in ([], [5])
    assert second.drawn == []


def test_an_error_ahead_is_reported_and_ends_it():
    prefetcher, tried, errors = Prefetcher(), [], []

    def draw(t):
        tried.append(t)
        raise ValueError("broken")

    prefetcher.shown("movie", 3, 50, draw, errors.append)
    prefetcher.shown("movie", 4, 50, draw, errors.append)
    prefetcher.wait()
    assert tried == [5]
    assert [str(error) for error in errors] == ["broken"]


AT_EXIT = """
import atexit, time
from napari_motionmag.widgets.frames.prefetch import Prefetcher

prefetcher = Prefetcher()

def draw(t):
    time.sleep(1.5)
    print("drawn", t, flush=True)

def show():  # as a job does that is waited for
    for t in (3, 4):
        prefetcher.shown("movie", t, 50, draw, print)
    time.sleep(0.1)

atexit.register(show)
atexit.register(lambda: print("end", flush=True))
"""


def test_a_frame_that_is_shown_as_the_program_ends():
    """Its thread would go on in an interpreter that is gone, and crash the process."""
    ended = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    drawn = ended.stdout.splitlines()
    if sys.version_info < (3, 12):
        assert drawn == ["end", "drawn 5"]
    else:  # whether a thread starts by then depends on the version
        assert drawn in (["end"], ["end", "drawn 5"])


def test_nothing_is_drawn_once_it_is_closed():
    prefetcher, draw = Prefetcher(), Drawing()
    prefetcher.close()
    for t in (4, 5):
        prefetcher.shown("movie", t, 10, draw, _never)
    prefetcher.wait()
    assert draw.drawn == []
