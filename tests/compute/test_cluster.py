"""Results of magnify() on a dask.distributed cluster of processes."""

import os
import pickle
import signal
import sys
import time

import cloudpickle
import dask
import numpy as np
import pytest

from napari_motionmag import Movie, magnify
from napari_motionmag.cli import main as cli
from napari_motionmag.compute import cluster
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.methods.learned import weights

distributed = pytest.importorskip("distributed")
from napari_motionmag.compute.cluster import connected  # noqa: E402

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file


def noise(shape, dtype="u2", seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


# what travels


def tasks(array):
    """The tasks that a cluster gets, by key, pickled."""
    graph = array.__dask_optimize__(array.__dask_graph__(), array.__dask_keys__())
    return {key: len(cloudpickle.dumps(task)) for key, task in dict(graph).items()}


@pytest.mark.parametrize("extension", [".npy", ".tif", ".zarr", ".avi"])
def test_movies_of_files_travel_by_path(tmp_path, extension, monkeypatch):
    if extension == ".zarr":
        pytest.importorskip("zarr")
    if extension == ".avi":
        pytest.importorskip("av")
    data = noise((20, 64, 64))
    monkeypatch.chdir(tmp_path)
    save_movie(f"film{extension}", data, fps=10)
    movie = open_movie(f"film{extension}", axes="TYX")
    sent = pickle.dumps(movie)
    assert len(sent) < 5000
    monkeypatch.chdir("/")  # a worker has a working directory of its own
    there = pickle.loads(pickle.dumps(pickle.loads(sent)))  # and passes it on to another
    assert len(pickle.dumps(there)) < 5000
    np.testing.assert_array_equal(there.read(7), movie.read(7))
    assert (there.axes, there.fps, there.scale) == (movie.axes, movie.fps, movie.scale)


@pytest.mark.parametrize("shape", [(30, 64, 64), (300, 64, 64)])
@pytest.mark.parametrize("on_disk", [True, False])
def test_graphs_are_small(tmp_path, shape, on_disk):
    data = noise(shape)
    if on_disk:
        np.save(tmp_path / "film.npy", data)
        data = open_movie(tmp_path / "film.npy")
    magnified = magnify(data, 5, mode="temporal", band=(1, 2), fps=10)
    sizes = tasks(magnified)
    content = [size for key, size in sizes.items() if not isinstance(key, tuple)]
    frames = [size for key, size in sizes.items() if isinstance(key, tuple)]
    assert len(frames) == shape[0]
    assert max(frames) < 1000
    assert len(content) == 1  # the movie goes once, not with each task
    assert content[0] < 5000 + (0 if on_disk else data.nbytes)
    # as the client sends it: symbolic, however many frames there are
    sent = len(cloudpickle.dumps(magnified)) - (0 if on_disk else data.nbytes)
    assert sent < 6000 + 100 * len(frames)


def test_frames_of_an_array_go_once():
    movie = Movie(noise((30, 64, 64)))
    sizes = tasks(movie.as_dask() + 1)
    assert sum(size > 1500 for size in sizes.values()) == 1


@pytest.mark.parametrize(
    "view",
    [
        np.s_[...],
        np.s_[3:],
        np.s_[::-2],
        np.s_[1:5, 3:, ::2],
        np.s_[:, ::-1, 2:],
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_views_of_memory_maps_travel_by_path(tmp_path, view, order):
    np.save(tmp_path / "film.npy", np.asarray(noise((9, 40, 50)), order=order))
    mapped = np.load(tmp_path / "film.npy", mmap_mode="r")
    data = np.asarray(mapped)[view] if order == "F" else mapped[view]
    sent = pickle.dumps(Movie(data, "TYX"))
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).data, data)


def test_raw_maps_with_an_offset_travel_by_path(tmp_path):
    path = tmp_path / "film.raw"
    data = noise((9, 40, 50))
    path.write_bytes(b"h" * 5003 + data.tobytes())
    mapped = np.memmap(path, "u2", "r", 5003, data.shape)
    sent = pickle.dumps(Movie(mapped[2:], "TYX"))
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).data, data[2:])
    path.write_bytes(b"shorter")
    with pytest.raises(ValueError, match=r"film\.raw: changed from"):
        pickle.loads(sent)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="same path"):
        pickle.loads(sent)


def test_copy_on_write_maps_keep_what_was_written(tmp_path):
    np.save(tmp_path / "film.npy", noise((3, 4, 5)))
    mapped = np.load(tmp_path / "film.npy", mmap_mode="c")
    mapped[1] = 7
    there = pickle.loads(pickle.dumps(Movie(mapped, "TYX")))
    assert (there.data[1] == 7).all()


# a cluster


@pytest.fixture(scope="module")
def client():
    with connected(workers=2) as client:
        yield client


def loads_of_weights():
    from napari_motionmag.methods.learned import engine

    return engine._engine.cache_info().misses


def torch_threads():
    import torch

    return torch.get_num_threads()


def test_workers_keep_memory_for_the_next_step(client):
    """dask's own setting makes each temporary array of a network cost page faults."""
    own = os.environ.get("MALLOC_TRIM_THRESHOLD_")
    assert set(client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values()) == {own}


