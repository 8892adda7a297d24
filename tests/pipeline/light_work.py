"""Work for the tests of the fleet that imports nothing heavy: each function is one kind of task."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drive.core.errors import InputError

PATIENCE_S = 120.0
"""Far more than an idle machine needs: a busy one may be ten times slower."""


def square(number: int) -> dict[str, Any]:
    return {"square": number * number, "process": os.getpid()}


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for never came")
        time.sleep(0.01)


def wait_for_file(path: Path) -> None:
    wait_until(path.exists)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def meet(files: tuple[Path, Path]) -> dict[str, Any]:
    """Ends only while the task with the files the other way round runs beside it."""
    mine, other = files
    mine.touch()
    wait_for_file(other)
    return {}


def misbehave(how: str) -> dict[str, Any]:
    if how == "wrong input":
        raise InputError("a.mp4 is empty (0 bytes).\nExpected a video")
    if how == "full disk":
        raise OSError(28, "No space left on device")
    if how == "fault":
        raise ZeroDivisionError("division by zero")
    if how == "exit":
        os._exit(3)
    if how == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"how": how}


def environment(name: str) -> dict[str, Any]:
    return {"value": os.environ.get(name)}


def begin_and_hang(folder: Path) -> dict[str, Any]:
    """Says who it is, works for a long time, and clears up when it is interrupted."""
    (folder / f"{os.getpid()}.begun").touch()
    try:
        for _ in range(60_000):  # Ray interrupts between two steps of Python, not within a call
            time.sleep(0.01)
    finally:
        (folder / f"{os.getpid()}.cleared").touch()
    return {}


def hang_in_native_code(folder: Path) -> dict[str, Any]:
    """Never comes back to where Python could interrupt it, and holds the interpreter's lock."""
    (folder / "begun").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(600)
    return {}


def wait_in_native_code(folder: Path) -> dict[str, Any]:
    """Never comes back either, but lets other threads of Python work, as a network does."""
    (folder / "begun").write_text(str(os.getpid()))
    ctypes.CDLL(None).sleep(600)
    return {}


def wait_for_begin(folder: Path) -> dict[str, Any]:
    """Ends when `begin_and_hang` has begun in this folder."""
    wait_until(lambda: list(folder.glob("*.begun")))
    return {}


def call(payload: tuple[Callable[[Any], dict[str, Any]], Any]) -> dict[str, Any]:
    """Any of the functions above, with its payload."""
    work, argument = payload
    return work(argument)
