"""One piece of work, and what came of it, in the same words for processes and for Ray.

Knows neither: a task goes in, an outcome comes out, whatever happens in between.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drive.core.errors import DriveError, InputError

Work = Callable[[Any], dict[str, Any]]
"""What is done with a task's payload: a function of a module, so that other processes find it."""


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work that knows no other.

    Attributes:
        key: tells it from the others.
        payload: what the work is given; it can be pickled.
    """

    key: int
    payload: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task.

    Attributes:
        key: of the task.
        results: what the work returned; None where it failed.
        reason: one line that says why it failed; None where it did not.
        wrong_input: whether it failed because the input or the arguments are wrong.
        traceback: where it failed, of errors that drive does not raise on purpose.
        seconds: wall-clock time that the work took.
    """

    key: int
    results: dict[str, Any] | None = None
    reason: str | None = None
    wrong_input: bool = False
    traceback: str | None = None
    seconds: float = field(default=0.0, compare=False)


def attempt(work: Work, task: Task) -> Outcome:
    """Do the work; an error becomes an outcome, so that one task does not stop the others.

    `KeyboardInterrupt` is raised as ever: it ends the worker.
    """
    start = time.perf_counter()
    wrong_input, where = False, None
    try:
        results = work(task.payload)
    except InputError as error:
        reason, wrong_input = _one_line(error), True
    except (DriveError, OSError) as error:
        reason = _one_line(error)
    except Exception as error:  # a fault of ours in one video is no reason to lose the rest
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
