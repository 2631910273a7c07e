"""Which files of the package run while a function does, and which CONTRIBUTING.md says do."""

import gc
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import napari_motionmag

SOURCE = Path(napari_motionmag.__file__).parent


def called_files(function: Callable[[], object]) -> set[str]:
    """Return the files whose functions run in this thread and in those that it starts."""
    called = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_name != "<module>":
            called.add(frame.f_code.co_filename)

    gc.collect()  # what other tests left must not end meanwhile
    gc.disable()
    sys.setprofile(note)
    threading.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()
    paths = map(Path, called)
    return {p.relative_to(SOURCE).as_posix() for p in paths if SOURCE in p.parents}


def walk(way: str) -> set[str]:
    """Return the files that "Follow one frame" of CONTRIBUTING.md names on a way."""
    guide = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    section = guide.partition("## Follow one frame")[2].partition("\n## ")[0]
    return set(re.findall(r"`([\w/]+\.py)`", section.partition(way)[2].partition("\n**")[0]))
