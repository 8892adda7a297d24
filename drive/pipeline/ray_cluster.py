"""The same tasks over a Ray cluster: `run_on_ray` in the place of `run_in_processes`.

Ray joins the cluster that `RAY_ADDRESS` names, with the token that Ray itself looks for
(`RAY_AUTH_TOKEN_PATH`); without an address a local one is started and ended here.
All machines of a cluster see the videos, the run folder and drive's source under the same paths.
Knows nothing of videos. Ray is optional and imported only here.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from drive.core.errors import DriveError, InputError
from drive.core.extras import load_extra
from drive.core.jobs import Outcome, Task, Work, attempt
from drive.core.shipped import CHECKOUT as ROOT
from drive.pipeline.processes import CLEAR_UP_S

ADDRESS = "RAY_ADDRESS"
KNOCK_S = 10.0
"""Time that a cluster's address has to answer; Ray itself would try for minutes."""


def load_ray() -> Any:
    """Import Ray.

    Raises:
        MissingPackageError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    return load_extra("ray", "--engine-cluster ray")


def run_on_ray(
    work: Work,
    tasks: Sequence[Task],
    jobs: int | None,
    environment: Mapping[str, str] | None = None,
    threads: int = 1,
) -> Generator[Outcome]:
    """Do all tasks on the cluster; see `run_in_processes`.

    Args:
        work: what is done with a task's payload.
        tasks: in the order in which they are handed out.
        jobs: tasks at a time, from 1; None for as many as the cluster has room for.
        environment: variables that the workers get before they import what `work` needs.
        threads: processor cores that a task takes.

    Yields:
        The outcomes in the order in which the tasks end.

    Raises:
        InputError: Ray is not installed, or a number is less than 1.
        DriveError: the cluster cannot be reached.
    """
    if threads < 1 or (jobs is not None and jobs < 1):
        raise InputError(
            f"jobs and threads are whole numbers from 1; received: jobs={jobs}, threads={threads}"
        )
    ray = load_ray()
    if not tasks:
        return
    _join(ray, jobs, threads)
    try:
        room = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        variables = {**(environment or {}), "PYTHONPATH": _python_path()}
        remote = ray.remote(attempt).options(
            num_cpus=threads, max_retries=0, runtime_env={"env_vars": variables}
        )
        yield from _collect(ray, lambda task: remote.remote(work, task), tasks, room)
    finally:
        ray.shutdown()


def _join(ray: Any, jobs: int | None, threads: int) -> None:
    """Join the cluster that is named, or start one on this machine."""
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
        where = f"{address} cannot be reached" if address else "on this machine does not start"
        hint = f". Check {ADDRESS}, and RAY_AUTH_TOKEN_PATH if it asks for a token"
        raise DriveError(f"The Ray cluster {where}: {error}{hint if address else ''}") from error


def _knock(address: str) -> None:
    """See whether anybody listens at host:port; other forms of an address are left to Ray."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()


def _python_path() -> str:
    given = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), *([given] if given else [])])


def _collect(ray: Any, submit: Any, tasks: Sequence[Task], room: int) -> Generator[Outcome]:
    waiting = deque(tasks)
    running: dict[Any, tuple[Task, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < room:
                task = waiting.popleft()
                running[submit(task)] = (task, time.perf_counter())
            for reference in ray.wait(list(running), num_returns=1)[0]:
                yield _outcome(ray, reference, *running.pop(reference))
    finally:
        _cancel(ray, list(running))


def _outcome(ray: Any, reference: Any, task: Task, since: float) -> Outcome:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:  # the worker died, or its machine did
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        seconds = time.perf_counter() - since
        return Outcome(task.key, reason=f"the Ray worker ended: {first}", seconds=seconds)


def _cancel(ray: Any, running: list[Any]) -> None:
    """Interrupt what still runs, as Ctrl-C does; what has not cleared up in time is killed."""
    for force in (False, True):
        for reference in running:
            ray.cancel(reference, force=force)
        if running:
            _, running = ray.wait(running, num_returns=len(running), timeout=CLEAR_UP_S)
