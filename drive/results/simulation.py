"""`simulation.csv`: a row per frame of each recording that was simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drive.results.steering import ANGLE_DIGITS, Steering
from drive.results.table import TIME_DIGITS, number, whole

METRE_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """The columns of `simulation.csv` of one recording, a value per frame; positive to the right.

    `intervention` is 1 where the car was put back on the path, `distance_m` counts from there on.
    """

    frame: np.ndarray = whole()
    time_s: np.ndarray = number(TIME_DIGITS)
    offset_m: np.ndarray = number(METRE_DIGITS)
    heading_deg: np.ndarray = number(ANGLE_DIGITS)
    angle_deg: np.ndarray = number(ANGLE_DIGITS)
    truth_deg: np.ndarray = number(ANGLE_DIGITS)
    intervention: np.ndarray = whole()
    distance_m: np.ndarray | None = number(METRE_DIGITS, optional=True)

    @property
    def steering(self) -> Steering:
        """The predicted and the recorded angles."""
        return Steering(self.frame, self.time_s, self.angle_deg, self.truth_deg)
