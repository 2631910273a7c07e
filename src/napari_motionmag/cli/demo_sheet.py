"""A picture of a movie beside its magnification: a frame and a slice over time of each."""

from __future__ import annotations

from itertools import islice

_LARGEST_SIDE = 512  # px: smaller frames are enlarged by whole numbers towards this


def compose(magnification, magnified, info: dict):
    """Draw a frame and a slice over time of a movie and of its magnification, as a PIL image."""
    from PIL import Image

    from napari_motionmag.export import Film, Look
    from napari_motionmag.export import compose as compose_film

    movie = magnification.movie
    line, t = where_it_moves(movie, magnification.operator, info["displacement"])
    look = Look(info["contrast_limits"], info["colormap"])
    composition = compose_film(
        {info["title"]: movie, f"motion ×{magnification.factor:g}": magnified},
        looks=[look, look],
        at=dict.fromkeys(movie.other_axes, 0) or None,
        line=line,
        background="white",
        zoom=max(1, _LARGEST_SIDE // max(movie.frame_shape[:2])),
    )
    film = Film(composition, plays=False)
    return Image.fromarray(next(islice(film.frames(), film.shown.index(t), None)))


def where_it_moves(movie, operator, displacement) -> tuple[list[tuple[int, int]], int]:
    """Return a row or column (its ends) across the motion that is seen best, and when it peaks."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    frame = movie.read(0, (0,) * len(movie.other_axes)).astype(np.float32)
    frame = gaussian_filter(frame.mean(axis=2) if frame.ndim == 3 else frame, 1)
    edges = np.abs(np.gradient(frame))
    true = np.stack([displacement(t) for t in range(movie.n_frames)]).astype(np.float32)
    selected = operator.apply(true)
    seen = edges * selected.std(axis=0)
    if not seen.any():
        seen = edges  # nothing moves: show that it stays so
    seen = gaussian_filter(seen, (0, 2, 2))
    axis, y, x = map(int, np.unravel_index(np.argmax(seen), seen.shape))
    t = int(np.argmax(np.abs(selected[:, axis, y, x])))
    height, width = movie.frame_shape[:2]
    return ([(0, x), (height - 1, x)] if axis == 0 else [(y, 0), (y, width - 1)]), t
