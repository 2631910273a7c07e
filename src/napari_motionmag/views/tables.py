"""Tables with comments above, as CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from napari_motionmag.compute.atomic import written_whole


def write_csv(
    path, comments: Iterable[str], columns: Mapping[str, np.ndarray], digits: int = 10
) -> Path:
    """Write columns of numbers with their names, below comments; the file appears whole."""
    with written_whole(Path(path)) as partial, open(partial, "w", encoding="utf-8") as file:
        file.writelines(f"# {comment}\n" for comment in comments)
        file.write(",".join(columns) + "\n")
        for row in zip(*columns.values(), strict=True):
            file.write(",".join(f"{value:.{digits}g}" for value in row) + "\n")
    return Path(path)
