"""Small movies and networks that tests share."""

import gc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None)  # machines under load take their time
settings.load_profile("default")


def pytest_collection_finish():
    """Spare the collector of garbage what was imported, and let it look at the rest less often."""
    with suppress(ImportError):
        # PyTorch imports it with the first optimizer, and its LLVM crashes when that of Mesa is
        # there, which came with the first window.
        import triton  # noqa: F401
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _one_thread():
    # Tests use small frames: threads cost more than they bring, and other processes run beside.
    # Anew for each test: numba's OpenMP pool, which napari's labels start, sets it, too.
    import torch  # not above: the process that spreads tests over cores needs none

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def plain_napari():
    """Let napari lay out shapes and labels in plain Python: numba compiles that for seconds."""
    from napari.settings import get_settings
    from napari.utils import colormap_backend, triangulation_backend

    get_settings()  # has them chosen
    triangulation = triangulation_backend.TriangulationBackend.pure_python
    triangulation_backend.set_backend(triangulation)
    colormap_backend.set_backend(colormap_backend.ColormapBackend.pure_python)


@pytest.fixture
def counting_source():
    """Make a dask movie that writes down which frames are read."""
    import dask.array as da

    def make(frames: np.ndarray):
        reads: list[int] = []

        def block(block_id=None):
            reads.append(block_id[0])
            return frames[block_id[0]][None]

        chunks = ((1,) * len(frames), *((n,) for n in frames.shape[1:]))
        movie = da.map_blocks(
            block, chunks=chunks, dtype=frames.dtype, meta=frames[:0], name=f"counted-{id(reads)}"
        )
        return movie, reads

    return make
