"""Curvatures as outputs of a network, and the car that turns them back into degrees.

One unit is what one degree of the training's car drives, without tangent and slip: so losses and
labels have the size of degrees, and are proportional to 1/r.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from drive.core.errors import WeightsError
from drive.recordings.vehicle import Car

ANGLE, CURVATURE = "angle", "curvature"
TARGETS = (ANGLE, CURVATURE)

UNIT_PER_M = "output_per_curvature"
"""Entry of a model file: the output for a curvature of 1/m."""

OF_CAR = ("wheelbase_m", "steering_ratio", "understeer", "speed_mps")
"""Entries of a model file about the car whose degrees are predicted."""


class CurvatureCar(Car):
    """A car whose recorded angle is a curvature in the unit of this file."""

    __slots__ = ()

    @property
    def per_curvature(self) -> float:
        """A curvature of 1/m in this unit."""
        return math.degrees(self.wheelbase_m) * self.steering_ratio

    def curvature(self, angle_deg: Any, speed_mps: Any = 0.0) -> Any:
        """Return 1/m; the speed does not matter."""
        return angle_deg / self.per_curvature

    def angle_deg(self, curvature: Any, speed_mps: Any = 0.0) -> Any:
        """Return the curvature in this unit."""
        return curvature * self.per_curvature


@dataclass(frozen=True, slots=True)
class CurvatureOutput:
    """Turns outputs of a network that was trained on curvatures into degrees of its car."""

    per_curvature: float
    car: Car

    def degrees(self, outputs: np.ndarray) -> np.ndarray:
        """Return degrees of the training's car at its usual speed, positive right."""
        curvature = np.asarray(outputs, np.float64) / self.per_curvature
        return np.asarray(self.car.angle_deg(curvature, self.car.speed_mps), np.float32)

    def restated(
        self, angle_deg: np.ndarray, car: Car, speed_mps: float | np.ndarray
    ) -> np.ndarray:
        """Return the degrees of another car on the circles that the training's car drives."""
        curvature = self.car.curvature(np.asarray(angle_deg, np.float64), self.car.speed_mps)
        return np.asarray(car.angle_deg(curvature, speed_mps), np.float32)


def read_target(metadata: Mapping[str, str]) -> CurvatureOutput | None:
    """Return the target that a model file states; None for the angle."""
    target = metadata.get("target", ANGLE)
    if target == ANGLE:
        return None
    try:
        if target != CURVATURE:
            raise ValueError(target)
        said: dict[str, Any] = {name: float(metadata[name]) for name in OF_CAR}
        car = Car(**said)
        return CurvatureOutput(float(metadata[UNIT_PER_M]), car)
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"the target of a steering network must be {' or '.join(TARGETS)}, the latter with "
            f"{', '.join((UNIT_PER_M, *OF_CAR))}; got {target}, {error}"
        ) from None
