"""Match the rows of a steering CSV to the frames of a video: by number, in order, or by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drive.core.errors import DriveError, InputError
from drive.core.types import BoolArray, FloatArray, IntArray
from drive.core.wording import counted
from drive.recordings.labels import wide_steps
from drive.recordings.recording_config import CONFIG_FILE, RecordingConfig
from drive.recordings.steering_csv import HEADER_ROWS, SteeringRows
from drive.video.container import open_container, read_stamps, video_stream

SAME_START = 0.9
"""Times count from the first frame if at least this share of the rows, at most that of the rows
laid along the video from its first frame on, then meets a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The rows that belong to frames: one per frame, in order of the frames."""

    frame_index: IntArray
    angle: FloatArray  # as recorded
    time_s: FloatArray | None  # after the first row, or after the first frame if `by_time`
    speed: FloatArray | None
    rows_repeated: int = 0
    by_time: bool = False
    notes: tuple[str, ...] = ()


def match_rows(rows: SteeringRows, config: RecordingConfig, video: Path) -> Matched:
    """Match rows to the frames of `video`, which is only read if rows have times but no numbers."""
    rows = numbered_from_0(rows, config)
    if config.rows_per_s and rows.time_s is None and not rows.numbered:
        rows = replace(rows, time_s=np.arange(len(rows.angle)) / config.rows_per_s)
    if rows.time_s is None and config.match == "time":
        raise InputError(
            f'{rows.path.with_name(CONFIG_FILE)}: match = "time" requires times; '
            f"{rows.path.name} has no column time_s or ts_micro"
        )
    if config.match == "frame" or rows.time_s is None or (rows.numbered and not config.match):
        return _by_number(rows)
    frame_s = frame_times_s(video)
    start_s = _start_s(rows, frame_s)
    if not len(frame_s) or (not config.match and _agree(rows, frame_s, start_s)):
        return _by_number(rows)
    return _by_time(rows, frame_s, start_s)


def frame_times_s(video: Path) -> FloatArray:
    """Return the seconds of all frames after the first one, without decoding; empty if unknown."""
    try:
        with open_container(str(video)) as container:
            base = float(video_stream(container, str(video)).time_base or 0)
        stamps = read_stamps(str(video))
    except DriveError:  # whoever reads the video says what is wrong with it
        return np.zeros(0)
    result: FloatArray = (stamps - stamps[:1]) * base
    return result


def numbered_from_0(rows: SteeringRows, config: RecordingConfig) -> SteeringRows:
    """Return rows with the numbers of frames as the reader counts them."""
    if not (rows.numbered and config.first_frame):
        return rows
    numbers = rows.frame_index - config.first_frame
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise InputError(
            f"{rows.path}, row {row + HEADER_ROWS + 1}: frame must be at least "
            f"{config.first_frame}, the first_frame of {CONFIG_FILE}; got {rows.frame_index[row]}"
        )
    return replace(rows, frame_index=numbers)


def _by_number(rows: SteeringRows) -> Matched:
    """Keep the first row of each frame."""
    frames, order = np.unique(rows.frame_index, return_index=True)
    return Matched(
        frames,
        rows.angle[order],
        None if rows.time_s is None else rows.time_s[order],
        None if rows.speed is None else rows.speed[order],
        rows_repeated=len(rows.frame_index) - len(order),
    )


def _start_s(rows: SteeringRows, frame_s: FloatArray) -> float:
    """Return the time of the first row after the first frame.

    It is the recorded one, unless more rows meet a frame if the first row meets the first one.
    """
    assert rows.time_s is not None
    if not len(frame_s):
        return 0.0
    end_s = float(np.nanmax(rows.time_s))
    length_s = float(frame_s[-1])
    as_told_s = min(rows.start_s + end_s, length_s) - max(rows.start_s, 0.0)
    told = as_told_s >= SAME_START * min(end_s, length_s)
    same = len(rows.time_s) == len(frame_s) and _agree(rows, frame_s, 0.0)
    return rows.start_s if told and not same else 0.0


def _agree(rows: SteeringRows, frame_s: FloatArray, start_s: float) -> bool:
    """Return whether each row has the time of the frame in its place."""
    assert rows.time_s is not None
    count = min(len(frame_s), len(rows.time_s))
    apart_s = np.abs(start_s + rows.time_s[:count] - frame_s[:count])
    return bool(np.nanmax(apart_s) <= _usual(frame_s) / 2)


def _usual(times_s: FloatArray) -> float:
    steps_s = np.diff(times_s)
    return float(np.median(steps_s)) if len(steps_s) else 0.0


def _by_time(rows: SteeringRows, frame_s: FloatArray, start_s: float) -> Matched:
    """Interpolate between the rows around each frame, but not over gaps."""
    assert rows.time_s is not None
    times_s = start_s + rows.time_s
    forward = _forward(times_s)
    known = forward & np.isfinite(rows.angle)
    if not known.any():
        return replace(_by_number(rows), angle=np.full(len(np.unique(rows.frame_index)), np.nan))
    reached = _reached(frame_s, times_s[known])
    frames = np.flatnonzero(reached)
    at_s = frame_s[frames]
    speed = rows.speed
    return Matched(
        frames,
        np.interp(at_s, times_s[known], rows.angle[known]),
        at_s,
        None if speed is None else np.interp(at_s, times_s[forward], speed[forward]),
        by_time=True,
        notes=tuple(_notes(rows, frame_s, start_s, int((~forward).sum()))),
    )


def _forward(times_s: FloatArray) -> BoolArray:
    """Return which times are after all times before them."""
    latest = np.fmax.accumulate(np.nan_to_num(times_s, nan=-np.inf))
    forward = np.isfinite(times_s)
    forward[1:] &= latest[1:] > latest[:-1]
    return forward


def _reached(frame_s: FloatArray, row_s: FloatArray) -> BoolArray:
    """Return which frames are between two rows without a gap, or about one row from the next."""
    after = np.clip(np.searchsorted(row_s, frame_s), 1, max(1, len(row_s) - 1))
    before = after - 1
    after = np.minimum(after, len(row_s) - 1)
    inside = (row_s[before] <= frame_s) & (frame_s <= row_s[after])
    inside &= ~np.isin(before, wide_steps(row_s))
    near_s = np.minimum(np.abs(frame_s - row_s[before]), np.abs(frame_s - row_s[after]))
    return inside | (near_s <= max(_usual(row_s), _usual(frame_s) / 2))


def _notes(rows: SteeringRows, frame_s: FloatArray, start_s: float, left_out: int) -> Iterator[str]:
    assert rows.time_s is not None
    row_step_s, frame_step_s = _usual(rows.time_s), _usual(frame_s)
    if row_step_s > 0 and frame_step_s > 0:
        rates = f"{1 / row_step_s:.4g} rows and {1 / frame_step_s:.4g} frames per second"
        yield f"rows are matched to frames by time ({rates})"
    else:
        yield "rows are matched to frames by time"
    if start_s != rows.start_s:
        text = f"the times of the CSV start at {rows.start_s:.10g} s"
        yield f"{text}; its first row is taken for the time of the first frame"
    elif abs(start_s) > max(row_step_s, frame_step_s):
        way = "after" if start_s > 0 else "before"
        yield f"the first row of the CSV is {abs(start_s):.3g} s {way} the first frame"
    if left_out:
        text = f"{counted(left_out, 'row')} left out"
        yield f"{text}: the time is missing, or not after that of the row before"
