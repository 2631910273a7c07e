"""The ways that only a CUDA device takes, run with a device that stands for one."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_cuda import fake_cuda

from napari_motionmag.compute.device import choose_device, free_memory
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.classical.riesz import RieszMagnifier
from napari_motionmag.methods.learned import engine as engine_module
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.temporal import Static

SIDE = 128
BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def forget_engines():
    """Leave no engine of the fake device behind."""
    yield
    engine_module._engine.cache_clear()


@pytest.fixture(scope="module")
def frames():
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)

    def at(shift):
        return 0.5 + 0.2 * np.sin((x + shift) / 5) * np.cos(y / 7) + 0.1 * np.sin((x + y) / 3)

    return [at(0.1 * t).astype(np.float32) for t in range(4)]


def test_the_device_is_found_and_numbered():
    with fake_cuda(free=123):
        assert choose_device(None) == choose_device("cuda") == torch.device("cuda", 0)
        assert free_memory(torch.device("cuda", 0)) == 123
        with pytest.raises(ValueError, match="device 'cuda:1' is not available"):
            choose_device("cuda:1")


@pytest.mark.parametrize("model", ["difference", "oh2018"])
@pytest.mark.parametrize("precision", [None, "float32"])
def test_networks_draw_there_what_they_draw_on_the_cpu(frames, model, precision):
    expected = LearnedMagnifier(model, device="cpu").magnify(frames, Static(), [2, 3], 8)
    with fake_cuda() as called:
        method = LearnedMagnifier(model, device="cuda", precision=precision)
        found = method.magnify(frames, Static(), [2, 3], 8)
    assert {"Stream", "stream", "stream.synchronize", "mem_get_info"} <= set(called)
    for drawn, other in zip(found, expected, strict=True):
        assert np.abs(drawn - other).max() < 1.5 / 255


def test_half_precision_is_taken_where_the_picture_stays(frames):
    with fake_cuda():
        chosen = engine_module.engine("oh2018", "cuda").dtype
        assert chosen in (torch.float16, torch.bfloat16, torch.float32)
        off = [engine_module.engine("oh2018", "cuda", p).dtype for p in ("float32", "float16")]
    assert off == [torch.float32, torch.float16]


@pytest.mark.parametrize("method", [PhaseMagnifier, RieszMagnifier])
def test_classical_methods_draw_there_what_they_draw_on_the_cpu(frames, method):
    expected = method(device="cpu").magnify(frames, Static(), [2], 8)
    with fake_cuda():
        found = method(device="cuda").magnify(frames, Static(), [2], 8)
    np.testing.assert_allclose(np.stack(found), np.stack(expected), atol=1e-5)


def test_tiles_follow_the_free_memory(frames):
    with fake_cuda(free=2**40):
        assert len(engine_module.engine("difference", "cuda").tiles(1088, 1920)) == 1
    engine_module._engine.cache_clear()
    with fake_cuda(free=2**27):
        assert len(engine_module.engine("difference", "cuda").tiles(1088, 1920)) > 1


def test_where_memory_runs_out_batches_and_tiles_shrink_and_the_cpu_takes_over(frames):
    expected = LearnedMagnifier("difference", device="cpu").magnify(frames, Static(), [2, 3], 8)
    with fake_cuda() as called:
        method = LearnedMagnifier("difference", device="cuda", precision="float32")
        full = engine_module.engine("difference", "cuda", "float32")

        def too_large(*_, **__):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")

        full._difference = too_large
        with pytest.warns(UserWarning, match="out of memory") as told:
            found = method.magnify(frames, Static(), [2, 3], 8)
    messages = " ".join(str(warning.message) for warning in told)
    assert "fewer frames are computed at once" in messages
    assert "cuda:0 is too small, the CPU computes" in messages
    assert "empty_cache" in called
    for drawn, other in zip(found, expected, strict=True):
        assert np.abs(drawn - other).max() < 1.5 / 255


def test_the_benchmark_of_a_gpu_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(sys, "argv", ["cuda.py", "--quick", "--json", str(tmp_path / "rows.json")])
    import cuda

    with fake_cuda():
        cuda.main()
    printed = capsys.readouterr().out
    for row in ("plain port", "oh2018, float16", "difference, float32", "phase", "riesz"):
        assert row in printed
    assert "Memory" in printed
    assert (tmp_path / "rows.json").exists()
