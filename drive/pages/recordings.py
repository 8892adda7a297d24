"""The recordings that a run was made from, as far as they still lie where they lay.

A page names a run and a recording by its number there, never a path; what may be marked or played
follows from the run's `run.json`. Knows runs, recordings and marks; nothing of the web.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drive.core.errors import InputError
from drive.core.shipped import CHECKOUT
from drive.pages.clock import read_clock
from drive.pages.runs import inputs_of
from drive.recordings import udacity
from drive.recordings.excluded import TIME_TOLERANCE_S, BadStretch, marks_of
from drive.recordings.recording import FRONT, VIDEO_SUFFIXES, find_steering_csv
from drive.recordings.recording_config import CONFIG_FILE

LONGEST_FRAME_S = 1.0
"""The last frame is in sight as long as the one before it, at most for this long."""


@dataclass(frozen=True, slots=True)
class KnownRecording:
    """A recording that a run was made from.

    Attributes:
        name: folder and drive, as commands print it.
        video: its file; the folder of a Udacity recording.
        folder: in which its `recording.toml` is.
        drive: its name there; None for a Udacity folder, which holds one.
    """

    name: str
    video: Path
    folder: Path
    drive: str | None

    def marks(self) -> tuple[BadStretch, ...]:
        """Its marks.

        Raises:
            InputError: `recording.toml` is wrong.
        """
        return marks_of(self.folder, self.drive or self.folder.name)

    def check_within(self, mark: BadStretch) -> None:
        """Refuse a mark that leads beyond the end of the drive.

        Raises:
            InputError: it does.
        """
        times_s = self._times_s()
        if not len(times_s):
            return
        frame_s = np.diff(times_s[-2:], prepend=-np.inf)[-1]
        end_s = times_s[-1] + min(frame_s, LONGEST_FRAME_S)
        if mark.end_s > end_s + TIME_TOLERANCE_S:
            raise InputError(
                f"{self.name} ends at {end_s:.1f} s: give an end up to there. "
                f"Received: {mark.end_s:g}"
            )

    def _times_s(self) -> np.ndarray:
        """(N,) seconds of its frames after the first one; none where they cannot be had."""
        if self.video.is_dir():
            return udacity.read_log(self.video)["time_s"].to_numpy()
        clock = read_clock(self.video, times=True)
        return clock.time_s if clock else np.zeros(0)

    def data(self) -> dict[str, Any]:
        """What a page shows of it; what is wrong with its marks under `error`."""
        data: dict[str, Any] = {
            "name": self.name,
            "file": str(self.folder / CONFIG_FILE),
            "marks": [],
            "error": "",
        }
        try:
            data["marks"] = [asdict(mark) for mark in self.marks()]
        except InputError as error:
            data["error"] = str(error)
        return data


def known_recordings(record: Mapping[str, Any]) -> list[KnownRecording]:
    """The recordings among the inputs of a run that are still there and are of the same size."""
    settings = record.get("settings")
    steering = settings.get("steering") if isinstance(settings, dict) else None
    found: list[KnownRecording] = []
    for entry in inputs_of(record):
        recording = _known(entry, steering)
        if recording is not None and recording not in found:
            found.append(recording)
    return found


def _known(entry: Mapping[str, Any], steering: Any) -> KnownRecording | None:
    for path in _places(str(entry.get("path", ""))):
        if path.is_dir() and udacity.is_udacity_folder(path):
            return KnownRecording(path.name, path, path, None)
        if not path.is_file() or path.suffix.lower() not in VIDEO_SUFFIXES:
            continue
        if entry.get("bytes") != path.stat().st_size:
            continue
        csv = _first_file(str(steering)) if steering else find_steering_csv(path)
        if csv is not None:
            drive = path.stem.removesuffix(FRONT)
            return KnownRecording(f"{path.parent.name}/{drive}", path, csv.parent, drive)
    return None


def _first_file(text: str) -> Path | None:
    return next((path for path in _places(text) if path.is_file()), None)


def _places(text: str) -> Iterator[Path]:
    """Where a path of a `run.json` may lead: it is as it was typed, wherever that was."""
    if not text:
        return
    path = Path(text)
    for base in (Path(), CHECKOUT):
        try:
            yield (base / path).resolve()
        except (OSError, ValueError):
            continue
