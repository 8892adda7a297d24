"""Side cameras of a recording, which show what the car would see further left and right.

Training uses the camera nearest to each new position; frames are paired by their number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.recordings.folder_formats import side_images
from drive.recordings.recording import FRONT, VIDEO_SUFFIXES, PairingReport, Recording
from drive.steering.cache import CachedRecording

DIRECTIONS = {"left": -1.0, "right": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class SideCamera:
    """The frames of one side camera; `rows` (N,) are those for the front camera's, -1 for none."""

    side: str
    offset_m: float
    path: Path
    recording: CachedRecording
    rows: np.ndarray

    @property
    def missing(self) -> int:
        """Number of rows of the front camera without a frame here."""
        return int((self.rows < 0).sum())


def side_recordings(recording: Recording) -> dict[str, Recording]:
    """Return the side cameras of a recording by side, as recordings with its angles."""
    found: dict[str, Recording] = {}
    images = side_images(recording.path) if recording.images else {}
    for side in DIRECTIONS:
        name = f"{recording.name} ({side})"
        if recording.images:
            if any(image.is_file() for image in images.get(side, ())):
                found[side] = replace(
                    recording, name=name, images=images[side], report=PairingReport()
                )
        elif video := _video_beside(recording.path, side):
            found[side] = replace(recording, name=name, path=video, report=PairingReport())
    return found


def open_sides(
    recording: Recording,
    front: CachedRecording,
    open_frames: Callable[[Recording, str], CachedRecording],
    on_error: Callable[[str, InputError], None] | None = None,
) -> CachedRecording:
    """Return the cached front camera with the side cameras of its recording.

    `open_frames` opens a camera by its side. `on_error` gets the name of one that cannot be read,
    which is then left out; None raises the error.
    """
    sides: list[SideCamera] = []
    for side, beside in side_recordings(recording).items():
        try:
            cached = open_frames(beside, side)
        except InputError as error:
            if on_error is None:
                raise
            on_error(beside.name, error)
            continue
        offset_m = DIRECTIONS[side] * recording.config.camera.side_m
        sides.append(SideCamera(side, offset_m, beside.path, cached, _rows_of(cached, front)))
    return replace(front, sides=tuple(sides))


def _rows_of(cached: CachedRecording, front: CachedRecording) -> np.ndarray:
    """Return the (N,) rows with the frame numbers of `front`; -1 for none."""
    rows = np.searchsorted(cached.frame_index, front.frame_index)
    rows = np.minimum(rows, len(cached) - 1)
    return np.where(cached.frame_index[rows] == front.frame_index, rows, -1)


def _video_beside(front: Path, side: str) -> Path | None:
    """Return `NAME_left.mp4` beside `NAME_front.mp4`, with any suffix of videos."""
    if not front.stem.endswith(FRONT):
        return None
    stem = front.stem.removesuffix(FRONT)
    paths = [front.with_name(f"{stem}_{side}{suffix}") for suffix in VIDEO_SUFFIXES]
    return next((path for path in paths if path.is_file()), None)
