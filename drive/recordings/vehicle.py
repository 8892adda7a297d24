"""The car of a recording: the relation of steering angle, speed and path.

The bicycle model: with front wheels at an angle a and a wheelbase L, the car drives a circle of
curvature tan(a) / (L (1 + K v^2)) at a speed v; K is 0 if the tyres do not slip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from drive.core.types import FloatArray

SPEED_UNITS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}  # in metres per second
WHEELBASE_M = 2.6
STANDSTILL_M = 4.0
LARGEST_SINE = 0.6
"""Of the angle between the car's heading and its aim point. Beyond 0.7, a car that is further
inside its bend would have to steer more into it."""

RETURN_SHARE = 0.275
"""The aim point of pure pursuit is 4 m ahead plus 0.275 of the way driven in the return time: at
10 m/s and above, less than 5 % of a shift is left after that time (docs/decisions/steering.md)."""


@dataclass(frozen=True, slots=True)
class Car:
    """The table `[car]` of `recording.toml`.

    `steering_ratio` is recorded degrees per degree of the front wheels: 1 if it is their angle that
    is recorded, 12 to 18 for the steering wheel. With `lane_m`, training narrows roads and never
    mirrors images. K is about 0.002 (Gillespie, Fundamentals of Vehicle Dynamics, chapter 6).
    """

    wheelbase_m: float = WHEELBASE_M  # between the axles
    steering_ratio: float = 1.0
    speed_mps: float = 20.0  # for recordings without speed
    speed_unit: str = "m/s"  # of the recorded speed, one of `SPEED_UNITS`
    understeer: float = 0.0  # the K above in s^2/m^2
    lane_m: float | None = None  # from the middle of the road to the car, positive right

    def curvature(
        self, angle_deg: float | FloatArray, speed_mps: float | FloatArray = 0.0
    ) -> FloatArray:
        """Return the curvature in 1/m at a recorded angle and a speed in m/s; positive right."""
        wheel = np.radians(angle_deg) / self.steering_ratio
        return np.tan(wheel) / (self.wheelbase_m * self._widening(speed_mps))

    def angle_deg(
        self, curvature: float | FloatArray, speed_mps: float | FloatArray = 0.0
    ) -> FloatArray:
        """Return the recorded angle in degrees of a curvature in 1/m."""
        wheel = np.arctan(np.asarray(curvature) * (self.wheelbase_m * self._widening(speed_mps)))
        return np.degrees(wheel) * self.steering_ratio

    def _widening(self, speed_mps: float | FloatArray) -> float | FloatArray:
        """Return how many times wider a circle is at a speed; exactly 1 without slip."""
        return 1.0 + self.understeer * (speed_mps * speed_mps)


def aim_distance_m(speed_mps: float, return_s: float, wheelbase_m: float = WHEELBASE_M) -> float:
    """Return the distance to the aim point of a driver who returns in about `return_s` seconds.

    Small cars aim nearer, in proportion to their wheelbase.
    """
    standstill_m = STANDSTILL_M * min(1.0, wheelbase_m / WHEELBASE_M)
    return standstill_m + RETURN_SHARE * return_s * speed_mps


def corrected_angle(
    angle_deg: float,
    shift_m: float,
    yaw_deg: float,
    speed_mps: float,
    car: Car,
    return_s: float,
    widen: float = 1.0,
) -> float:
    """Return the angle that takes a car back to the path it is `shift_m` right of, turned right.

    Pure pursuit (Coulter 1992): the car steers to the point ahead to which the recorded angle leads
    the recorded car. Little (5 % at 10 m/s) is left of the shift after `return_s`. `widen` is the
    factor by which the world around the path is widened; bends become so much tighter.
    """

    def pursued(shift_m: float, yaw_deg: float, widen: float) -> float:
        ahead = aim_m * math.sqrt(1 - sine * sine)
        right = aim_m * sine * widen - shift_m
        bearing = math.atan2(right, ahead) - math.radians(yaw_deg)
        way = 2 * math.sin(bearing) / math.hypot(ahead, right)
        return float(car.angle_deg(way, speed_mps))

    aim_m = aim_distance_m(speed_mps, return_s, car.wheelbase_m)
    sine = aim_m * float(car.curvature(angle_deg, speed_mps)) / 2
    sine = min(LARGEST_SINE, max(-LARGEST_SINE, sine))
    # in tighter bends, what the move changes is added to the recorded angle
    return angle_deg + pursued(shift_m, yaw_deg, widen) - pursued(0.0, 0.0, 1.0)
