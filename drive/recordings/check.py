"""Checks of a recording: read all of it, report what is wrong, change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from drive.core.progress import Progress, no_progress
from drive.core.types import FloatArray
from drive.core.wording import are, counted, have, noun, some
from drive.recordings.diagnosis import Reading, diagnose
from drive.recordings.excluded import marked
from drive.recordings.findings import Finding
from drive.recordings.horizon import HorizonEstimate, estimate_horizon
from drive.recordings.labels import find_lag, is_keyboard, measure_turning, wide_steps
from drive.recordings.matching import numbered_from_0
from drive.recordings.motion import LagEstimate
from drive.recordings.recording import Recording
from drive.recordings.recording_config import CONFIG_FILE, others_tables
from drive.recordings.steering_csv import HEADER_ROWS, SteeringRows, read_steering_csv

WIDEST_STEERING_WHEEL_DEG = 720.0
"""Two full turns, the limit of steering wheels; front wheels stay under 50 degrees."""

STUCK_S = 5.0  # an angle other than zero that stays exactly the same for so long is suspicious
ZEROS_SHARE = 0.5  # share of exact zeros from which a network that always predicts zero looks good
DRIFT_S = 0.1
HORIZON_TOLERANCE = 0.05  # share of the height by which the estimate may differ
FULL_SCALE_TOLERANCE = 1.0001


@dataclass(frozen=True, slots=True)
class CheckNumbers:
    """What was measured on a recording; None where there is nothing to measure."""

    frames: int
    frames_lost: int
    frames_marked_bad: int
    rows: int
    seconds: float
    angle_min_deg: float | None
    angle_max_deg: float | None
    angle_std_deg: float | None
    zeros_share: float | None  # of the angles that are exactly zero
    lag_s: float | None  # by which the angles still trail the video
    lag_correlation: float | None  # of angles and turning of the image at that lag
    horizon: float  # share of the height from the top, as training would take it
    horizon_is: str  # "given", "estimated" or "assumed"
    horizon_estimate: float  # from motion
    horizon_trusted: bool


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found in one recording."""

    name: str
    numbers: CheckNumbers
    findings: list[Finding]
    config_file: Path | None = None  # the `recording.toml` of the recording, which may not exist
    confirmed: frozenset[str] = frozenset()  # its keys that the video shows to be right

    @property
    def problems(self) -> list[Finding]:
        """The findings that are more than notes."""
        return [finding for finding in self.findings if not finding.note]


def check_recording(recording: Recording, progress: Progress = no_progress) -> CheckReport:
    """Read every frame and every row of a recording and report what is wrong."""
    turning = measure_turning(recording, progress)
    reading = Reading(recording, _raw_rows(recording), turning.frame_index, turning.time_s)
    lag = find_lag(recording, turning)
    horizon = estimate_horizon(recording)
    diagnosis = diagnose(reading, turning, lag)
    checks = (
        _notes(recording),
        _pairing(reading),
        _duplicates(reading),
        _time_gaps(reading),
        _angles(reading),
        _drift(reading),
        _stuck(reading),
        _speeds(recording),
        _marks(reading),
        _others_tables(recording),
        _horizon_findings(recording, horizon),
    )
    others = [each for each in chain(*checks) if each.code not in diagnosis.explained]
    return CheckReport(
        recording.name,
        _numbers(reading, lag, horizon),
        [*diagnosis.findings, *others],
        recording.steering_csv.parent / CONFIG_FILE,
        diagnosis.confirmed,
    )


def _raw_rows(recording: Recording) -> SteeringRows:
    if not recording.images:
        rows = read_steering_csv(recording.steering_csv, recording.config.time_unit)
        return numbered_from_0(rows, recording.config)
    return SteeringRows(
        recording.steering_csv,
        recording.frame_index,
        recording.angle_deg.astype(np.float64),
        recording.time_s,
        recording.speed,
    )


def _numbers(reading: Reading, lag: LagEstimate | None, horizon: HorizonEstimate) -> CheckNumbers:
    recording, time_s = reading.recording, reading.time_s
    angles = recording.angle_deg[np.isfinite(recording.angle_deg)]
    given = recording.config.camera.horizon
    estimated = "estimated" if horizon.trusted else "assumed"
    return CheckNumbers(
        frames=len(reading.frame_index),
        frames_lost=recording.report.frames_lost,
        frames_marked_bad=int(marked(recording.bad, time_s).sum()),
        rows=len(reading.rows.frame_index),
        seconds=round(float(time_s[-1]), 3) if len(time_s) else 0.0,
        angle_min_deg=round(float(angles.min()), 3) if len(angles) else None,
        angle_max_deg=round(float(angles.max()), 3) if len(angles) else None,
        angle_std_deg=round(float(angles.std()), 3) if len(angles) else None,
        zeros_share=round(float((angles == 0).mean()), 4) if len(angles) else None,
        lag_s=lag.lag_s if lag else None,
        lag_correlation=round(lag.correlation, 3) if lag else None,
        horizon=horizon.share if given is None else given,
        horizon_is=estimated if given is None else "given",
        horizon_estimate=horizon.share,
        horizon_trusted=horizon.trusted,
    )


