"""The recorded path, frame by frame; what is left out is counted, never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.types import Frame
from drive.recordings.camera import Camera
from drive.recordings.excluded import marked
from drive.recordings.horizon import estimate_horizon
from drive.recordings.recording import Recording
from drive.recordings.vehicle import SPEED_UNITS
from drive.video.probe import probe
from drive.video.reader import read_frames, read_image

WORKING_PX = 640
"""Wider frames are shrunk by a whole number: each new pixel is the mean of whole old ones, so that
the network's input, 200 pixels wide, stays the same except for rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame of the path, shrunk, and whether an excluded range lies before it."""

    frame: Frame
    truth_deg: float
    speed_mps: float
    after_mark: bool = False


@dataclass
class PathReport:
    """What was left out of a path, or assumed.

    `frames_without_angle` have no row, or none with an angle; `marks_passed` excluded ranges lie
    between two frames; `frames_without_speed` use that of their neighbours. `speed` is "recorded",
    or "assumed" if no row has one.
    """

    frames_lost: int = 0
    frames_without_angle: int = 0
    frames_marked_bad: int = 0
    marks_passed: int = 0
    frames_without_speed: int = 0
    speed: str = "recorded"


def read_path(
    recording: Recording,
    report: PathReport,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    shrink: int = 1,
) -> Iterator[Moment]:
    """Yield the frames of a recording in order, one image in memory at a time; fill `report`.

    Times are seconds of the video or of the log; `shrink` divides the image size, see `shrink_of`.
    """
    angles = recording.angles_by_frame()
    speeds_mps, known = _speeds_mps(recording, report)
    rows = recording.frame_index
    begun = skipped = False
    for frame in _frames(recording, report, start_s, end_s):
        if marked(recording.bad, np.array(frame.time_s)):
            report.frames_marked_bad += 1
            skipped = True
            continue
        if frame.index not in angles:
            report.frames_without_angle += 1
            continue
        row = int(np.searchsorted(rows, frame.index))
        report.frames_without_speed += not known[row]
        frame = replace(frame, image=shrunk(frame.image, shrink))
        after_mark = begun and skipped
        report.marks_passed += after_mark
        yield Moment(frame, angles[frame.index], float(speeds_mps[row]), after_mark)
        begun, skipped = True, False


def frame_size(recording: Recording) -> tuple[int, int]:
    """Return (width, height) of the frames in pixels."""
    if not recording.images:
        info = probe(recording.path)
        return info.width, info.height
    for path in recording.images:
        image = read_image(path) if path.exists() else None
        if image is not None:
            return image.shape[1], image.shape[0]
    raise InputError(f"{recording.path}: none of its {len(recording.images)} images can be read")


def shrink_of(width: int) -> int:
    """Return the whole number to shrink frames of this width by."""
    return max(1, width // WORKING_PX)


def shrunk(image: np.ndarray, shrink: int) -> np.ndarray:
    """Return a (H, W, 3) image with each side divided by a whole number."""
    if shrink == 1:
        return image
    size = shrunk_size((image.shape[1], image.shape[0]), shrink)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def shrunk_size(size: tuple[int, int], shrink: int) -> tuple[int, int]:
    """Return (width, height) after `shrunk`."""
    return max(1, size[0] // shrink), max(1, size[1] // shrink)


def camera_of(recording: Recording) -> tuple[Camera, str]:
    """Return the camera with its horizon, and whether that is given, estimated or assumed."""
    camera = recording.config.camera
    if camera.horizon is not None:
        return camera, "given"
    estimate = estimate_horizon(recording)
    how = "estimated" if estimate.trusted else "assumed"
    return replace(camera, horizon=estimate.share), how


def _frames(
    recording: Recording, report: PathReport, start_s: float, end_s: float | None
) -> Iterator[Frame]:
    if recording.images:
        for frame in recording.frames():
            if frame.time_s >= start_s and (end_s is None or frame.time_s < end_s):
                yield frame
        report.frames_lost = recording.report.frames_lost
        return
    with closing(read_frames(recording.path, start_s=start_s, end_s=end_s)) as reader:
        yield from reader
        report.frames_lost = reader.frames_lost


def _speeds_mps(recording: Recording, report: PathReport) -> tuple[np.ndarray, np.ndarray]:
    """Return (N,) m/s of each row, and which of them were recorded."""
    car = recording.config.car
    rows = len(recording.frame_index)
    if car.speed_unit not in SPEED_UNITS:
        raise InputError(
            f"{recording.name}: speed_unit must be one of {', '.join(SPEED_UNITS)}; "
            f"got {car.speed_unit!r}"
        )
    if recording.speed is None or not np.isfinite(recording.speed).any():
        report.speed = "assumed"
        return np.full(rows, car.speed_mps), np.ones(rows, bool)
    known = np.isfinite(recording.speed)
    frames = recording.frame_index
    speed = np.interp(frames, frames[known], recording.speed[known])
    return np.maximum(speed, 0.0) * SPEED_UNITS[car.speed_unit], known
