"""The path that a recording drove, moment by moment: picture, time, the human's angle, the speed.

What the simulator takes for the truth. Frames without an angle are left out and counted, never
guessed. Knows recordings and their cameras; nothing of networks or of cars beside the path.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from drive.errors import InputError
from drive.frames.camera import DEFAULT_HORIZON, Camera
from drive.frames.car import SPEED_UNITS
from drive.frames.probe import probe
from drive.frames.reader import read_frames, read_image
from drive.frames.recording import Recording
from drive.types import Frame

WIDEST_PX = 640
"""Wider frames are decoded at this width: a network input 200 pixels wide loses nothing by it
(docs/decisions/steering.md), and a frame of 1280x720 costs a quarter to redraw."""

HORIZON_MODULE = "drive.frames.horizon"


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One frame of the recorded drive.

    Attributes:
        frame: its picture, at the size that was asked for.
        truth_deg: the human's angle as recorded, degrees, positive right.
        speed_mps: metres a second until the next frame.
    """

    frame: Frame
    truth_deg: float
    speed_mps: float


@dataclass
class PathReport:
    """What reading a path left out or had to take from elsewhere.

    Attributes:
        frames_lost: damaged packets and unreadable pictures.
        frames_without_angle: frames without a row, or whose row has no angle.
        frames_without_speed: frames whose speed was not recorded and is their neighbours'.
        speed: "recorded", or "assumed" where no row has one.
    """

    frames_lost: int = 0
    frames_without_angle: int = 0
    frames_without_speed: int = 0
    speed: str = "recorded"


def read_path(
    recording: Recording,
    report: PathReport,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    size: tuple[int, int] | None = None,
) -> Iterator[Moment]:
    """The moments of a drive in order, one picture in memory at a time.

    Args:
        recording: the drive.
        report: is filled while the moments are read.
        start_s, end_s: the part to read, seconds of the video's timestamps, or of the log's of a
            folder of pictures.
        size: (width, height) in pixels to resize to while decoding; None keeps the size.

    Raises:
        InputError: the times are out of range, or the speed's unit is unknown.
    """
    angles = recording.angles_by_frame()
    speeds_mps, known = _speeds_mps(recording, report)
    rows = recording.frame_index
    for frame in _frames(recording, report, start_s, end_s, size):
        if frame.index not in angles:
            report.frames_without_angle += 1
            continue
        row = int(np.searchsorted(rows, frame.index))
        report.frames_without_speed += not known[row]
        yield Moment(frame, angles[frame.index], float(speeds_mps[row]))


def frame_size(recording: Recording) -> tuple[int, int]:
    """(width, height) in pixels of the recording's frames.

    Raises:
        InputError: none of a folder's pictures can be read.
    """
    if not recording.images:
        info = probe(recording.path)
        return info.width, info.height
    for path in recording.images:
        image = read_image(path) if path.exists() else None
        if image is not None:
            return image.shape[1], image.shape[0]
    raise InputError(f"{recording.path}: none of its {len(recording.images)} pictures can be read")


def working_size(width: int, height: int) -> tuple[int, int]:
    """The size at which frames are decoded and redrawn: at most `WIDEST_PX` wide, same aspect."""
    if width <= WIDEST_PX:
        return width, height
    return WIDEST_PX, max(1, round(height * WIDEST_PX / width))


def camera_of(recording: Recording) -> tuple[Camera, str]:
    """The recording's camera with its horizon filled in, and where that comes from.

    Returns:
        The camera, and "given" (`recording.toml` or an option), "estimated" or "assumed".
    """
    camera = recording.config.camera
    if camera.horizon is not None:
        return camera, "given"
    try:
        estimate = importlib.import_module(HORIZON_MODULE).estimate_horizon(recording)
    except (ImportError, InputError):
        estimate = None
    if estimate is None:
        return replace(camera, horizon=DEFAULT_HORIZON), "assumed"
    return replace(camera, horizon=float(estimate)), "estimated"


def _frames(
    recording: Recording,
    report: PathReport,
    start_s: float,
    end_s: float | None,
    size: tuple[int, int] | None,
) -> Iterator[Frame]:
    if recording.images:
        for frame in recording.frames(size=size):
            if frame.time_s >= start_s and (end_s is None or frame.time_s < end_s):
                yield frame
        report.frames_lost = recording.report.frames_lost
        return
    with closing(read_frames(recording.path, start_s=start_s, end_s=end_s, size=size)) as reader:
        yield from reader
        report.frames_lost = reader.frames_lost


def _speeds_mps(recording: Recording, report: PathReport) -> tuple[np.ndarray, np.ndarray]:
    """(N,) metres a second of each row, and which of them were recorded."""
    car = recording.config.car
    rows = len(recording.frame_index)
    if car.speed_unit not in SPEED_UNITS:
        raise InputError(
            f"{recording.name}: speed_unit is one of {', '.join(SPEED_UNITS)}. "
            f"Received: {car.speed_unit!r}"
        )
    if recording.speed is None or not np.isfinite(recording.speed).any():
        report.speed = "assumed"
        return np.full(rows, car.speed_mps), np.ones(rows, bool)
    known = np.isfinite(recording.speed)
    frames = recording.frame_index
    speed = np.interp(frames, frames[known], recording.speed[known])
    return np.maximum(speed, 0.0) * SPEED_UNITS[car.speed_unit], known
