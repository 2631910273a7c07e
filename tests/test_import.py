"""Importing the package is quick and takes neither torch nor Qt nor napari along."""

import subprocess
import sys

HEAVY = ("torch", "qtpy", "PyQt6", "PySide6", "napari", "dask", "scipy", "numpy", "magicgui")


def _run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_importing_the_package_imports_nothing_heavy():
    loaded = _run(
        "import sys, napari_motionmag; print(' '.join(m for m in sys.modules if '.' not in m))"
    ).split()
    assert "napari_motionmag" in loaded
    assert not set(HEAVY) & set(loaded)


def test_importing_the_package_is_quick():
    code = (
        "import time; start = time.process_time(); import napari_motionmag; "
        "print(time.process_time() - start)"
    )
    assert min(float(_run(code)) for _ in range(3)) < 0.15  # seconds of one core


def test_public_names_take_no_qt_and_no_torch_along():
    names = "Movie, magnify, magnify_layer, temporal"
    loaded = _run(f"import sys; from napari_motionmag import {names}; print(' '.join(sys.modules))")
    assert not {"torch", "qtpy", "napari"} & set(loaded.split())


def test_a_first_call_imports_neither_torch_nor_signal_processing():
    loaded = _run(
        "import sys, dask.array as da, numpy as np\n"
        "from napari_motionmag import magnify\n"
        "movie = da.zeros((1000, 512, 512), chunks=(1, 512, 512), dtype='u2')\n"
        "magnify(movie, 10)\n"
        "magnify(movie, 10, mode='dynamic')\n"
        "magnify(np.zeros((3, 16, 16)), 5)\n"
        "print([name for name in ('torch', 'scipy.signal', 'napari') if name in sys.modules])\n"
    )
    assert loaded.strip() == "[]"


def test_importing_changes_nothing_of_the_process():
    """Threads of torch sleep when idle, but other programs are started as they would be."""
    changed = _run(
        "import os\n"
        "before = dict(os.environ)\n"
        "import napari_motionmag\n"
        "from napari_motionmag.compute.device import load_torch\n"
        "load_torch()\n"
        "print(dict(os.environ) != before)\n"
    )
    assert changed.strip() == "False"
