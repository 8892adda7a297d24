from __future__ import annotations

import numpy as np

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
    _, varied = a.augment(pictures(400), angles, np.random.default_rng(3))
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


def test_half_the_light_halves_brightness_and_keeps_grey_grey() -> None:
    image = np.full((66, 200, 3), (100, 128, 128), np.uint8)
    dark = a.scale_light(image, np.full((66, 200), 0.5, np.float32))
    assert (dark == [50, 128, 128]).all()


def test_light_never_wraps_round() -> None:
    image = np.full((66, 200, 3), (250, 250, 5), np.uint8)
    bright = a.scale_light(image, np.full((66, 200), 1.8, np.float32))
    assert (bright == [255, 255, 0]).all()


def test_a_shadow_covers_one_side_of_a_line() -> None:
    mask = a.shadow_mask(66, 200, np.random.default_rng(4))
    assert 0 < mask.mean() < 1
    assert (np.abs(np.diff(mask.astype(int), axis=1)).sum(axis=1) <= 1).all()


def test_the_tilt_is_small() -> None:
    image = np.zeros((66, 200, 3), np.uint8)
    image[30:36, 95:105] = 255
    for seed in range(20):
        rows, columns = np.nonzero(a.tilt(image, np.random.default_rng(seed))[..., 0] > 100)
        assert abs(rows.mean() - 32.5) <= a.NOD_PIXELS + 1
        assert abs(columns.mean() - 99.5) <= a.SHEAR * 32.5 + 1


def test_a_shift_of_the_camera_moves_near_road_and_not_the_horizon() -> None:
    image = np.zeros((66, 200, 3), np.uint8)
    image[:, 98:102] = 255
    near, far = [], []
    for seed in range(20):
        moved = a.tilt(image, np.random.default_rng(seed))[..., 0] > 100
        near.append(np.flatnonzero(moved[-1]).mean())
        far.append(np.flatnonzero(moved[round(a.HORIZON * 66)]).mean())
    assert np.std(near) > 4 * np.std(far)


def test_a_patch_changes_a_part_only() -> None:
    image = np.full((66, 200, 3), 128, np.uint8)
    a.paint_patch(image, np.random.default_rng(0))
    changed = (image != 128).any(axis=2).mean()
    assert 0 < changed < a.PATCH_SIDE[1] ** 2 + 0.01
