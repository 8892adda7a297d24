"""One task and its outcome, in the same form for processes and for Ray."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from drive.core.errors import DriveError, InputError

Payload = TypeVar("Payload")

Work = Callable[[Payload], dict[str, Any]]
"""Done with the payload of a task: a function of a module, so that other processes find it."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Payload]):
    """A piece of work that is independent of others; its payload can be pickled."""

    key: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a task: what the work returned, or in one line the `reason` why it failed.

    `wrong_input` says whether the input or the options are invalid; `traceback` is known for errors
    that drive does not raise on purpose.
    """

    key: int
    results: dict[str, Any] | None = None
    reason: str | None = None
    wrong_input: bool = False
    traceback: str | None = None
    seconds: float = field(default=0.0, compare=False)


def attempt(work: Work[Payload], task: Task[Payload]) -> Outcome:
    """Do the work; an error becomes an outcome, so that one task does not stop the others.

    `KeyboardInterrupt` is raised: it ends the worker.
    """
    start = time.perf_counter()
    wrong_input, where = False, None
    try:
        results = work(task.payload)
    except InputError as error:
        reason, wrong_input = _one_line(error), True
    except (DriveError, OSError) as error:
        reason = _one_line(error)
    except Exception as error:  # a bug that one video triggers must not cost the others
        reason, where = _with_place(error), traceback.format_exc()
    else:
        return Outcome(task.key, results, seconds=time.perf_counter() - start)
    seconds = time.perf_counter() - start
    return Outcome(task.key, None, reason, wrong_input, where, seconds)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _with_place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {_one_line(error)} ({Path(last.filename).name}:{last.lineno})"
