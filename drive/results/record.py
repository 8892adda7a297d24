"""`run.json`: what a run was asked, what it read, and what came of it."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from drive.core.files import sha256
from drive.core.version import VERSION
from drive.results.json_files import plain, write_json

PACKAGES = (
    *("av", "keras", "matplotlib", "moviepy", "numpy", "onnxruntime", "opencv-python-headless"),
    *("openvino", "optuna", "pandas", "tensorflow-cpu", "tensorflow"),
)
STARTED_FORM = "%Y-%m-%dT%H:%M:%S%z"
RENAMED = {
    **{"start": "start_s", "end": "end_s", "at": "at_s", "smooth": "smooth_s", "lag": "lag_s"},
    **{"delay": "delay_s", "limit": "limit_m", "camera_height": "height_m", "fov": "fov_deg"},
    **{"camera_side": "side_m", "lane": "lane_m", "wheelbase": "wheelbase_m"},
}
"""Settings that version 0.1 wrote without their unit, and their names since."""


@dataclass(frozen=True, slots=True)
class Span:
    """One turn of a stage: its name, its thread, and when it began and ended, in seconds."""

    stage: str
    thread: str
    began_s: float
    ended_s: float


@dataclass
class RunRecord:
    """What `run.json` is going to say, as a run fills it in."""

    command: list[str]
    settings: dict[str, object]
    inputs: list[dict[str, str | int]] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    spans: list[Span] | None = None

    def add_input(self, path: str | Path) -> None:
        """Note an input file with its size and SHA-256; a source that is not a file by its name."""
        file = Path(path)
        if not file.is_file():
            self.inputs.append({"path": str(path)})
            return
        size, digest = file.stat().st_size, sha256(file)
        self.inputs.append({"path": str(path), "bytes": size, "sha256": digest})

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

    def as_json(self) -> dict[str, object]:
        """Return what `run.json` would say now, as it is read back."""
        read: dict[str, object] = json.loads(json.dumps(self._entries(), default=plain))
        return read

    def _entries(self) -> dict[str, object]:
        return {
            "command": self.command,
            "started": time.strftime(STARTED_FORM, time.localtime(self.started)),
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


def versions() -> dict[str, str]:
    """Return the versions of drive, Python, the system and the packages that shape results."""
    found = {"drive": VERSION, "python": platform.python_version(), "system": platform.platform()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a run read; size and SHA-256 are unknown if it is not a file."""

    path: str = ""
    bytes: int | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FramePlace:
    """A frame of the source: its number and its presentation timestamp."""

    frame: int | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """The first and the last frame that a run read."""

    first: FramePlace = FramePlace()
    last: FramePlace = FramePlace()


@dataclass(frozen=True, slots=True)
class Record:
    """What `run.json` says, whichever version of drive wrote it."""

    command: tuple[str, ...] = ()
    started: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    counts: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    frames: Ends = Ends()
    results: Mapping[str, object] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    trials: int | None = None

    @property
    def name(self) -> str:
        """The command; empty if unknown."""
        return self.command[1] if len(self.command) > 1 else ""

    @property
    def asked(self) -> dict[str, object]:
        """The settings by today's names: `start_s` of `start`, `video` of `no_video`."""
        return dict(_today(name, value) for name, value in self.settings.items())

    @property
    def resolved(self) -> dict[str, object]:
        """The settings, with what a training made of those that were not given."""
        settings: dict[str, object] = {}
        for each in (self.asked, self.training, self.data):
            settings |= {name: value for name, value in each.items() if value is not None}
        return settings

    @property
    def total_s(self) -> float:
        """Duration of the run; 0 if unknown."""
        return self.seconds.get("total", 0.0)

    @property
    def start_s(self) -> float:
        """Second of the source at which the run began."""
        start_s = self.asked.get("start_s")
        return float(start_s) if isinstance(start_s, int | float) else 0.0

    def title(self, home: Path) -> str:
        """Return what the run is about: the names of its sources, else of its folder."""
        pair = [self.settings.get(side) for side in ("a", "b")]
        if self.name == "compare" and all(pair):
            return " and ".join(_told_apart([Path(str(each)) for each in pair]))
        asked = filter(None, map(self.settings.get, ("source", "recordings", "datasets")))
        first = next(asked, [])
        sources = first if isinstance(first, list | tuple) else [first]
        names = [Path(str(each)).name or str(each) for each in sources]
        if not names:
            return home.resolve().name
        return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _today(name: str, value: object) -> tuple[str, object]:
    if name.startswith("no_") and isinstance(value, bool):
        return name.removeprefix("no_"), not value
    return RENAMED.get(name, name), value


def _told_apart(paths: list[Path]) -> list[str]:
    """The names of files, with their folders' where they are the same."""
    if len({path.name for path in paths}) > 1:
        return [path.name for path in paths]
    return ["/".join(path.parts[-2:]) for path in paths]
