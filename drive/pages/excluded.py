"""The recordings of a run that are still where they were, and their excluded ranges.

A page names a recording by its number in `run.json`, never by a path. Knows nothing of the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.core.shipped import CHECKOUT
from drive.pages.clock import read_clock
from drive.recordings.excluded import TIME_TOLERANCE_S, ExcludedRange, marks_of
from drive.recordings.folder_formats import is_image_folder, read_image_folder
from drive.recordings.recording import FRONT, VIDEO_SUFFIXES, find_steering_csv
from drive.recordings.recording_config import CONFIG_FILE
from drive.results.record import InputFile, Record

LONGEST_FRAME_S = 1.0  # the last frame is shown as long as the one before it, at most for this long


@dataclass(frozen=True, slots=True)
class KnownRecording:
    """A recording that a run was made from; of a Udacity folder, `drive` is None."""

    name: str
    video: Path
    folder: Path
    drive: str | None

    def excluded(self) -> tuple[ExcludedRange, ...]:
        """Return its excluded ranges."""
        return marks_of(self.folder, self.drive or self.folder.name)

    def check_within(self, excluded: ExcludedRange) -> None:
        """Raise `InputError` if a range leads beyond the end of the recording."""
        times_s = self._times_s()
        if not len(times_s):
            return
        frame_s = np.diff(times_s[-2:], prepend=-np.inf)[-1]
        end_s = times_s[-1] + min(frame_s, LONGEST_FRAME_S)
        if excluded.end_s > end_s + TIME_TOLERANCE_S:
            raise InputError(
                f"{self.name}: the range must end by {end_s:.1f} s; got {excluded.end_s:g}"
            )

    def _times_s(self) -> np.ndarray:
        """(N,) seconds of its frames after the first one; empty if unknown."""
        if self.video.is_dir():
            return read_image_folder(self.video).time_s
        clock = read_clock(self.video, times=True)
        return clock.time_s if clock else np.zeros(0)

    def data(self) -> dict[str, object]:
        """Return what a page shows of it; `error` says what is wrong with its excluded ranges."""
        shown: dict[str, object] = {"name": self.name, "file": str(self.folder / CONFIG_FILE)}
        try:
            return shown | {"ranges": [asdict(each) for each in self.excluded()], "error": ""}
        except InputError as error:
            return shown | {"ranges": [], "error": str(error)}


def known_recordings(record: Record) -> list[KnownRecording]:
    """Return the recordings among the inputs of a run that are still there, of the same size."""
    steering = record.settings.get("steering")
    found: list[KnownRecording] = []
    for entry in record.inputs:
        recording = _known(entry, steering)
        if recording is not None and recording not in found:
            found.append(recording)
    return found


def _known(entry: InputFile, steering: object) -> KnownRecording | None:
    for path in _places(entry.path):
        if path.is_dir() and is_image_folder(path):
            return KnownRecording(path.name, path, path, None)
        is_video = path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES
        if not is_video or entry.bytes != path.stat().st_size:
            continue
        if steering:
            csv = next((place for place in _places(str(steering)) if place.is_file()), None)
        else:
            csv = find_steering_csv(path)
        if csv is not None:
            drive = path.stem.removesuffix(FRONT)
            return KnownRecording(f"{path.parent.name}/{drive}", path, csv.parent, drive)
    return None


def _places(text: str) -> Iterator[Path]:
    """Where a path of a `run.json` may lead: it was written as typed, in an unknown folder."""
    for base in (Path(), CHECKOUT) if text else ():
        try:
            yield (base / text).resolve()
        except (OSError, ValueError):
            continue
