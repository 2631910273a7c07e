"""Ask the user where to save."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget


def ask_file(parent: QWidget, title: str, suggested: str, kinds: str) -> Path | None:
    """Ask for a file to save to; None if the user cancels.

    A name without an extension gets that of the chosen kind, or of the suggested name. `kinds` is
    a filter of Qt, as ``"TIFF (*.tif);;CSV (*.csv)"``.
    """
    path, kind = QFileDialog.getSaveFileName(parent, title, str(Path.cwd() / suggested), kinds)
    if not path:
        return None
    if not Path(path).suffix:
        path += kind.partition("*")[2].partition(" ")[0].rstrip(")") or Path(suggested).suffix
    return Path(path)
