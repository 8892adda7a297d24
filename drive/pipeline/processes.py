"""Tasks in worker processes of this machine, each of which keeps what it has loaded.

Workers are spawned: the threads of TensorFlow and OpenVINO do not survive a fork. One that dies
costs its own task only. Ctrl-C reaches the calling process only: leaving `run_in_processes`
interrupts the workers and waits until they have cleaned up. One without parent ends likewise.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Generic

from drive.core.errors import DriveError, InputError
from drive.core.jobs import Outcome, Payload, Task, Work, attempt

CLEAN_UP_S = 20.0
"""Time for workers to remove half-written files, before they are killed."""

NOT_GUARDED = (
    "a worker process could not start. In a script, put the call under "
    'if __name__ == "__main__":, since each worker imports the script'
)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def run_in_processes(
    work: Work[Payload],
    tasks: Sequence[Task[Payload]],
    jobs: int,
    environment: Mapping[str, str] | None = None,
) -> Generator[Outcome]:
    """Do all tasks, `jobs` at the same time; yield the outcomes in the order in which they end.

    Close the iterator (`contextlib.closing`) to stop early: the workers end before that returns.
    `environment` is set in each worker before it imports what `work` needs.
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1; got {jobs}")
    waiting = deque(tasks)
    workers: list[_Worker[Payload]] = []
    try:
        while waiting or any(worker.task for worker in workers):
            for worker in workers:
                worker.take_next(waiting)
            while waiting and len(workers) < jobs:
                workers.append(_Worker(work, dict(environment or {})))
                workers[-1].take_next(waiting)
            yield from _next_outcomes(workers)
            workers = [worker for worker in workers if worker.alive]
    finally:
        _stop(workers)


class _Worker(Generic[Payload]):
    """A worker process as its parent sees it; `task` is what it is busy with."""

    def __init__(self, work: Work[Payload], environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.task: Task[Payload] | None = None
        self.alive = True
        self._ready = False
        self._since = 0.0
        self.connection, other_end = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(work, environment, other_end), daemon=True
        )
        with _interrupts_held_back():  # the child inherits that, until it ignores them itself
            self.process.start()
        other_end.close()  # or its end would not be noticed here

    def take_next(self, waiting: deque[Task[Payload]]) -> None:
        """Hand the next task to an idle worker."""
        if self.task is not None or not waiting:
            return
        self.task, self._since = waiting.popleft(), time.perf_counter()
        with contextlib.suppress(OSError):  # it has just died: `outcome` says so
            self.connection.send(self.task)

    def outcome(self) -> Outcome | None:
        """Receive the outcome of its task, or None: it is ready; call it when there is news."""
        assert self.task is not None
        task = self.task
        try:
            found: Outcome | None = self.connection.recv()
            self._ready = True
            self.task = None if found else task
            return found
        except (EOFError, OSError):
            self.alive, self.task = False, None
            self.process.join()
        if not self._ready and self.process.exitcode == 1:
            raise DriveError(NOT_GUARDED)
        seconds = time.perf_counter() - self._since
        return Outcome(task.key, reason=_how_it_ended(self.process.exitcode), seconds=seconds)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        hint = "; was there enough memory?" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended during the work, with exit status {exitcode}"


def _next_outcomes(workers: Sequence[_Worker[Payload]]) -> list[Outcome]:
    """Wait until at least one busy worker has an outcome."""
    busy = {worker.connection: worker for worker in workers if worker.task is not None}
    news = [busy[connection].outcome() for connection in wait(list(busy)) if connection in busy]
    return [outcome for outcome in news if outcome is not None]


def _stop(workers: Sequence[_Worker[Payload]]) -> None:
    """End the workers: idle ones at once, busy ones when they have cleaned up."""
    for worker in workers:
        if worker.task is None:
            with contextlib.suppress(OSError):
                worker.connection.send(None)
        else:
            worker.process.terminate()
    deadline = time.monotonic() + CLEAN_UP_S
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; on Windows, which cannot, do nothing."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(work: Work[Payload], environment: Mapping[str, str], connection: Connection) -> None:
    """Do tasks until None comes: what a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        connection.send(None)  # ready
        while (task := connection.recv()) is not None:
            connection.send(attempt(work, task))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the work as Ctrl-C does, once: a second signal must not disturb the clean-up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
