"""What is wrong with the labels of a recording, and the line of `recording.toml` that corrects it.

Rows are compared with the video first: their times, numbers and count. Then angles are compared
with the motion of the image: it shows which way and how fast a car turns, and when.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from drive.core.types import FloatArray, IntArray
from drive.recordings.findings import Finding, Fix
from drive.recordings.labels import NATURAL_LAG_S, Turning, find_lag
from drive.recordings.motion import (
    GRID_S,
    IMAGE_SIZE,
    MAXIMUM_LAG_S,
    LagEstimate,
    at_grid,
    estimate_lag,
    turning_rate,
)
from drive.recordings.recording import Recording
from drive.recordings.recording_config import CONFIG_FILE, own_values
from drive.recordings.steering_csv import TIME_UNITS, SteeringRows

SHORTEST_S = 5.0  # a shorter recording says nothing about units
THOUSAND = 1000.0
SAME_SCALE = 2.0  # times of row and video may differ by this factor and still be in one unit
SAME_SPAN = 0.1  # share by which rows and video may differ in length and still cover the same time
OTHER_RATE = 1.3  # rows per frame, or frames per row, from which the rates differ
CLEAR_RATE = 3.0  # and from which a recording that was cut off explains it no longer
ROUND_RATE = 5  # rates of loggers are multiples of this, up to
RATE_TOLERANCE = 0.01
BETTER = 0.2  # by how much a correlation must rise to show the right rate

SURE_CORRELATION = 0.6
SURE_STRENGTH = 2.9  # of a lag, in standard errors
SAME_LAG_S = 0.2  # by which the lags of both halves may differ

FULL_SCALE = 1.0005  # largest normalised angle, with a margin for rounding
AT_STOPS = 0.4  # share of a wrong gain that is enough if angles stop at exactly full scale
STOPS = 3  # rows at exactly full scale, at least, that tell a normalised angle
STILL_DEG_S = 0.3  # an image that turns less does not move
USUAL_GAIN = 0.72
"""Measured turning over that of the recorded angle and speed: 0.52 to 1.0 where unit and speed are
known, as the measured image covers more than the horizon."""

WRONG_GAIN = 5.0  # from which the angles are too small, whatever the camera
WRONG_SPEED_MPS = 100.0  # the same where the speed is not recorded
CLEAR_UNIT = 0.1  # by how much (in logarithms) one unit must explain the gain better than another
DECIMALS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A recording after one pass over its frames."""

    recording: Recording
    rows: SteeringRows  # all of them, numbered from `first_frame`
    frame_index: IntArray
    time_s: FloatArray

    @property
    def by_number(self) -> bool:
        """Whether the column frame of the CSV is used."""
        return self.rows.numbered and not self.recording.by_time


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, and the keys of `recording.toml` that the video confirms as they are."""

    findings: tuple[Finding, ...]
    confirmed: frozenset[str]
    explained: frozenset[str]  # codes of other findings, which say the same less clearly


def diagnose(reading: Reading, turning: Turning, lag: LagEstimate | None) -> Diagnosis:
    """Return what is wrong with the labels, as far as the video tells."""
    rows = list(_rows(reading, turning, lag))
    explained = {code for each in rows if _is_sure(each) for code in EXPLAINS[each.code]}
    confirmed = set(_confirmed_by_rows(reading)) if not rows else set()
    in_place = reading.by_number and all(each.code in ANGLES_IN_PLACE for each in rows)
    if rows and not in_place:
        return Diagnosis(tuple(rows), frozenset(), frozenset(explained))
    motion = _motion(reading.recording, turning, lag)
    angles = [*_unit(reading, motion), *_sign(reading, motion), *_lag(reading, turning, motion)]
    confirmed |= set(_confirmed_by_motion(motion)) - {f.fix.key for f in angles if f.fix}
    return Diagnosis((*rows, *angles), frozenset(confirmed), frozenset(explained))


ANGLES_IN_PLACE = ("first_frame", "time_unit")  # or one frame away
EXPLAINS = {
    "time_unit": ("drift", "gaps", "frames_without_rows", "stuck"),
    "row_numbers": ("drift", "rows_without_frames", "frames_without_rows", "stuck"),
    "row_rate": ("rows_without_frames", "frames_without_rows", "stuck"),
    "first_frame": ("drift", "rows_without_frames", "frames_without_rows"),
}


def _is_sure(finding: Finding) -> bool:
    return finding.fix is not None and finding.fix.sure


def _rows(reading: Reading, turning: Turning, lag: LagEstimate | None) -> Iterator[Finding]:
    """Yield why rows and frames do not belong together."""
    if reading.recording.images or len(reading.time_s) < 3:
        return
    unit = _time_unit(reading)
    if unit:
        yield unit
    if unit and not reading.by_number:
        return
    numbers = None if unit else _row_numbers(reading)
    if found := numbers or _first_frame(reading) or _row_rate(reading, turning, lag):
        yield found


def _time_unit(reading: Reading) -> Finding | None:
    unit = reading.rows.time_unit
    power = _thousands(reading)
    if unit is None or not power:
        return None
    units = sorted(TIME_UNITS, key=lambda name: TIME_UNITS[name])
    place = units.index(unit) - power
    if not 0 <= place < len(units):
        return None
    text = (
        f"the times of the CSV advance {THOUSAND ** abs(power):g} times too "
        f"{'fast' if power > 0 else 'slowly'} for the video: they are {units[place]}, not {unit}"
    )
    off = abs(math.log(_span_ratio(reading) / THOUSAND**power))
    sure = reading.by_number or off < math.log(SAME_SCALE)
    return _fixable("time_unit", text, Fix("time_unit", units[place], sure))


def _thousands(reading: Reading) -> int:
    """Return the power of 1000 by which the times of the rows are too large; 0 if they fit."""
    ratio = _span_ratio(reading)
    if not ratio:
        return 0
    power = round(math.log(ratio, THOUSAND))
    return power if abs(math.log(ratio / THOUSAND**power)) < math.log(THOUSAND) / 3 else 0


def _span_ratio(reading: Reading) -> float:
    """Return the seconds of the rows over those of the same frames; 0 if unknown."""
    rows, video_s = reading.rows, reading.time_s
    if rows.time_s is None:
        return 0.0
    row_s: FloatArray = rows.time_s
    if reading.by_number:
        _, in_rows, in_video = np.intersect1d(
            rows.frame_index, reading.frame_index, return_indices=True
        )
        row_s, video_s = row_s[in_rows], video_s[in_video]
    row_s = row_s[np.isfinite(row_s)]
    if len(row_s) < 3 or len(video_s) < 3:
        return 0.0
    span_s, video_span_s = float(np.ptp(row_s)), float(np.ptp(video_s))
    return span_s / video_span_s if span_s > 0 and video_span_s > 0 else 0.0


def _row_numbers(reading: Reading) -> Finding | None:
    """The column frame counts rows of another rate, but the times tell."""
    rows = reading.rows
    if rows.time_s is None or not reading.by_number:
        return None
    steps_s, steps = np.diff(rows.time_s), np.diff(rows.frame_index)
    usual = np.flatnonzero((steps > 0) & (steps_s > 0))
    if not len(usual):
        return None
    row_step_s = float(np.median(steps_s[usual] / steps[usual]))
    frame_step_s = float(np.median(np.diff(reading.time_s)))
    ratio = frame_step_s / row_step_s if frame_step_s > 0 else 1.0
    row_span_s = float(np.ptp(rows.time_s[np.isfinite(rows.time_s)]))
    span = row_span_s / max(float(np.ptp(reading.time_s)), 1e-9)
    if max(ratio, 1 / ratio) < OTHER_RATE or abs(span - 1) > SAME_SPAN:
        return None
    text = (
        f"the column frame counts {1 / row_step_s:.4g} rows per second, but the video has "
        f"{1 / frame_step_s:.4g} frames per second; the times of both last equally long"
    )
    return _fixable("row_numbers", text, Fix("match", "time"))


def _first_frame(reading: Reading) -> Finding | None:
    rows, frames = reading.rows, reading.frame_index
    if not reading.by_number:
        return None
    first, last, end = int(rows.frame_index.min()), int(rows.frame_index.max()), int(frames[-1])
    if first <= 0 or frames[0] != 0:
        return None
    exactly = last - first == end
    if not exactly and first != 1:
        return None
    start = reading.recording.config.first_frame
    text = f"rows are numbered from {start + first} to {start + last}"
    text = f"{text}, the frames of the video from {start} to {start + end}"
    return _fixable("first_frame", text, Fix("first_frame", start + first, exactly))


def _row_rate(reading: Reading, turning: Turning, lag: LagEstimate | None) -> Finding | None:
    """Rows have neither numbers nor times, and there are far more or fewer of them than frames."""
    rows, frames = len(reading.rows.angle), len(reading.frame_index)
    plain = not reading.rows.numbered and reading.rows.time_s is None
    if not plain or reading.recording.by_time or max(rows / frames, frames / rows) < OTHER_RATE:
        return None
    step_s = float(np.median(np.diff(reading.time_s)))
    rate = rows / (float(np.ptp(reading.time_s)) + step_s)
    nearest = max(ROUND_RATE, ROUND_RATE * round(rate / ROUND_RATE))
    is_round = abs(rate / nearest - 1) < RATE_TOLERANCE
    text = (
        f"the CSV has {rows} rows without frame numbers or times, the video {frames} frames: "
        f"the rows may have been recorded at another rate, {rate:.4g} per second"
    )
    value = nearest if is_round else round(rate, 2)
    better = _fits_better(reading, turning, lag, value)
    if lag and lag.trusted and abs(lag.correlation) > SURE_CORRELATION and not better:
        return None  # one of the two was cut off
    shown = better or rows / frames >= CLEAR_RATE
    return _fixable("row_rate", text, Fix("rows_per_s", value, is_round and shown))


def _fits_better(reading: Reading, turning: Turning, lag: LagEstimate | None, rate: float) -> bool:
    """Return whether the motion of the image goes with rows at a rate, and less with each frame."""
    angles = reading.rows.angle
    known = np.isfinite(angles)
    row_s = np.arange(len(angles)) / rate
    found = estimate_lag(turning.time_s, turning.turn_px, row_s[known], angles[known])
    before = abs(lag.correlation) if lag else 0.0
    return found is not None and found.trusted and abs(found.correlation) > before + BETTER


def _confirmed_by_rows(reading: Reading) -> Iterator[str]:
    if _span_ratio(reading) and not _thousands(reading):
        yield "time_unit"
    if reading.by_number:
        yield "match"
        if reading.rows.frame_index.min() == 0:
            yield "first_frame"


@dataclass(frozen=True, slots=True)
class _Motion:
    """How the image turns, and how that goes with the angles."""

    lag: LagEstimate | None
    turning_deg_s: float  # spread of the turning of the image
    gain: float | None  # its turning over that expected from angle and speed, at 1 m/s if unknown
    spread_gain: float | None  # the same of the spreads, whether or not they agree in time
    speed_known: bool

    @property
    def wrong_gain(self) -> float:
        """The gain above which angles are too small."""
        return WRONG_GAIN if self.speed_known else WRONG_SPEED_MPS


def _motion(recording: Recording, turning: Turning, lag: LagEstimate | None) -> _Motion:
    wheel_s, expected = _expected_turning(recording, turning)
    speed_known = recording.speed is not None
    if len(wheel_s) < 3 or len(turning.time_s) < 3 or np.ptp(turning.time_s) < SHORTEST_S:
        return _Motion(lag, 0.0, None, None, speed_known)
    shift_s = lag.lag_s if lag else 0.0
    grid_s = np.arange(turning.time_s[0] + 1, turning.time_s[-1] - 1, GRID_S)
    focal_px = recording.config.camera.view(*IMAGE_SIZE).focal_x
    seen = turning_rate(turning.time_s, turning.turn_px, grid_s) / focal_px
    wanted = at_grid(wheel_s, expected, grid_s + shift_s)
    spread = float(wanted.std())
    gain = spread_gain = None
    if spread > 0:
        spread_gain = float(seen.std()) / spread
        if lag and lag.trusted:
            gain = abs(float(np.mean((seen - seen.mean()) * (wanted - wanted.mean())))) / spread**2
    return _Motion(lag, math.degrees(float(seen.std())), gain, spread_gain, speed_known)


def _expected_turning(recording: Recording, turning: Turning) -> tuple[FloatArray, FloatArray]:
    """Return times, and the turning in radians per second of the recorded angles and speeds."""
    _, in_rows, in_video = np.intersect1d(
        recording.frame_index, turning.frame_index, return_indices=True
    )
    car = recording.config.car
    curvature = np.radians(recording.angle_deg[in_rows].astype(np.float64)) / (
        car.steering_ratio * car.wheelbase_m
    )
    if recording.speed is not None:
        curvature = curvature * recording.speed_mps[in_rows]
    known = np.isfinite(curvature)
    return turning.time_s[in_video][known], curvature[known]


def _unit(reading: Reading, motion: _Motion) -> Iterator[Finding]:
    """Angles that are radians or normalised, but are taken for degrees."""
    if reading.recording.config.unit != "degrees":
        return
    recorded = reading.rows.angle[np.isfinite(reading.rows.angle)]
    if not len(recorded) or np.ptp(recorded) == 0 or np.ptp(reading.time_s) < SHORTEST_S:
        return
    low, high = float(recorded.min()), float(recorded.max())
    told = f"angles are from {low:.3g} to {high:.3g}"
    if motion.gain is not None:
        doubtful = motion.wrong_gain * (AT_STOPS if _at_stops(recorded) else 1)
        if motion.gain > doubtful:
            unit, sure = _other_unit(reading, motion, recorded)
            text = f"{told}, but the image turns {_times_too_fast(motion)}: {_perhaps(unit, sure)}"
            yield _fixable("unit", text, Fix("unit", unit, sure))
        return
    if max(-low, high) > FULL_SCALE or "unit" in own_values(reading.recording.steering_csv.parent):
        return
    still = motion.turning_deg_s < STILL_DEG_S or motion.spread_gain is None
    if still or (motion.spread_gain or 0) > motion.wrong_gain:
        unit = "normalised" if _at_stops(recorded) else "radians"
        text = f"{told}: they may be radians or normalised, not degrees"
        yield _fixable("unit", text, Fix("unit", unit, sure=False))


def _times_too_fast(motion: _Motion) -> str:
    assert motion.gain is not None
    if motion.speed_known:
        return f"{motion.gain / USUAL_GAIN:.0f} times as fast as they say"
    return f"as if the car drove {motion.gain:.0f} m/s"


def _perhaps(unit: str, sure: bool) -> str:
    return f"they are {unit}, not degrees" if sure else "they may be radians or normalised"


def _other_unit(reading: Reading, motion: _Motion, recorded: FloatArray) -> tuple[str, bool]:
    """Return the unit that explains the turning, and whether only that one does."""
    if float(np.abs(recorded).max()) > FULL_SCALE:
        return "radians", True
    if _at_stops(recorded):
        return "normalised", True
    if not motion.speed_known:
        return "radians", False
    assert motion.gain is not None
    full_scale_deg = reading.recording.config.full_scale_deg
    radians = abs(math.log(motion.gain / math.degrees(1) / USUAL_GAIN))
    normalised = abs(math.log(motion.gain / full_scale_deg / USUAL_GAIN))
    unit = "radians" if radians < normalised else "normalised"
    return unit, abs(radians - normalised) > CLEAR_UNIT


def _at_stops(recorded: FloatArray) -> bool:
    """Return whether several angles are exactly at full scale, and none beyond."""
    size = np.abs(recorded)
    return bool((np.abs(size - 1) < FULL_SCALE - 1).sum() >= STOPS and size.max() <= FULL_SCALE)


def _sign(reading: Reading, motion: _Motion) -> Iterator[Finding]:
    lag = motion.lag
    if lag is None or not lag.trusted or lag.correlation > 0:
        return
    other = "right" if reading.recording.config.positive == "left" else "left"
    text = (
        "the image turns the other way than the wheel "
        f"(correlation {lag.correlation:+.2f}): positive angles are to the {other}"
    )
    sure = lag.correlation < -SURE_CORRELATION
    yield _fixable("sign", text, Fix("positive", other, sure))


def _lag(reading: Reading, turning: Turning, motion: _Motion) -> Iterator[Finding]:
    lag, recording = motion.lag, reading.recording
    if lag is None or not lag.trusted:
        return
    if NATURAL_LAG_S[0] <= lag.lag_s <= NATURAL_LAG_S[1]:
        return
    way = "trails" if lag.lag_s > 0 else "leads"
    text = (
        f"the angle {way} the video by about {abs(lag.lag_s):.2f} s "
        f"(correlation {lag.correlation:+.2f})"
    )
    total_s = round(recording.config.lag_s + lag.lag_s, DECIMALS)
    found = abs(lag.lag_s) < MAXIMUM_LAG_S - GRID_S and lag.strength >= SURE_STRENGTH
    sure = found and _halves_agree(recording, turning, lag)
    yield _fixable("lag", text, Fix("lag_s", total_s, sure))


def _halves_agree(recording: Recording, turning: Turning, lag: LagEstimate) -> bool:
    """Return whether each half of the recording shows the lag on its own."""
    middle = len(turning.time_s) // 2
    for part in (slice(None, middle), slice(middle, None)):
        half = Turning(turning.frame_index[part], turning.time_s[part], turning.turn_px[part])
        found = find_lag(recording, half)
        if found is None or abs(found.lag_s - lag.lag_s) > SAME_LAG_S:
            return False
    return True


def _confirmed_by_motion(motion: _Motion) -> Iterator[str]:
    if motion.lag is None or not motion.lag.trusted:
        return
    yield "positive"
    if motion.lag.strength >= SURE_STRENGTH:
        yield "lag_s"
    if motion.gain is not None and motion.gain < motion.wrong_gain:
        yield "unit"


def _fixable(code: str, text: str, fix: Fix) -> Finding:
    """Return a finding that ends with the line to write."""
    how = "write" if fix.sure else "if so, write"
    return replace(Finding(code, f"{text}; {how} {fix.line} in {CONFIG_FILE}"), fix=fix)
