"""A movie: axes, units, frame rate, intensities and region; and what becomes one."""

from napari_motionmag.movie.movie import Movie

__all__ = ["Movie"]