def _notes(recording: Recording) -> Iterator[Finding]:
    for text in recording.notes:
        yield Finding("assumed", text, note=True)


def _pairing(reading: Reading) -> Iterator[Finding]:
    recording = reading.recording
    if not (reading.rows.numbered or recording.by_time):
        text = "the CSV has no column frame: its rows are counted from 0"
        yield Finding("no_frame_column", text, note=True)
    if lost := recording.report.frames_lost:
        text = f"{counted(lost, 'frame')} {are(lost)} damaged or missing, and skipped"
        yield Finding("frames_lost", text)
    paired = recording.frame_index if recording.by_time else reading.rows.frame_index
    lonely = np.setdiff1d(paired, reading.frame_index)
    if count := len(lonely):
        text = f"{counted(count, 'row')} of the CSV without a frame in the video"
        yield Finding("rows_without_frames", f"{text}: {noun(count, 'frame')} {some(lonely)}")
    lonely = np.setdiff1d(reading.frame_index, paired)
    if count := len(lonely):
        text = f"{counted(count, 'frame')} {have(count)} no row: {some(lonely)}"
        yield Finding("frames_without_rows", text)


def _duplicates(reading: Reading) -> Iterator[Finding]:
    if reading.recording.by_time:
        return
    frames, counts = np.unique(reading.rows.frame_index, return_counts=True)
    repeated = frames[counts > 1]
    if count := len(repeated):
        text = f"{counted(count, 'frame')} {have(count)} several rows; the first is used"
        yield Finding("duplicates", f"{text}: {some(repeated)}")


def _time_gaps(reading: Reading) -> Iterator[Finding]:
    of_rows = None if reading.recording.images else reading.rows.time_s  # the same there
    for what, all_times in (("video", reading.time_s), ("CSV", of_rows)):
        if all_times is None:
            continue
        times = all_times[np.isfinite(all_times)]
        if len(times) < 3:
            continue
        steps_s = np.diff(times)
        wide = wide_steps(times)
        if len(wide):
            text = (
                f"{counted(len(wide), 'gap')} in the time of the {what}, "
                f"up to {steps_s[wide].max():.2f} s instead of {np.median(steps_s):.3f} s"
            )
            yield Finding("gaps", f"{text}, after entries {some(wide)}")
        still = np.flatnonzero(steps_s == 0)
        if len(still):
            text = f"{len(still)} entries of the {what} repeat the time of the entry before"
            yield Finding("time_stands_still", f"{text}, after entries {some(still)}")
        back = np.flatnonzero(steps_s < 0)
        if len(back):
            text = f"the time of the {what} goes backwards {len(back)} times"
            yield Finding("time_backwards", f"{text}, after entries {some(back)}")


def _angles(reading: Reading) -> Iterator[Finding]:
    config, angles = reading.recording.config, reading.recording.angle_deg
    missing = np.flatnonzero(np.isnan(reading.rows.angle))
    if count := len(missing):
        text = f"{counted(count, 'row')} {have(count)} no finite angle: {noun(count, 'row')}"
        yield Finding("non_finite", f"{text} {some(missing + HEADER_ROWS + 1)} of the file")
    normalised = config.unit == "normalised"
    full_scale_deg = config.full_scale_deg * FULL_SCALE_TOLERANCE
    limit = full_scale_deg if normalised else WIDEST_STEERING_WHEEL_DEG
    wide = np.flatnonzero(np.abs(np.nan_to_num(angles)) > limit)
    if len(wide):
        yield Finding(
            "out_of_range",
            f"{len(wide)} angles are beyond {limit:.0f} degrees, up to "
            f"{np.nanmax(np.abs(angles)):.0f}, at frames "
            f"{some(reading.recording.frame_index[wide])}; check unit in recording.toml",
        )
    known = angles[np.isfinite(angles)]
    if len(known) > 1 and np.ptp(known) == 0:
        yield Finding(
            "constant", f"the angle is {known[0]:g} degrees everywhere{_columns(reading)}"
        )
    zeros = float((known == 0).mean()) if len(known) else 0.0
    if zeros >= ZEROS_SHARE:
        text = f"{zeros:.0%} of the angles are exactly zero"
        yield Finding("zeros", f"{text}: compare errors with the baseline `zero`", note=True)
    if is_keyboard(angles, _row_times_s(reading)):
        text = "the steering looks like that of a keyboard: alike pulses from zero and back"
        told = f"{text}; train-steering smooths it (--no-smooth-labels: not)"
        yield Finding("keyboard", told, note=True)


