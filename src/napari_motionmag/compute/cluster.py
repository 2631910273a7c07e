"""Many workers: dask.distributed clusters that magnify frames side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from napari_motionmag.compute.optional import optional

PATIENCE = 60  # seconds for tasks that are cancelled to end
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def connected(scheduler: str | None = None, workers: int | None = None) -> Iterator:
    """Yield a client of a running cluster, of a new one on this machine, or None.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, such as ``"tcp://10.0.0.1:8786"``.
    workers : int, optional
        Number of processes to start on this machine. They share its cores: torch in each has
        as many threads as cores are left to it.

    Yields
    ------
    distributed.Client or None
        None when neither is given.

    Raises
    ------
    ValueError
        When both are given, `workers` is not a positive number, or the scheduler cannot be reached.
    """
    if scheduler is not None and workers is not None:
        raise ValueError("scheduler and workers exclude each other: one names a running cluster")
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, int) or workers < 1
    ):
        raise ValueError(f"workers must be a positive integer, got {workers!r}")
    if scheduler is None and workers is None:
        yield None
        return
    distributed = optional("distributed", "distributed", "clusters")
    import dask

    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout="10s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ValueError(
                f"scheduler: cannot reach {scheduler!r}: {str(error).splitlines()[0]}"
            ) from error
        with client:
            yield client
        return
    threads = str(max(1, _cores() // workers))
    # dask's own settings, in their place, give memory back at once: claiming it anew for each step
    # of a network takes longer than the steps
    environment = dict.fromkeys(_THREAD_SETTINGS, threads)
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # torch has threads of its own
            processes=True,
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def slots(client) -> int:
    """Return how many tasks a cluster runs at once, at least 1."""
    return max(1, sum(client.nthreads().values()))


def completed(client, tasks: Sequence) -> Iterator:
    """Run dask.delayed tasks on a cluster and yield each small result as it arrives, in any order.

    When a task raises, or the iteration is left, the remaining ones are cancelled, and those that
    run have ended.
    """
    distributed = optional("distributed", "distributed", "clusters")
    futures = client.compute(list(tasks))
    try:
        with client.as_current():
            done = distributed.as_completed(futures)
        for future in done:
            yield future.result()
    finally:
        client.cancel(futures)
        _wait_for(client, {future.key for future in futures})


def _wait_for(client, keys: set) -> None:
    """Wait until no worker runs these tasks: what is cancelled may still write its output."""
    end = time.monotonic() + PATIENCE
    while any(client.run(_runs, keys, on_error="ignore").values()) and time.monotonic() < end:
        time.sleep(0.05)


def _runs(keys: set, dask_worker) -> bool:
    """Return whether a worker runs one of these tasks."""
    return any(task.key in keys for task in dask_worker.state.executing)
