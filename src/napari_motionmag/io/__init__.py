"""Reading and writing movies."""

from napari_motionmag.io.export import save_movie
from napari_motionmag.io.reader import open_movie

__all__ = ["open_movie", "save_movie"]
