"""A filter over time that steadies the angle: a one-pole low-pass on presentation timestamps.

An angle that grows steadily comes out `delay` seconds late, whatever the distances of the frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drive.core.errors import InputError
from drive.steering.evaluate import Predictions, SteeringMetrics, evaluate


class Smoother:
    """Smooths angles one by one; slow changes come `delay_s` later. The first one is unchanged."""

    def __init__(self, delay_s: float) -> None:
        if not (math.isfinite(delay_s) and delay_s > 0):
            raise InputError(f"delay_s must be above 0; got {delay_s!r}")
        self.delay_s = delay_s
        self._last: tuple[float, float] | None = None

    def add(self, time_s: float, angle_deg: float) -> float:
        """Add the next angle; return the smoothed one. A time that jumps back starts anew."""
        smoothed = angle_deg
        if self._last is not None and time_s >= self._last[0]:
            last_s, before = self._last
            step_s = time_s - last_s
            smoothed = (self.delay_s * before + step_s * angle_deg) / (self.delay_s + step_s)
        self._last = (time_s, smoothed)
        return smoothed


def smooth(time_s: np.ndarray, angle_deg: np.ndarray, delay_s: float) -> np.ndarray:
    """Return the smoothed (N,) float64 angles of a recording; slow changes come `delay_s` later."""
    smoother = Smoother(delay_s)
    pairs = zip(time_s.tolist(), angle_deg.tolist(), strict=True)
    return np.array([smoother.add(time, angle) for time, angle in pairs], np.float64)


def jitter_deg(angle_deg: np.ndarray) -> float | None:
    """Return the mean absolute change in degrees from frame to frame; None for one frame."""
    changes = np.abs(np.diff(np.asarray(angle_deg, np.float64)))
    return float(np.mean(changes)) if len(changes) else None


@dataclass(frozen=True, slots=True)
class SmoothingMetrics:
    """What smoothing makes of predictions: errors of the smoothed angles.

    `rmse_change_deg` is the smoothed RMSE minus the plain one. `delay_costs_deg`, the RMSE of the
    recorded angle behind the same filter, is what the delay costs a perfect model.
    """

    delay_s: float
    rmse_deg: float
    mae_deg: float
    explained_variance: float | None
    jitter_deg: float | None
    rmse_change_deg: float
    delay_costs_deg: float


def measure_smoothing(recordings: Sequence[Predictions], delay_s: float) -> SmoothingMetrics:
    """Measure what smoothing gains and costs."""

    def filtered(angles: Sequence[np.ndarray]) -> SteeringMetrics:
        pairs = zip(recordings, angles, strict=True)
        return evaluate([replace(d, angle_deg=smooth(d.time_s, a, delay_s)) for d, a in pairs])

    after = filtered([each.angle_deg for each in recordings])
    perfect = filtered([each.truth_deg for each in recordings])
    return SmoothingMetrics(
        delay_s=delay_s,
        rmse_deg=after.rmse_deg,
        mae_deg=after.mae_deg,
        explained_variance=after.explained_variance,
        jitter_deg=after.jitter_deg,
        rmse_change_deg=after.rmse_deg - evaluate(recordings).rmse_deg,
        delay_costs_deg=perfect.rmse_deg,
    )
