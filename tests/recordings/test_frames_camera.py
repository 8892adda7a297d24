"""A moved camera, checked against points of the road projected by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drive.core.region import Region
from drive.recordings.camera import Camera, move_camera, moved_rays

CAMERA = Camera(height_m=1.2, fov_deg=80.0, horizon=0.45)


def test_the_view_of_a_frame_and_of_its_crop_agree() -> None:
    whole = CAMERA.view(640, 360)
    part = whole.cropped(Region(0, 144, 640, 315), 200, 66)
    x, y = whole.ground(np.array([8.0]), np.array([1.5]))
    small_x, small_y = part.ground(np.array([8.0]), np.array([1.5]))
    assert (small_x + 0.5) / 200 == pytest.approx((x + 0.5) / 640, abs=1e-5)
    assert (small_y + 0.5) / 66 == pytest.approx((y + 0.5 - 144) / 171, abs=1e-5)
    assert whole.focal_x == pytest.approx(320 / math.tan(math.radians(40)))


@pytest.mark.parametrize(("shift_m", "yaw_deg"), [(0.7, 0.0), (0.0, 5.0), (-0.6, -4.0)])
def test_a_moved_camera_sees_points_of_the_road_where_geometry_puts_them(
    shift_m: float, yaw_deg: float
) -> None:
    view = CAMERA.view(640, 360)
    turn = math.radians(yaw_deg)
    for ahead, right in ((6.0, -2.0), (12.0, 1.0), (40.0, 3.0)):
        beside = right - shift_m
        new_ahead = ahead * math.cos(turn) + beside * math.sin(turn)
        new_right = beside * math.cos(turn) - ahead * math.sin(turn)
        seen = moved_rays(
            np.array([new_right / new_ahead]),
            np.array([view.camera_m / new_ahead]),
            view.camera_m,
            shift_m,
            yaw_deg,
        )
        assert seen[0][0] == pytest.approx(right / ahead, abs=1e-9)
        assert seen[1][0] == pytest.approx(view.camera_m / ahead, abs=1e-9)


def test_a_camera_that_stays_gives_the_same_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (66, 200, 3), np.uint8)
    assert np.array_equal(move_camera(image, CAMERA.view(200, 66), 0.0, 0.0), image)


def test_a_shift_leaves_what_is_above_the_horizon() -> None:
    image = np.random.default_rng(0).integers(0, 256, (66, 200, 3), np.uint8)
    moved = move_camera(image, CAMERA.view(200, 66), 0.8, 0.0)
    assert np.array_equal(moved[:29], image[:29])
    assert not np.array_equal(moved[40:], image[40:])
