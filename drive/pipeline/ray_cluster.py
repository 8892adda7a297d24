"""Tasks on a Ray cluster: `run_on_ray` instead of `run_in_processes`.

Without an address, a local cluster is started and ended here. All machines of a cluster must see
the videos, the run folder and drive's source under the same paths.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from types import ModuleType

from drive.core.errors import DriveError, InputError
from drive.core.extras import load_extra
from drive.core.jobs import Outcome, Payload, Task, Work, attempt
from drive.core.shipped import CHECKOUT as ROOT
from drive.pipeline.processes import CLEAN_UP_S

ADDRESS = "RAY_ADDRESS"
KNOCK_S = 10.0
"""Timeout for the address of a cluster; Ray itself would try for minutes."""


def load_ray() -> ModuleType:
    """Import Ray, which is optional."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    return load_extra("ray", "--engine-cluster ray")


def run_on_ray(
    work: Work[Payload],
    tasks: Sequence[Task[Payload]],
    jobs: int | None,
    environment: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Generator[Outcome]:
    """Do all tasks on the cluster; see `run_in_processes`.

    `jobs` None: as many at the same time as the cluster has room for, with `threads` cores each.
    """
    if threads < 1 or (jobs is not None and jobs < 1):
        raise InputError(f"jobs and threads must be at least 1; got jobs={jobs}, threads={threads}")
    ray = load_ray()
    if not tasks:
        return
    _join(ray, jobs, threads)
    try:
        room = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        variables = {**(environment or {}), "PYTHONPATH": path}
        remote = ray.remote(attempt).options(
            num_cpus=threads, max_retries=0, runtime_env={"env_vars": variables}
        )
        yield from _collect(ray, lambda task: remote.remote(work, task), tasks, room)
    finally:
        ray.shutdown()


def _join(ray: ModuleType, jobs: int | None, threads: int) -> None:
    """Join the cluster of `RAY_ADDRESS`, or start one on this machine."""
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    address = os.environ.get(ADDRESS)
    try:
        if address:
            _knock(address)
            ray.init(**quiet)
        else:
            cpus = jobs * threads if jobs else None
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        if not address:
            raise DriveError(f"Ray does not start on this machine: {error}") from error
        raise DriveError(
            f"the Ray cluster {address} cannot be reached: {error}. Check {ADDRESS}, and "
            "RAY_AUTH_TOKEN_PATH if the cluster requires a token"
        ) from error


def _knock(address: str) -> None:
    """Check that host:port answers; other forms of an address are left to Ray."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()


def _collect(
    ray: ModuleType,
    submit: Callable[[Task[Payload]], object],
    tasks: Sequence[Task[Payload]],
    room: int,
) -> Generator[Outcome]:
    waiting = deque(tasks)
    running: dict[object, tuple[Task[Payload], float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < room:
                task = waiting.popleft()
                running[submit(task)] = (task, time.perf_counter())
            for reference in ray.wait(list(running), num_returns=1)[0]:
                yield _outcome(ray, reference, *running.pop(reference))
    finally:
        _cancel(ray, list(running))


def _outcome(ray: ModuleType, reference: object, task: Task[Payload], since: float) -> Outcome:
    try:
        found: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:  # the worker died, or its machine did
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        seconds = time.perf_counter() - since
        return Outcome(task.key, reason=f"the Ray worker ended: {first}", seconds=seconds)
    return found


def _cancel(ray: ModuleType, running: list[object]) -> None:
    """Interrupt running tasks, as Ctrl-C does; kill those that do not clean up in time."""
    for force in (False, True):
        for reference in running:
            ray.cancel(reference, force=force)
        if running:
            _, running = ray.wait(running, num_returns=len(running), timeout=CLEAN_UP_S)
