"""The writer for napari: File > Save of a movie keeps its axes, scale, units, rate and recipe."""

from __future__ import annotations

from types import SimpleNamespace

from napari_motionmag.io.writer import save_movie
from napari_motionmag.movie.movie import Movie


def write_movie(path: str, data, meta: dict) -> list[str]:
    """Write an Image layer that is a movie, by its data and attributes; return the paths written.

    Other images are left to napari. What is there is replaced, as napari asks the user before.
    RuntimeError if the format cannot hold the movie, or a video has no frame rate.
    """
    layer = SimpleNamespace(data=data, **{"blending": None, "translate": None} | meta)
    try:
        movie = Movie.from_any(layer)
    except (TypeError, ValueError):  # a picture, a volume: nothing that we keep
        from napari_builtins.io import napari_write_image

        written = napari_write_image(path, data, meta)
        return [written] if written else []
    metadata = meta.get("metadata") or {}
    fps = metadata.get("fps") if movie.fps is None else None
    if isinstance(fps, int | float) and fps > 0:
        movie = movie.replace(fps=fps)
    limits = None if movie.is_rgb else meta.get("contrast_limits")
    try:
        saved = save_movie(
            path,
            movie,
            recipe=(metadata.get("napari_motionmag") or {}).get("recipe"),
            intensity_range=None if limits is None else tuple(map(float, limits)),
            overwrite=True,
        )
    except ValueError as error:  # napari would only say that this is no valid writer
        raise RuntimeError(str(error)) from error
    return [str(saved)]
