"""From the angles of the CSV to labels and back, in this order: unit and side, lag, smoothing.

The curvature, which depends on all recordings of a training, is in `drive.steering.target`.
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
    """What is done with the recorded angles of a recording."""

    degrees_per_unit: float = 1.0  # of a recorded 1.0; negative if positive angles turn left
    lag_s: float = 0.0  # by which the recorded angles trail the video
    smooth_s: float = 0.0  # over which the angles are averaged; 0: not at all

    def apply(
        self,
        recorded: FloatArray,
        times_s: Callable[[], FloatArray],
        excluded: Sequence[ExcludedRange] = (),
    ) -> FloatArray:
        """Return the labels, float32 degrees, positive right, of angles as in the CSV.

        NaN is unknown. `times_s` is called only if needed. Excluded ranges are not smoothed.
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
        with np.errstate(over="ignore"):  # what is too large is unknown
            degrees = (np.asarray(recorded, np.float64) * self.degrees_per_unit).astype(np.float32)
        return np.where(np.isinf(degrees), np.float32(np.nan), degrees)

    def as_recorded(self, angle_deg: FloatArray) -> FloatArray:
        """Return degrees, positive right, in the unit of the CSV: the inverse of `in_degrees`."""
        return np.asarray(angle_deg, np.float64) / self.degrees_per_unit
