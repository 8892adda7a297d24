"""Angles, circles, and the way back to the path."""

from __future__ import annotations

import math

import pytest

from drive.recordings.vehicle import Car, corrected_angle


def test_an_angle_and_its_circle_belong_together() -> None:
    car = Car(wheelbase_m=2.5, steering_ratio=15.0)
    assert car.curvature(15.0) == pytest.approx(math.tan(math.radians(1)) / 2.5)
    assert car.angle_deg(car.curvature(-40.0)) == pytest.approx(-40.0)


@pytest.mark.parametrize("angle_deg", [-6.0, 0.0, 2.5])
def test_on_the_path_the_angle_stays(angle_deg: float) -> None:
    for car in (Car(), Car(wheelbase_m=0.26)):  # a model car bends tighter than it aims ahead
        assert corrected_angle(angle_deg, 0, 0, 15.0, car, 2.0) == pytest.approx(angle_deg)
        right = corrected_angle(angle_deg, 0.02, 0, 15.0, car, 2.0)
        assert right < angle_deg


@pytest.mark.parametrize("speed_mps", [10.0, 20.0, 30.0])
@pytest.mark.parametrize("start", [(1.0, 0.0), (-0.5, 0.0), (0.0, 3.0)])
def test_the_car_is_back_after_the_return_time(
    speed_mps: float, start: tuple[float, float]
) -> None:
    """Drive a straight road with the corrected angle and look where the car is after 2 s."""
    car, step_s = Car(), 0.01
    offset_m, yaw_deg = start
    for _ in range(round(2.0 / step_s)):
        angle = corrected_angle(0.0, offset_m, yaw_deg, speed_mps, car, 2.0)
        yaw_deg += math.degrees(speed_mps * car.curvature(angle)) * step_s
        offset_m += speed_mps * math.sin(math.radians(yaw_deg)) * step_s
    assert abs(offset_m) < 0.08
    assert abs(yaw_deg) < 1.5


def test_a_longer_time_asks_for_less() -> None:
    quick = corrected_angle(0, 1.0, 0, 20, Car(), 1.0)
    slow = corrected_angle(0, 1.0, 0, 20, Car(), 4.0)
    assert quick < slow < 0


def test_recorded_angles_of_a_steering_wheel_are_corrected_in_their_own_scale() -> None:
    front = corrected_angle(0, 0.5, 0, 20, Car(), 2.0)
    wheel = corrected_angle(0, 0.5, 0, 20, Car(steering_ratio=15.0), 2.0)
    assert wheel == pytest.approx(15 * front)


def test_understeer_widens_the_circle_with_the_speed_and_asks_for_more_angle() -> None:
    plain, slips = Car(), Car(understeer=0.002)
    assert slips.curvature(5.0) == plain.curvature(5.0)
    assert slips.curvature(5.0, 20.0) == pytest.approx(plain.curvature(5.0) / 1.8)
    assert slips.angle_deg(slips.curvature(5.0, 20.0), 20.0) == pytest.approx(5.0)
    assert corrected_angle(2.0, 0, 0, 20.0, slips, 2.0) == pytest.approx(2.0)
    back, more = (corrected_angle(0, 0.5, 0, 20.0, car, 2.0) for car in (plain, slips))
    assert more < 1.5 * back < 0
