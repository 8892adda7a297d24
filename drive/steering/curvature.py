"""Curvatures as a network answers them, and the car that turns them back into degrees.

One unit of an answer is the curvature that one degree of the training's car drives, without its
tangent and its slip: so answers, losses and labels have the size of degrees, and are in proportion
to 1/r. Knows cars and numbers; neither drives nor networks.
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
"""Entry of a model file: what the network answers for a curvature of 1/m."""

OF_CAR = ("wheelbase_m", "steering_ratio", "understeer", "speed_mps")
"""What a model file says of the car that its answers are turned into degrees for."""


class CurvatureCar(Car):
    """A car whose recorded angle is a curvature in the unit of this file, of the car it is like."""

    __slots__ = ()

    @property
    def per_curvature(self) -> float:
        """What a curvature of 1/m is in this unit."""
        return math.degrees(self.wheelbase_m) * self.steering_ratio

    def curvature(self, angle_deg: Any, speed_mps: Any = 0.0) -> Any:
        """1/m; the speed does not matter."""
        return angle_deg / self.per_curvature

    def angle_deg(self, curvature: Any, speed_mps: Any = 0.0) -> Any:
        """The curvature in this unit."""
        return curvature * self.per_curvature


@dataclass(frozen=True, slots=True)
class CurvatureOutput:
    """How the answers of a network that learnt curvatures become degrees.

    Attributes:
        per_curvature: what the network answers for a curvature of 1/m.
        car: of the training, whose degrees are given where nothing is known of another.
    """

    per_curvature: float
    car: Car

    def degrees(self, answers: np.ndarray) -> np.ndarray:
        """Degrees of the training's car at its usual speed, positive right, in the same shape."""
        curvature = np.asarray(answers, np.float64) / self.per_curvature
        return np.asarray(self.car.angle_deg(curvature, self.car.speed_mps), np.float32)

    def restated(
        self, angle_deg: np.ndarray, car: Car, speed_mps: float | np.ndarray
    ) -> np.ndarray:
        """What another car records on the circles that the training's car drives at these degrees.

        Args:
            angle_deg: from `degrees`.
            car: the other one.
            speed_mps: its speed; one for all, or as `angle_deg` can be multiplied with.
        """
        curvature = self.car.curvature(np.asarray(angle_deg, np.float64), self.car.speed_mps)
        return np.asarray(car.angle_deg(curvature, speed_mps), np.float32)


def read_target(metadata: Mapping[str, str]) -> CurvatureOutput | None:
    """What a model file says of its target; None for a network that answers the angle.

    Raises:
        WeightsError: the file names another target, or lacks what belongs to it.
    """
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
            f"A steering network answers {' or '.join(TARGETS)}, and says of the latter "
            f"{', '.join((UNIT_PER_M, *OF_CAR))}. Received: {target}, {error}"
        ) from None