def _columns(reading: Reading) -> str:
    """Name the columns among which the angle may be, if there are several."""
    columns = reading.rows.columns
    if len(columns) < 3:
        return ""
    return f"; check which column of {', '.join(columns)} holds it"


def _row_times_s(reading: Reading) -> FloatArray:
    """Return the times of the recording's rows, from the CSV or the rate of the video."""
    recording = reading.recording
    if recording.time_s is not None:
        return recording.time_s
    lasts_s = reading.time_s[-1] if len(reading.time_s) else 0.0
    rate = len(reading.time_s) / lasts_s if lasts_s > 0 else 1.0
    result: FloatArray = recording.frame_index / rate
    return result


def _drift(reading: Reading) -> Iterator[Finding]:
    times = reading.recording.time_s
    if times is None:
        return
    frames, in_rows, in_video = np.intersect1d(
        reading.recording.frame_index, reading.frame_index, return_indices=True
    )
    if len(frames) < 2:
        return
    apart_s = times[in_rows] - reading.time_s[in_video]
    frames, apart_s = frames[np.isfinite(apart_s)], apart_s[np.isfinite(apart_s)]
    if len(frames) < 2:
        return
    apart_s = apart_s - apart_s[0]
    worst = int(np.argmax(np.abs(apart_s)))
    how = "time" if reading.recording.by_time else "frame number"
    if abs(apart_s[worst]) > DRIFT_S:
        yield Finding(
            "drift",
            f"the times of CSV and video drift apart by up to {apart_s[worst]:+.2f} s "
            f"(frame {frames[worst]}), by {apart_s[-1]:+.2f} s at the end; "
            f"frames and rows are paired by {how}",
        )


def _stuck(reading: Reading) -> Iterator[Finding]:
    recording = reading.recording
    angles = recording.angle_deg
    times_s = _row_times_s(reading)
    starts = np.flatnonzero(np.diff(angles, prepend=np.nan) != 0)
    ends = np.append(starts[1:], len(angles)) - 1
    lengths_s = times_s[ends] - times_s[starts]
    for start, length_s in zip(starts, lengths_s, strict=True):
        if length_s >= STUCK_S and angles[start] != 0 and np.isfinite(angles[start]):
            text = f"the angle stays at exactly {angles[start]:g} degrees for {length_s:.1f} s"
            yield Finding("stuck", f"{text} from frame {recording.frame_index[start]}")


def _speeds(recording: Recording) -> Iterator[Finding]:
    speed = recording.speed
    if speed is None:
        return
    if unknown := int((~np.isfinite(speed)).sum()):
        usual = recording.config.car.speed_mps
        text = f"{unknown} of {len(speed)} speeds are not numbers; {usual:g} m/s is used for them"
        yield Finding("speed", text)
    if backwards := int((speed < 0).sum()):
        yield Finding("speed", f"{backwards} of {len(speed)} speeds are below 0; 0 is used")
    if len(speed) and (speed == 0).all():
        yield Finding("speed", "the speed is 0 in every row; check the column speed of the CSV")


def _marks(reading: Reading) -> Iterator[Finding]:
    marks, time_s = reading.recording.bad, reading.time_s
    if not marks:
        return
    count = int(marked(marks, time_s).sum())
    text = f"{count} of {counted(len(time_s), 'frame')} {are(count)} in excluded ranges"
    text = f"{text}, left out of training and evaluation: {some(marks)}"
    yield Finding("marked_bad", text, note=True)
    for mark in marks:
        if not marked([mark], time_s).any():
            yield Finding("mark_without_frames", f"no frame is in the excluded range {mark}")


def _others_tables(recording: Recording) -> Iterator[Finding]:
    if names := others_tables(recording.steering_csv.parent):
        text = f"recording.toml has tables that drive does not read: {some(names)}"
        yield Finding("unknown_table", text, note=True)


def _horizon_findings(recording: Recording, horizon: HorizonEstimate) -> Iterator[Finding]:
    given = recording.config.camera.horizon
    if given is None or not horizon.trusted or abs(given - horizon.share) <= HORIZON_TOLERANCE:
        return
    yield Finding(
        "horizon",
        f"the horizon is given as {given:g} of the height, but the motion of the image says "
        f"{horizon.share:g}; check the camera in recording.toml",
    )
