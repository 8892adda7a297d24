from __future__ import annotations

import numpy as np
import pytest

from drive.recordings.camera import Camera
from drive.recordings.vehicle import Car
from drive.steering import augment as a


def pictures(count: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 66, 200, 3), np.uint8)


def test_a_flip_mirrors_the_picture_and_changes_the_sign() -> None:
    images, angles = pictures(2), np.array([3.0, -4.0], np.float32)
    flipped, signs = a.flip(images, angles, np.array([True, False]))
    assert np.array_equal(flipped[0], images[0, :, ::-1])
    assert np.array_equal(flipped[1], images[1])
    assert signs.tolist() == [-3.0, -4.0]


def test_variations_keep_the_size_of_every_angle_and_flip_about_half() -> None:
    angles = np.linspace(1, 5, 400, dtype=np.float32)
    _, varied = a.augment(pictures(400), angles, np.random.default_rng(3), flip_share=0.5)
    assert np.array_equal(np.abs(varied), angles)
    assert 0.4 < (varied < 0).mean() < 0.6


def test_the_given_pictures_are_left_as_they_are() -> None:
    images, angles = pictures(), np.ones(40, np.float32)
    before = images.copy()
    varied, _ = a.augment(images, angles, np.random.default_rng(0))
    assert np.array_equal(images, before)
    assert not np.array_equal(varied, before)
    assert angles.tolist() == [1.0] * 40


def test_the_same_chance_gives_the_same_pictures() -> None:
    images, angles = pictures(), np.ones(40, np.float32)
    first = a.augment(images, angles, np.random.default_rng([1, 2]))
    again = a.augment(images, angles, np.random.default_rng([1, 2]))
    other = a.augment(images, angles, np.random.default_rng([1, 3]))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_half_the_light_halves_brightness_and_twice_the_light_never_wraps_round() -> None:
    assert a.light_curve(0.5)[[0, 100, 200]].tolist() == [0, 50, 100]
    assert a.light_curve(2.0)[[0, 100, 127, 128, 255]].tolist() == [0, 200, 254, 255, 255]


def test_colours_fade_to_grey_and_turn_around_it() -> None:
    image = np.full((66, 200, 3), (90, 148, 118), np.uint8)
    assert (a.turn_colours(image, 0.0) == [90, 128, 128]).all()
    assert (a.turn_colours(image, 1.0) == image).all()
    assert (a.turn_colours(image, 1.0, 90.0) == [90, 138, 148]).all()


def test_a_shadow_covers_one_side_of_a_line() -> None:
    mask = a.shadow_mask(66, 200, np.random.default_rng(4))
    assert 0 < mask.mean() < 1
    assert (np.abs(np.diff(mask.astype(int), axis=1)).sum(axis=1) <= 1).all()


def test_the_tilt_is_small() -> None:
    image = np.zeros((66, 200, 3), np.uint8)
    image[30:36, 95:105] = 255
    for seed in range(20):
        redrawn = a.redraw(image, None, a.Move(), np.random.default_rng(seed))
        rows, columns = np.nonzero(redrawn[..., 0] > 100)
        assert abs(rows.mean() - 32.5) <= a.NOD_PIXELS + 1
        assert abs(columns.mean() - 99.5) <= 2


def test_a_camera_further_right_sees_the_near_road_further_left_and_the_horizon_in_place() -> None:
    image = np.zeros((66, 200, 3), np.uint8)
    image[:, 98:102] = 255
    view = Camera(height_m=1.0, fov_deg=90, horizon=0.25).view(200, 66)
    places = []
    for seed in range(20):
        moved = a.redraw(image, view, a.Move(shift_m=0.5), np.random.default_rng(seed))
        bright = moved[..., 0] > 100
        places.append([np.flatnonzero(bright[row]).mean() - 99.5 for row in (16, 60)])
    far, near = np.mean(places, axis=0)
    assert abs(far) < 3
    assert -28 < near < -16


def test_a_moved_camera_gets_the_angle_that_leads_back() -> None:
    view = Camera().view(200, 66)
    viewpoint = a.Viewpoint(view, Car(), 20.0)
    assert a.angle_after(a.Move(0.5, 0.0), 0.0, viewpoint, 2.0) < -0.3
    assert a.angle_after(a.Move(0.0, 2.0), 0.0, viewpoint, 2.0) < -0.3
    assert a.angle_after(a.Move(), 3.0, viewpoint, 2.0) == pytest.approx(3.0)
    angles = np.zeros(200, np.float32)
    _, varied = a.augment(pictures(200), angles, np.random.default_rng(0), [viewpoint] * 200)
    assert 0.5 < varied.std() < 1.5
    _, slower = a.augment(pictures(200), angles, np.random.default_rng(0), [viewpoint] * 200, 4.0)
    assert slower.std() < 0.6 * varied.std()


