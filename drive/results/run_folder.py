"""A run and its folder: where results go, what was asked, what was read, how long it took.

Knows nothing of models and videos. A result is never overwritten unless the user says so.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.core.files import atomic

OUTPUTS = Path("outputs")
"""Default parent of run folders, in the working directory."""

PACKAGES = (
    "av",
    "keras",
    "matplotlib",
    "moviepy",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "openvino",
    "optuna",
    "pandas",
    "tensorflow-cpu",
    "tensorflow",
)
DIGEST_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder that one run writes into."""

    path: Path
    overwrite: bool = False

    def file(self, name: str) -> Path:
        """The path of a result in this folder.

        Raises:
            InputError: it exists already and `overwrite` is off.
        """
        path = self.path / name
        if path.exists() and not self.overwrite:
            raise InputError(
                f"{path} exists already. Choose another --out, or allow it with --overwrite"
            )
        return path


def open_run_folder(command: str, out: str | None, overwrite: bool) -> RunFolder:
    """Make the folder of a run.

    Args:
        command: name of the command, part of the default folder's name.
        out: the folder that the user named, or None for a new one under `outputs/`.
        overwrite: whether results that exist there may be replaced.

    Raises:
        InputError: `out` is a file or cannot be written, or it holds a finished run and
            `overwrite` is off.
    """
    if out is None:
        return RunFolder(_next_folder(command), overwrite)
    if not out.strip():
        raise InputError("--out is empty. Name a folder, or leave it out for one in outputs/")
    path = Path(out)
    if path.exists() and not path.is_dir():
        raise InputError(f"--out names a folder, and {path} is a file. Choose another")
    if (path / "run.json").exists() and not overwrite:
        raise InputError(
            f"{path} holds the results of an earlier run. "
            "Choose another --out, or allow it with --overwrite"
        )
    _make(path)
    _prove_writable(path)
    return RunFolder(path, overwrite)


def _next_folder(command: str) -> Path:
    """Claim the next free number under `outputs/`; safe against a run started beside this one."""
    _make(OUTPUTS)
    numbers = [
        int(match[1]) for entry in OUTPUTS.iterdir() if (match := re.match(r"(\d+)-", entry.name))
    ]
    number = max(numbers, default=0) + 1
    while True:
        path = OUTPUTS / f"{number:03d}-{command}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        above = next(parent for parent in path.absolute().parents if parent.exists())
        why = f"no folder can be made in {above}" if above.is_dir() else f"{above} is a file"
        raise InputError(
            f"The folder {path} cannot be made there: {why}. Choose another with --out"
        ) from error


def _prove_writable(path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written into {path}: {error.strerror}. Choose another folder"
        ) from error


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file as hexadecimal digits, read in blocks."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, of this machine's system and of the packages that shape results."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """One turn of a stage: its name, its thread, and when it began and ended, in seconds."""

    stage: str
    thread: str
    began_s: float
    ended_s: float


@dataclass
class RunRecord:
    """What `run.json` says: the command, its settings, inputs, counts and seconds a stage.

    Attributes:
        warnings: what the user must know to read the results rightly.
        spans: every turn of every stage, where somebody put a list here to have them.
    """

    command: list[str]
    settings: dict[str, Any]
    inputs: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    spans: list[Span] | None = None

    def add_input(self, path: str | Path) -> None:
        """Note an input file with its size and SHA-256; sources without a file keep their name."""
        file = Path(path)
        if not file.is_file():
            self.inputs.append({"path": str(path)})
            return
        entry = {"path": str(path), "bytes": file.stat().st_size, "sha256": sha256(file)}
        self.inputs.append(entry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the wall-clock seconds of the block to the stage `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            end = time.perf_counter()
            self.seconds[name] = self.seconds.get(name, 0.0) + end - start
            if self.spans is not None:
                self.spans.append(Span(name, threading.current_thread().name, start, end))

    def write(self, path: Path) -> None:
        """Write `run.json`."""
        write_json(path, self._entries())

    def as_json(self) -> dict[str, Any]:
        """What `run.json` would say now, as it is read back."""
        read: dict[str, Any] = json.loads(json.dumps(self._entries(), default=plain))
        return read

    def _entries(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self.started)),
            "settings": self.settings,
            "versions": versions(),
            "inputs": self.inputs,
            "counts": self.counts,
            "warnings": self.warnings,
            "seconds": {
                **{name: round(value, 3) for name, value in self.seconds.items()},
                "total": round(time.time() - self.started, 3),
            },
            **self.extra,
        }


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all; numpy's numbers become plain ones."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=plain)
    with atomic(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """Turn a path, a NumPy value or a dataclass into what JSON can hold."""
    if hasattr(value, "as_json"):
        return value.as_json()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    raise TypeError(f"JSON has no form for a {type(value).__name__}")