def test_learned_runs_unchanged_with_weights_loaded_once(client, tmp_path):
    np.save(tmp_path / "film.npy", noise((10, 24, 28), "u1"))
    movie = open_movie(tmp_path / "film.npy")
    model = tmp_path / "small.safetensors"
    small = {"encoder_blocks": 1, "head_blocks": 1, "decoder_blocks": 1}
    weights.save(model, weights.build("oh2018", small), {"model": "oh2018"})
    magnified = magnify(movie, 5, model=model, device="cpu")
    found = client.compute(magnified).result()
    expected = magnified.compute(scheduler="synchronous")
    # another number of threads may round differently
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert found.dtype == np.uint8
    loads = client.run(loads_of_weights)
    assert max(loads.values()) == 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert set(client.run(torch_threads).values()) == {max(1, cores // 2)}


@pytest.mark.parametrize("extension", [".zarr", ".npy"])
def test_an_error_on_a_worker_comes_back(client, tmp_path, extension):
    pytest.importorskip("zarr")
    data = noise((6, 8, 9), "f4")
    data[4, 1, 1] = np.nan
    magnified = magnify(data, 3, method="linear", intensity_range=(0, 200))
    with pytest.raises(ValueError, match="frame t=4"):
        save_movie(tmp_path / f"film{extension}", magnified, client=client)
    assert list(tmp_path.iterdir()) == []


def test_tasks_that_run_have_ended_when_an_error_comes_back(client, tmp_path):
    def fail():
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        raise ValueError("no such frame")

    def go_on():
        (tmp_path / "begun").touch()
        time.sleep(1)
        (tmp_path / "ended").touch()

    with pytest.raises(ValueError, match="no such frame"):
        list(cluster.completed(client, [dask.delayed(fail)(), dask.delayed(go_on)()]))
    assert (tmp_path / "ended").exists()


def test_the_command_line_uses_a_running_cluster(client, tmp_path, capsys):
    pytest.importorskip("zarr")
    save_movie(tmp_path / "film.tif", noise((8, 24, 28)), fps=10)
    argv = ["magnify", str(tmp_path / "film.tif"), "", "--factor", "3", "--method", "linear"]
    for name in ("there.zarr", "there.npy"):
        argv[2] = str(tmp_path / name)
        assert cli.main([*argv, "--scheduler", client.scheduler.address]) == 0
        assert "8 frames" in capsys.readouterr().err
        argv[2] = str(tmp_path / f"here{name[5:]}")
        assert cli.main([*argv, "--quiet"]) == 0
    for extension in (".zarr", ".npy"):
        here, there = (
            open_movie(tmp_path / f"{x}{extension}", axes="TYX") for x in ("here", "there")
        )
        np.testing.assert_array_equal(np.asarray(there.data), np.asarray(here.data))


def test_interrupted_on_a_cluster_it_goes_on(client, tmp_path):
    pytest.importorskip("zarr")
    data = noise((3, 3, 8, 9))

    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    path = tmp_path / "film.zarr"
    with pytest.raises(KeyboardInterrupt):
        save_movie(path, data, "TZYX", client=client, resume=True, progress=stop)
    assert not path.exists()
    seen = []
    save_movie(path, data, "TZYX", resume=True, progress=lambda done, total: seen.append(done))
    assert seen[0] >= 4
    assert len(seen) <= 6
    assert seen[-1] == 9
    np.testing.assert_array_equal(np.asarray(open_movie(path).data), data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be a positive integer, got 0"),
        ({"workers": True}, "workers must be"),
        ({"workers": 2, "scheduler": "tcp://x"}, "exclude each other"),
        ({"scheduler": "no address:"}, "cannot reach"),
    ],
)
def test_what_is_no_cluster_is_refused(options, message):
    with pytest.raises(ValueError, match=message), connected(**options):
        pass


def test_nothing_computes_on_a_cluster_unasked(client):
    assert dask.config.get("scheduler", None) is None


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ImportError, match=r"napari-motionmag\[distributed\]"), connected(workers=1):
        pass


def test_a_killed_worker_changes_nothing(client, tmp_path):
    zarr = pytest.importorskip("zarr")
    movie = Movie(noise((12, 2, 24, 28)), "TCYX", fps=10)
    magnified = magnify(movie, 3, method="linear", intensity_range=(0, 200))
    expected = magnified.compute(scheduler="synchronous")
    slow = magnified.map_blocks(_slowly, dtype=magnified.dtype, meta=magnified._meta)
    victim = []

    def kill_one(done, total):
        if done == 3:
            address, pid = next(iter(client.run(os.getpid).items()))
            victim.append(address)
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    path = tmp_path / "film.zarr"
    save_movie(path, movie.replace(data=slow), client=client, progress=kill_one)
    assert victim
    np.testing.assert_array_equal(zarr.open_group(path)["0"][:], expected)
    # written by this process alone, the files are the same
    save_movie(tmp_path / "here.zarr", movie.replace(data=magnified))
    for file in (tmp_path / "here.zarr").rglob("*"):
        if file.is_file():
            assert (
                file.read_bytes() == (path / file.relative_to(tmp_path / "here.zarr")).read_bytes()
            )
    assert len(list(path.rglob("*"))) == len(list((tmp_path / "here.zarr").rglob("*")))


def _slowly(block):
    time.sleep(0.05)
    return block
