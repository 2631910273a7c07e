"""``napari-motionmag train``: train a network. It has a parser of its own."""

from pathlib import Path


def add_command(commands, common) -> None:
    """Add the command ``train``."""
    commands.add_parser("train", help="train a network on synthetic scenes")


def main(argv: list[str]) -> int | None:
    """Run the command."""
    from napari_motionmag.training import train

    return train.main(argv, _read_pictures)


def _read_pictures(path: Path) -> list:
    """Return frames from all over a movie, uint8 (Y, X, 3)."""
    import numpy as np

    from napari_motionmag.io import open_movie

    movie = open_movie(path)
    frames = (movie.to_unit(frame) for frame in movie.sample_frames())
    colored = (f if f.ndim == 3 else np.repeat(f[..., np.newaxis], 3, axis=-1) for f in frames)
    return [np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8) for frame in colored]
