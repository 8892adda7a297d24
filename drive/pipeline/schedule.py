"""How many tasks share the cores of this machine or of a cluster, and what runs them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from drive.core.jobs import Outcome, Payload, Task, Work
from drive.pipeline import processes

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


@dataclass(frozen=True, slots=True)
class Shares:
    """How tasks share the machine or the cluster; `jobs` None: as many as it has room for."""

    jobs: int | None
    threads: int
    cluster: str | None = None

    def __str__(self) -> str:
        jobs = self.jobs or "as many as the cluster has room for"
        return f"{jobs} at the same time, {self.threads} threads each"


def shares(
    tasks: int, jobs: int | None = None, threads: int | None = None, cluster: str | None = None
) -> Shares:
    """Return the shares of so many tasks; None for a number chooses it."""
    if cluster:
        return Shares(jobs, threads or 1, cluster)
    cores = processes.cores()
    jobs = max(1, min(jobs or cores, tasks))
    return Shares(jobs, threads or max(1, cores // jobs))


def run_tasks(
    work: Work[Payload], tasks: Sequence[Task[Payload]], shares: Shares
) -> Generator[Outcome]:
    """Do all tasks, in processes or on the cluster, and yield outcomes as the tasks end."""
    environment = dict.fromkeys(THREAD_VARIABLES, str(shares.threads))
    if shares.cluster:
        from drive.pipeline.ray_cluster import run_on_ray

        return run_on_ray(work, tasks, shares.jobs, environment, shares.threads)
    return processes.run_in_processes(work, tasks, shares.jobs or 1, environment)
