"""Recognise steering with a keyboard: pulses from zero and back, made of the same few steps.

A key turns the wheel at one speed, and letting go turns it back to exactly zero. So the angle is
zero between short pulses, and the pulses share their values (an even frame rate) or their speeds.
A joystick springs back too, but takes any value at any speed. A steering wheel stays nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drive.core.types import BoolArray, FloatArray

ZEROS_SHARE = 0.2  # least share of exact zeros; 0.70 in the simulator's recording with a keyboard
FEWEST_PULSES, PULSES_A_MINUTE = 5, 3.0
LONGEST_PULSE_S = 1.5  # half of the pulses are shorter; 0.2 s in that recording
SMALLEST_PEAK_DEG = 1.5  # half of the pulses reach more; sensors of wheels flicker by 0.1 to 1
FEWEST_TIMES = 3  # pulses that share a value, at least, and at least this share of all pulses:
COMMON_SHARE = 0.04
SAME_VALUES = 0.3  # share of the values of pulses that must be such; joystick 0.05, keyboard 0.5
SAME_SPEEDS = 0.6  # share of the speeds within 15 % of the two commonest; joystick 0.3
SPEED_TOLERANCE = 0.15
SATURATED = 0.999  # of the largest angle: the end stop tells nothing


@dataclass(frozen=True, slots=True, eq=False)
class _Pulse:
    """The angles between two zeros, in degrees without their sign, and their times."""

    size_deg: FloatArray
    time_s: FloatArray


def is_keyboard(angle_deg: FloatArray, time_s: FloatArray) -> bool:
    """Return whether angles look as if they were steered with the keys of a keyboard.

    Both are (N,); angles that are not finite are ignored. False if there are too few to tell.

    Example:
        >>> is_keyboard(recording.angle_deg, recording.row_times_s())
        True
    """
    known = np.isfinite(angle_deg) & np.isfinite(time_s)
    angles: FloatArray = np.asarray(angle_deg, np.float64)[known]
    times_s: FloatArray = np.asarray(time_s, np.float64)[known]
    if len(angles) < 2 or (angles == 0).mean() < ZEROS_SHARE:
        return False
    pulses = list(_pulses(angles, times_s))
    minutes = float(np.ptp(times_s)) / 60
    if len(pulses) < max(FEWEST_PULSES, PULSES_A_MINUTE * minutes):
        return False
    return _short_and_high(pulses) and (_same_values(pulses) or _same_speeds(pulses))


def _pulses(angles: FloatArray, times_s: FloatArray) -> Iterator[_Pulse]:
    """Yield the parts between zeros."""
    borders = np.flatnonzero(np.diff((angles != 0).astype(int), prepend=0, append=0))
    for start, end in borders.reshape(-1, 2):
        yield _Pulse(np.abs(angles[start:end]), times_s[start:end])


def _short_and_high(pulses: list[_Pulse]) -> bool:
    lengths_s = [np.ptp(pulse.time_s) for pulse in pulses]
    peaks_deg = [pulse.size_deg.max() for pulse in pulses]
    return bool(np.median(lengths_s) < LONGEST_PULSE_S and np.median(peaks_deg) > SMALLEST_PEAK_DEG)


def _same_values(pulses: list[_Pulse]) -> bool:
    """Return whether many values are in several pulses; each counts once per pulse."""
    values = np.concatenate([np.unique(pulse.size_deg.round(3)) for pulse in pulses])
    inner = values[_unsaturated(values)]
    if not len(inner):
        return True  # full left, nothing, full right
    times = np.unique(inner, return_counts=True)[1]
    common = times >= max(FEWEST_TIMES, COMMON_SHARE * len(pulses))
    return bool(times[common].sum() >= SAME_VALUES * len(inner))


def _same_speeds(pulses: list[_Pulse]) -> bool:
    """Return whether the angle moves at one or two speeds: of pressing and of letting go."""
    largest = max(pulse.size_deg.max() for pulse in pulses)
    speeds = np.sort(np.concatenate([_speeds(pulse, largest) for pulse in pulses]))
    if len(speeds) < FEWEST_TIMES * FEWEST_PULSES:
        return False
    share = 0.0
    for _ in range(2):
        near = _largest_group(speeds)
        share, speeds = share + near.sum(), speeds[~near]
    return bool(share >= SAME_SPEEDS * (share + len(speeds)))


def _speeds(pulse: _Pulse, largest: float) -> FloatArray:
    """Return the speeds within a pulse, without standing still and the end stop."""
    inside = pulse.size_deg < SATURATED * largest
    steps_deg, steps_s = np.abs(np.diff(pulse.size_deg)), np.diff(pulse.time_s)
    moving = (steps_deg > 0) & (steps_s > 0) & inside[1:] & inside[:-1]
    result: FloatArray = steps_deg[moving] / steps_s[moving]
    return result


def _largest_group(speeds: FloatArray) -> BoolArray:
    """Return which of the sorted speeds belong to the largest group of nearly equal ones."""
    near = np.zeros(len(speeds), bool)
    if not len(speeds):
        return near
    low = np.searchsorted(speeds, speeds * (1 - SPEED_TOLERANCE), side="left")
    high = np.searchsorted(speeds, speeds * (1 + SPEED_TOLERANCE), side="right")
    best = int((high - low).argmax())
    near[low[best] : high[best]] = True
    return near


def _unsaturated(values: FloatArray) -> BoolArray:
    result: BoolArray = values < SATURATED * values.max()
    return result
