"""From the angles of the CSV to the labels of a training, and back: the one place for it.

In this order: unit and side, lag, smoothing. What a network learns instead of the angle, the
curvature, depends on all recordings of a training; see `drive.steering.target`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from drive.core.types import FloatArray
from drive.recordings.excluded import ExcludedRange, marked
from drive.recordings.labels import smoothed, without_lag


@dataclass(frozen=True, slots=True)
class LabelPath:
    """What is done with the recorded angles of a recording.

    Attributes:
        degrees_per_unit: degrees of a recorded 1.0; negative if positive angles turn left.
        lag_s: seconds by which the recorded angles trail the video.
        smooth_s: seconds over which the angles are averaged; 0 for none.

    Example:
        >>> path = LabelPath(degrees_per_unit=-25.0)
        >>> path.in_degrees(np.array([0.1]))
        array([-2.5], dtype=float32)
    """

    degrees_per_unit: float = 1.0
    lag_s: float = 0.0
    smooth_s: float = 0.0

    def apply(
        self,
        recorded: FloatArray,
        times_s: Callable[[], FloatArray],
        excluded: Sequence[ExcludedRange] = (),
    ) -> FloatArray:
        """Return the labels.

        Args:
            recorded: (N,) angles as in the CSV; NaN where unknown.
            times_s: returns the (N,) seconds of the rows; called only if they are needed.
            excluded: ranges that are not smoothed and not averaged into others.

        Returns:
            (N,) float32 degrees, positive right.
        """
        angle_deg = self.in_degrees(recorded)
        if self.lag_s:
            angle_deg = without_lag(angle_deg, times_s(), self.lag_s)
        if self.smooth_s:
            left_out = marked(excluded, times_s())
            smooth = smoothed(np.where(left_out, np.nan, angle_deg), times_s(), self.smooth_s)
            angle_deg = np.where(left_out, angle_deg, smooth)
        return angle_deg

    def in_degrees(self, recorded: FloatArray) -> FloatArray:
        """Return recorded angles as float32 degrees, positive right."""
        scaled = np.asarray(recorded, np.float64) * self.degrees_per_unit
        return scaled.astype(np.float32)

    def as_recorded(self, angle_deg: FloatArray) -> FloatArray:
        """Return degrees, positive right, in the unit of the CSV: the inverse of `in_degrees`."""
        return np.asarray(angle_deg, np.float64) / self.degrees_per_unit
