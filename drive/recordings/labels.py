"""Clean labels: correct a lag of the angles behind the video, and smooth jerky angles.

Both use true timestamps and do not cross gaps. Smoothing is symmetric in time, so it adds no delay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.files import atomic_or_refused
from drive.core.progress import Progress, no_progress
from drive.core.types import FloatArray, IntArray
from drive.recordings.excluded import marked
from drive.recordings.keyboard import is_keyboard as is_keyboard
from drive.recordings.motion import LagEstimate, TurnMeter, estimate_lag

if TYPE_CHECKING:
    from drive.recordings.recording import Recording

TURNING_VERSION = 1  # increases when the measurement changes, so that stored ones are made again
GAP_STEPS = 5.0
MINIMUM_GAP_S = 0.5
NATURAL_LAG_S = (-0.6, 0.06)
"""A car reacts to the wheel with a delay (0.02 to 0.52 s in our simulators), so an angle that leads
the video by so much is normal; one that trails it was recorded late."""

WIDEST_SMOOTHING_S = 5.0
PASSES = 2  # two box filters in turn are a triangle, which leaves no corners
SHORTEST_S = 1e-6  # a box narrower than this is a single moment


@dataclass(frozen=True, slots=True, eq=False)
class Turning:
    """How the image of a recording turns, frame by frame; `turn_px` is measured by `TurnMeter`."""

    frame_index: IntArray
    time_s: FloatArray
    turn_px: FloatArray


@dataclass(frozen=True, slots=True)
class LagVerdict:
    """What was found about the lag of the labels."""

    applied_s: float  # by which the labels were moved earlier; 0 if they were not
    lag: LagEstimate | None  # None if the recording is too short or does not turn
    text: str  # one line for people


def wide_steps(time_s: FloatArray) -> IntArray:
    """Return positions after which there is a gap: a step far above the usual one."""
    steps_s = np.diff(time_s)
    if len(steps_s) < 2:
        return np.zeros(0, np.int64)
    usual_s = float(np.median(steps_s))
    return np.flatnonzero(steps_s > max(GAP_STEPS * usual_s, MINIMUM_GAP_S))


def stretches(time_s: FloatArray) -> Iterator[slice]:
    """Yield the parts without a gap, in which time does not go backwards."""
    borders = np.union1d(wide_steps(time_s), np.flatnonzero(np.diff(time_s) < 0)) + 1
    ends = [0, *borders.tolist(), len(time_s)]
    for start, end in pairwise(ends):
        yield slice(start, end)


def without_lag(angle_deg: FloatArray, time_s: FloatArray, lag_s: float) -> FloatArray:
    """Return the angle of each moment, which was recorded `lag_s` later, as float32.

    At the end of a part without gaps the last angle stays. Unknown angles stay NaN.
    """
    known = np.flatnonzero(np.isfinite(angle_deg) & np.isfinite(time_s))
    moved = np.full(len(angle_deg), np.nan, np.float32)
    for part in stretches(time_s[known]):
        rows = known[part]
        moved[rows] = np.interp(time_s[rows] + lag_s, time_s[rows], angle_deg[rows])
    return moved


def smoothed(angle_deg: FloatArray, time_s: FloatArray, width_s: float) -> FloatArray:
    """Average the angle over a triangle of `width_s` seconds around each moment; 0 changes nothing.

    Removes the steps of steering with a keyboard. The angle is a straight line between rows, so
    uneven times do not shift it. The triangle narrows towards the ends of a part without gaps.
    """
    check_smoothing(width_s)
    result = np.asarray(angle_deg, np.float32).copy()
    known = np.flatnonzero(np.isfinite(angle_deg) & np.isfinite(time_s))
    for part in stretches(time_s[known]):
        rows = known[part]
        times = time_s[rows] - time_s[rows[0]]
        values: FloatArray = angle_deg[rows].astype(np.float64)
        for _ in range(PASSES):
            values = _boxed(values, times, width_s / PASSES)
        result[rows] = values
    return result


def _boxed(values: FloatArray, time_s: FloatArray, width_s: float) -> FloatArray:
    """Return the mean of the line through `values` over `width_s`, less at the ends."""
    half_s = np.minimum(width_s / 2, np.minimum(time_s - time_s[0], time_s[-1] - time_s))
    wide = half_s > SHORTEST_S
    if not wide.any():
        return values
    steps_s = np.diff(time_s)
    whole = np.concatenate([[0.0], np.cumsum(steps_s * (values[:-1] + values[1:]) / 2)])
    slopes = np.diff(values) / np.maximum(steps_s, SHORTEST_S)

    def integral(until_s: FloatArray) -> FloatArray:
        row = np.clip(np.searchsorted(time_s, until_s, side="right") - 1, 0, len(slopes) - 1)
        after_s = until_s - time_s[row]
        result: FloatArray = whole[row] + after_s * (values[row] + slopes[row] * after_s / 2)
        return result

    centre, half = time_s[wide], half_s[wide]
    result = values.copy()
    result[wide] = (integral(centre + half) - integral(centre - half)) / (2 * half)
    return result


def check_smoothing(width_s: float) -> float:
    """Return the seconds to smooth labels over; raise `InputError` if they are out of range."""
    if not 0 <= width_s <= WIDEST_SMOOTHING_S:
        raise InputError(
            f"--smooth-labels must be from 0 to {WIDEST_SMOOTHING_S:g} seconds; got {width_s:g}"
        )
    return width_s


def smooth_labels(recording: Recording, width_s: float) -> Recording:
    """Return the recording with smoothed angles, or with unsmoothed ones if the width is 0."""
    return recording.relabelled(replace(recording.labels, smooth_s=check_smoothing(width_s)))


def measure_turning(recording: Recording, progress: Progress = no_progress) -> Turning:
    """Read every frame and measure how the image turns."""
    meter = TurnMeter()
    index, time_s, turn_px = [], [], []
    for frame in progress(recording.frames(), len(recording.frame_index), recording.name):
        index.append(frame.index)
        time_s.append(frame.time_s)
        turn_px.append(meter.step(frame.image))
    return Turning(np.array(index, np.int64), np.array(time_s), np.array(turn_px))


def stored_turning(
    recording: Recording, folder: str | Path, progress: Progress = no_progress
) -> Turning:
    """Return `measure_turning`, stored in `folder` so that frames are read only once."""
    file = Path(folder) / f"{recording.file_name('turning', TURNING_VERSION)}.npz"
    if file.exists():
        with np.load(file) as kept:
            return Turning(**kept)
    turning = measure_turning(recording, progress)
    with atomic_or_refused(file) as part:
        np.savez(part, **asdict(turning))
    return turning


def find_lag(recording: Recording, turning: Turning) -> LagEstimate | None:
    """Return the lag of the angles; if the speed is known, of angle times speed, the yaw."""
    frames, in_rows, in_video = np.intersect1d(
        recording.frame_index, turning.frame_index, return_indices=True
    )
    wheel = recording.angle_deg[in_rows].astype(np.float64)
    if recording.speed is not None and np.isfinite(recording.speed).mean() > 0.5:
        # without the sign of the speed, which is not that of the wheel
        wheel = wheel * np.abs(recording.speed[in_rows])
    known = np.isfinite(wheel) & ~marked(recording.bad, turning.time_s[in_video])
    if known.sum() < len(frames) / 2:
        return None
    times_s = turning.time_s[in_video][known]
    return estimate_lag(turning.time_s, turning.turn_px, times_s, wheel[known])


def correct_lag(recording: Recording, turning: Turning) -> tuple[Recording, LagVerdict]:
    """Correct the lag between video and angles if it is larger than the delay of a car."""
    lag = find_lag(recording, turning)
    if lag is None:
        return recording, _left_alone(recording, lag, "too short, or it never turns")
    found = f"{lag.lag_s:+.2f} s, correlation {lag.correlation:+.2f}"
    if not lag.trusted:
        return recording, _left_alone(recording, lag, f"image and wheel do not agree ({found})")
    if lag.correlation < 0:
        why = f"the image turns the other way than the wheel ({found}): is positive to the left?"
        return recording, _left_alone(recording, lag, why)
    if NATURAL_LAG_S[0] <= lag.lag_s <= NATURAL_LAG_S[1]:
        return recording, _left_alone(recording, lag, f"the usual delay of a car ({found})")
    config = replace(recording.config, lag_s=round(recording.config.lag_s + lag.lag_s, 3))
    labels = replace(recording.labels, lag_s=recording.labels.lag_s + lag.lag_s)
    text = f"{recording.name}: labels moved by a lag of {found}"
    moved = replace(recording.relabelled(labels), config=config)
    return moved, LagVerdict(lag.lag_s, lag, text)


def _left_alone(recording: Recording, lag: LagEstimate | None, why: str) -> LagVerdict:
    return LagVerdict(0.0, lag, f"{recording.name}: lag of the labels not corrected: {why}")
