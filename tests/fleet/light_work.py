"""Work for the tests of the fleet that imports nothing heavy: each function is one kind of task."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drive.errors import InputError

PATIENCE_S = 30.0


def square(number: int) -> dict[str, Any]:
    return {"square": number * number, "process": os.getpid()}


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} never came")
        time.sleep(0.01)


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
    """Never comes back to where Python could interrupt it."""
    (folder / "begun").touch()
    ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock
    return {}


def wait_for_begin(folder: Path) -> dict[str, Any]:
    """Ends when `begin_and_hang` has begun in this folder."""
    deadline = time.monotonic() + PATIENCE_S
    while not list(folder.glob("*.begun")):
        if time.monotonic() > deadline:
            raise TimeoutError("nothing has begun")
        time.sleep(0.01)
    return {}


def call(payload: tuple[Callable[[Any], dict[str, Any]], Any]) -> dict[str, Any]:
    """Any of the functions above, with its payload."""
    work, argument = payload
    return work(argument)
