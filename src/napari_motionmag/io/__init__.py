"""Reading and writing movies."""

from napari_motionmag.io.reader import open_movie
from napari_motionmag.io.writer import check_output, save_movie

__all__ = ["check_output", "open_movie", "save_movie"]
