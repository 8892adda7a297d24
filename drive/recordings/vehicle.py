"""The car that made a recording: how its steering angle, its speed and its path belong together.

The bicycle model: front wheels at an angle a, a wheelbase L apart from the rear ones, drive a
circle of curvature tan(a) / (L (1 + K v^2)) at a speed v; K is 0 where the tyres do not slip. Knows
angles and metres; no pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import overload

import numpy as np

SPEED_UNITS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}
"""Each unit that a speed may be recorded in, with what turns it into metres a second."""

STANDSTILL_M = 4.0
RETURN_SHARE = 0.275
"""The aim point of pure pursuit lies 4 m and 0.275 of the way driven in the return time ahead: at
10 m/s and above, less than 5 % of a shift is left after that time (docs/decisions/steering.md)."""


@dataclass(frozen=True, slots=True)
class Car:
    """The table `[car]` of `recording.toml`.

    Attributes:
        wheelbase_m: metres from the front axle to the rear one.
        steering_ratio: recorded degrees for each degree of the front wheels: 1 where the front
            wheels' angle is recorded, 12 to 18 where it is that of a steering wheel.
        speed_mps: speed in metres a second where the recording has none.
        speed_unit: unit of the recorded speed, one of `SPEED_UNITS`.
        understeer: how much wider the circle gets with the square of the speed, in s^2/m^2: the K
            above (Gillespie, Fundamentals of Vehicle Dynamics, chapter 6); of cars about 0.002.
        lane_m: metres that the recorded car keeps right of the middle of the road, negative left;
            where it is given, training pictures get narrower roads too, and no mirror images.
    """

    wheelbase_m: float = 2.6
    steering_ratio: float = 1.0
    speed_mps: float = 20.0
    speed_unit: str = "m/s"
    understeer: float = 0.0
    lane_m: float | None = None

    @overload
    def curvature(self, angle_deg: float, speed_mps: float = 0.0) -> float: ...
    @overload
    def curvature(
        self, angle_deg: np.ndarray, speed_mps: float | np.ndarray = 0.0
    ) -> np.ndarray: ...
    def curvature(
        self, angle_deg: float | np.ndarray, speed_mps: float | np.ndarray = 0.0
    ) -> float | np.ndarray:
        """1/m of the circle driven at a recorded angle and a speed in m/s; positive right."""
        wheel = np.radians(angle_deg) / self.steering_ratio
        return np.tan(wheel) / (self.wheelbase_m * self._widening(speed_mps))

    @overload
    def angle_deg(self, curvature: float, speed_mps: float = 0.0) -> float: ...
    @overload
    def angle_deg(
        self, curvature: np.ndarray, speed_mps: float | np.ndarray = 0.0
    ) -> np.ndarray: ...
    def angle_deg(
        self, curvature: float | np.ndarray, speed_mps: float | np.ndarray = 0.0
    ) -> float | np.ndarray:
        """The angle, as it would be recorded, that drives a circle of a curvature in 1/m."""
        wheel = np.arctan(np.asarray(curvature) * (self.wheelbase_m * self._widening(speed_mps)))
        return np.degrees(wheel) * self.steering_ratio

    def _widening(self, speed_mps: float | np.ndarray) -> float | np.ndarray:
        """How many times wider a circle is at a speed than at a walk; exactly 1 without slip."""
        return 1.0 + self.understeer * (speed_mps * speed_mps)


def aim_distance_m(speed_mps: float, return_s: float) -> float:
    """How far ahead a driver aims who wants to be back on the path in about `return_s` seconds."""
    return STANDSTILL_M + RETURN_SHARE * return_s * speed_mps


def corrected_angle(
    angle_deg: float,
    shift_m: float,
    yaw_deg: float,
    speed_mps: float,
    car: Car,
    return_s: float,
    widen: float = 1.0,
) -> float:
    """The angle that takes a car beside the recorded path back to it in about `return_s` seconds.

    Pure pursuit (Coulter 1992): the recorded angle says through which point ahead the recorded car
    would go; the moved car steers through the same point.

    Args:
        angle_deg: recorded, positive right.
        shift_m: metres right of the path; negative left.
        yaw_deg: degrees that the moved car looks to the right of the recorded one.
        speed_mps: metres a second.
        car: that was recorded.
        return_s: seconds until nearly nothing (5 % at 10 m/s) is left of the shift.
        widen: how many times wider the world is made around the path: its bends bend so much more.

    Returns:
        Degrees as recorded, positive right.
    """
    aim_m = aim_distance_m(speed_mps, return_s)
    sine = min(1.0, max(-1.0, aim_m * float(car.curvature(angle_deg, speed_mps)) / 2))
    ahead = aim_m * math.sqrt(1 - sine * sine)
    right = aim_m * sine * widen - shift_m
    bearing = math.atan2(right, ahead) - math.radians(yaw_deg)
    way = 2 * math.sin(bearing) / math.hypot(ahead, right)
    return float(car.angle_deg(way, speed_mps))