def test_a_wider_road_bends_more_and_the_car_stays_at_its_distance_from_the_middle() -> None:
    """The middle of the road, 2.5 m left, is drawn; it must be where the wider road has it."""
    view = Camera(height_m=1.0, fov_deg=100, horizon=0.0).view(400, 200)
    car = Car(lane_m=2.5)
    viewpoint = a.Viewpoint(view, car, 20.0)
    image = np.zeros((200, 400, 3), np.uint8)
    image[..., 0] = np.abs(view.rays()[0] / view.rays()[1] + 2.5) < 0.15
    for widen in (0.7, 1.4):
        rng = np.random.default_rng(1)
        drawn = a.redraw(image * 255, view, a.in_the_image(a.Move(), viewpoint, widen), rng, widen)
        at = np.flatnonzero(drawn[60, :, 0] > 100).mean()
        below = (60.5 - view.horizon_y) / view.focal_y
        assert (at + 0.5 - view.centre_x) / view.focal_x / below == pytest.approx(-2.5, abs=0.3)
        wider = a.angle_after(a.Move(), 2.0, viewpoint, 2.0, widen)
        assert wider == pytest.approx(2.0 * widen, rel=0.02)


def test_lost_edges_do_not_tell_the_shift() -> None:
    """Pictures whose camera stayed in place repeat their edges as well."""
    image = np.random.default_rng(0).integers(0, 256, (66, 200, 3), np.uint8)
    view = Camera().view(200, 66)
    lost = [a.redraw(image, view, a.Move(), np.random.default_rng(s)) for s in range(40)]
    streaks = [(np.diff(picture[-1, :5].astype(int), axis=0) == 0).all() for picture in lost]
    assert 0.1 < np.mean(streaks) < 0.6


def test_a_moved_camera_sees_the_margins() -> None:
    margin = 40
    image = np.zeros((66, 200 + 2 * margin, 3), np.uint8)
    image[:, :margin] = 90  # beside what the network sees
    image[:, -margin:] = 180
    view = Camera(fov_deg=70).view(200, 66)

    def share(move: a.Move, level: int) -> float:
        rngs = [np.random.default_rng(seed) for seed in range(20)]
        redrawn = [a.redraw(image, view, move, rng, margin=margin) for rng in rngs]
        return float(np.mean([(picture == level).mean() for picture in redrawn]))

    assert share(a.Move(yaw_deg=7), 180) > 5 * share(a.Move(), 180)
    assert share(a.Move(yaw_deg=-7), 90) > 5 * share(a.Move(), 90)
    varied, _ = a.augment(image[None], np.zeros(1, np.float32), np.random.default_rng(1))
    assert varied.shape == (1, 66, 200, 3)


def test_unasked_nothing_is_mirrored() -> None:
    angles = np.ones(50, np.float32)
    _, varied = a.augment(pictures(50), angles, np.random.default_rng(0))
    assert (varied == 1).all()


def test_wild_looks_turn_light_and_dark_round_and_mild_ones_keep_their_order() -> None:
    """A picture that gets lighter downwards: how many of its varied copies do not."""
    image = np.full((66, 200, 3), 128, np.uint8)
    image[..., 0] = np.linspace(20, 200, 66)[:, None]

    def turned_round(name: str) -> float:
        drawn = [a.relight(image, np.random.default_rng(s), a.LOOKS[name]) for s in range(60)]
        rows = [picture[..., 0].mean(axis=1).astype(int) for picture in drawn]
        return float(np.mean([(np.diff(row) < -2).any() for row in rows]))

    assert turned_round("mild") == 0
    assert turned_round("wild") > 0.05


def test_a_patch_changes_a_part_only() -> None:
    image = np.full((66, 200, 3), 128, np.uint8)
    a.paint_patch(image, np.random.default_rng(0))
    changed = (image != 128).any(axis=2).mean()
    assert 0 < changed < a.PATCH_SIDE[1] ** 2 + 0.01


def test_a_slow_car_is_put_less_far_beside_its_path():
    def farthest(aim_m: float) -> float:
        rng = np.random.default_rng(0)
        return max(abs(a.random_move(rng, aim_m).shift_m) for _ in range(500))

    assert farthest(15.0) == farthest(40.0) == pytest.approx(a.WIDEST_SHIFT_M)
    assert farthest(6.0) == pytest.approx(0.4 * a.WIDEST_SHIFT_M)
