"""Measure how the image turns, and by how much the recorded angles trail it.

The far scene shifts sideways in proportion to the yaw and so to the steering angle. Correlating the
two over time shifts shows a lag and a wrong sign without calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from drive.core.types import Array, FloatArray, Image

IMAGE_SIZE = (160, 90)  # (width, height) of measured images; a pixel is about 0.4 degrees of yaw
FAR_BAND = (0.25, 0.60)  # share of the height around the horizon, with little forward motion
GRID_S = 0.02
MAXIMUM_LAG_S = 1.0
SMOOTHING_S = 0.2
MINIMUM_OVERLAP_S = 5.0
MINIMUM_CORRELATION = 0.35  # below this, image and angles do not agree and no lag is suggested
MINIMUM_STRENGTH = 2.0
"""Of the correlation, in standard errors of no correlation at all. 25 seconds of a motorway reach
1.2; recordings of a minute or more with bends 2.1 to 12."""


@dataclass(frozen=True, slots=True)
class LagEstimate:
    """The lag of the recorded angles behind the video."""

    lag_s: float  # by which the angles trail the video; negative if they lead
    correlation: float  # of turning and angle at that lag; negative: positive angles turn left
    moments: float = math.inf  # number of independent ones: the duration over how long a bend lasts

    @property
    def strength(self) -> float:
        """The correlation in standard errors of no correlation."""
        return abs(self.correlation) * math.sqrt(self.moments)

    @property
    def trusted(self) -> bool:
        """Whether image and angles agree well enough, for long enough."""
        agree = abs(self.correlation) >= MINIMUM_CORRELATION
        return agree and self.strength >= MINIMUM_STRENGTH


class TurnMeter:
    """Measures how far the scene moves sideways from frame to frame, in constant memory."""

    def __init__(self) -> None:
        self._last: Array | None = None
        self._window: Array | None = None

    def step(self, image: Image) -> float:
        """Return the turn since the last RGB image in pixels of `IMAGE_SIZE`, positive right."""
        small = cv2.resize(image, IMAGE_SIZE, interpolation=cv2.INTER_AREA)
        top, bottom = (round(share * IMAGE_SIZE[1]) for share in FAR_BAND)
        band = cv2.cvtColor(small[top:bottom], cv2.COLOR_RGB2GRAY).astype(np.float32)
        if self._window is None:
            self._window = cv2.createHanningWindow(band.shape[::-1], cv2.CV_32F)
        last, self._last = self._last, band
        if last is None:
            return 0.0
        (shift, _), _ = cv2.phaseCorrelate(last, band, self._window)
        return -float(shift)


def estimate_lag(
    time_s: FloatArray, turn_px: FloatArray, angle_time_s: FloatArray, angle_deg: FloatArray
) -> LagEstimate | None:
    """Return the time shift at which the turning of the image and the angles correlate most.

    `turn_px` is from `TurnMeter`. Angles are finite, in any scale, and may be multiplied by speed.
    None if the recording is too short, or the angle or the image never changes.
    """
    if len(time_s) < 3 or len(angle_deg) < 3:
        return None
    start, end = max(time_s[0], angle_time_s[0]), min(time_s[-1], angle_time_s[-1])
    if end - start < MINIMUM_OVERLAP_S + 2 * MAXIMUM_LAG_S:
        return None
    grid_s = np.arange(start + MAXIMUM_LAG_S, end - MAXIMUM_LAG_S, GRID_S)
    turning = _standard(turning_rate(time_s, turn_px, grid_s))
    if turning is None:
        return None
    lags_s = np.arange(-MAXIMUM_LAG_S, MAXIMUM_LAG_S + GRID_S / 2, GRID_S)
    correlations = []
    for lag_s in lags_s:
        angles = _standard(at_grid(angle_time_s, angle_deg, grid_s + lag_s))
        if angles is None:
            return None
        correlations.append(float(np.mean(turning * angles)))
    best = int(np.argmax(np.abs(correlations)))
    lag_s = round(float(lags_s[best]), 3)
    angles = at_grid(angle_time_s, angle_deg, grid_s + lag_s)
    return LagEstimate(lag_s, correlations[best], moments=_moments(turning, angles))


def turning_rate(time_s: FloatArray, turn_px: FloatArray, grid_s: FloatArray) -> FloatArray:
    """Return the turning at times `GRID_S` apart in pixels per second, positive right, smoothed."""
    steps_s = np.maximum(np.diff(time_s, prepend=time_s[0] - GRID_S), 1e-6)
    rates = turn_px / steps_s
    rates = np.clip(rates, *np.percentile(rates, [1, 99]))  # cuts and blur give outliers
    return at_grid(time_s, rates, grid_s)


def _moments(turning: FloatArray, angles: FloatArray) -> float:
    """Return how many independent moments there are: the slower of the two decides."""
    return len(angles) * GRID_S / max(_lasts_s(turning), _lasts_s(angles))


def _lasts_s(values: FloatArray) -> float:
    """Return how long values stay alike: the sum of the autocorrelation until it is negative."""
    spectrum = np.fft.rfft(values - values.mean(), 2 * len(values))
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[: len(values)]
    alike = alike / max(alike[0], 1e-12)
    until = int(np.argmax(alike < 0)) or len(alike)
    return max(GRID_S, 2 * GRID_S * float(alike[:until].sum()))


def at_grid(time_s: FloatArray, values: FloatArray, grid_s: FloatArray) -> FloatArray:
    """Return values at times `GRID_S` apart, smoothed as the turning is."""
    return _smooth(np.interp(grid_s, time_s, values))


def _smooth(values: FloatArray) -> FloatArray:
    width = max(1, round(SMOOTHING_S / GRID_S))
    return np.convolve(values, np.ones(width) / width, mode="same")


def _standard(values: FloatArray) -> FloatArray | None:
    deviation = values.std()
    return None if deviation < 1e-9 else (values - values.mean()) / deviation
