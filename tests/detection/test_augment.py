"""Augmentation: the boxes stay on their objects, and the same seed gives the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from drive.detection.augment import Sample, _rain, augment, degrade, mosaic, plain, recolour
from drive.detection.preprocess import GREY

OBJECT = (60, 40, 120, 100)  # a white square on black
ALL = np.array([True, True])
SHAPES = [(416, 416), (256, 640)]


def sample(labelled: tuple[bool, bool] = (True, True), ignored: bool = False) -> Sample:
    image = np.zeros((150, 200, 3), np.uint8)
    x1, y1, x2, y2 = OBJECT
    image[y1:y2, x1:x2] = 255
    return Sample(
        image,
        np.array([OBJECT], np.float32),
        np.array([1]),
        np.array([ignored]),
        np.array(labelled),
    )


def white_box(image: np.ndarray) -> np.ndarray:
    """Return x1, y1, x2, y2 of the bright pixels."""
    ys, xs = np.nonzero(image[:, :, 1] > 180)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_a_plain_picture_is_letterboxed_with_its_box(height: int, width: int) -> None:
    made = plain(sample(), height, width)
    assert made.image.shape == (height, width, 3)
    assert made.labelled.shape == (height // 8, width // 8, 2)
    np.testing.assert_allclose(made.boxes[0], white_box(made.image), atol=2)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_boxes_stay_on_their_objects(height: int, width: int) -> None:
    seen = 0
    for seed in range(30):
        made = _geometry_only([sample()], height, width, seed)
        assert made.image.shape == (height, width, 3)
        for box in made.boxes:
            np.testing.assert_allclose(box, white_box(made.image), atol=4)  # enlarged edges blur
            seen += 1
    assert seen > 15


def _geometry_only(samples: list[Sample], height: int, width: int, seed: int) -> Sample:
    import drive.detection.augment as module

    generator = rng(seed)
    parts = [module._mirror(s) if generator.random() < 0.5 else s for s in samples]
    if len(parts) == 1:
        return module.place(parts[0], height, width, generator)
    return mosaic(parts, height, width, generator)


@pytest.mark.parametrize("pictures", [4, 9])
def test_a_mosaic_has_each_object_in_its_part(pictures: int) -> None:
    kept = 0
    for seed in range(10):
        made = _geometry_only([sample() for _ in range(pictures)], 416, 416, seed)
        for x1, y1, x2, y2 in made.boxes.round().astype(int):
            inside = made.image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
            assert inside.size == 0 or inside.min() > 180
            kept += 1
    assert kept > 15


def test_a_mosaic_remembers_what_was_labelled_where() -> None:
    parts = [sample((True, False)), sample(), sample(), sample()]
    made = mosaic(parts, 416, 416, rng(0))
    assert made.labelled[0, 0].tolist() == [True, False]
    assert made.labelled[0, -1].tolist() == [True, True]
    assert made.labelled[-1, 0].tolist() == [True, True]


def test_what_is_mostly_out_of_view_is_ignored_and_ignored_stays_so() -> None:
    flags = [
        (flag, float((box[2] - box[0]) * (box[3] - box[1])), made)
        for seed in range(60)
        for made in [_geometry_only([sample()], 64, 640, seed)]
        for box, flag in zip(made.boxes, made.ignored, strict=True)
    ]
    assert {flag for flag, _, _ in flags} == {True, False}
    still = _geometry_only([sample(ignored=True)], 416, 416, 3)
    assert still.ignored.all()


def test_the_same_seed_gives_the_same_picture_and_another_one_another() -> None:
    a, b, c = (augment([sample()] * 4, 256, 640, rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(a.image, b.image)
    assert np.array_equal(a.boxes, b.boxes)
    assert not np.array_equal(a.image, c.image)


def test_colours_and_spoiling_keep_shape_and_type() -> None:
    picture = np.full((64, 96, 3), (200, 60, 20), np.uint8)
    changed = 0
    for seed in range(40):
        made = degrade(recolour(picture, rng(seed)), rng(seed))
        assert (made.shape, made.dtype) == (picture.shape, np.uint8)
        assert made[..., 0].mean() >= made[..., 2].mean() - 12  # red stays above blue: no swap
        changed += not np.array_equal(made, picture)
    assert changed > 30


def test_rain_only_brightens_and_falls_in_streaks() -> None:
    picture = np.full((120, 160, 3), 90, np.uint8)
    made = _rain(picture, rng(1))
    wet = made[..., 0] > 90
    assert (made >= picture).all()
    assert 0.002 < wet.mean() < 0.3
    runs_down = (wet[:-1] & wet[1:]).sum()
    assert runs_down > 2 * (wet[:, :-1] & wet[:, 1:]).sum()


def test_far_smaller_pictures_keep_thin_lines() -> None:
    lines = np.zeros((800, 800, 3), np.uint8)
    lines[:, ::8] = 255  # each eighth column white: a fair reduction is evenly grey
    thin = Sample(lines, np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0, bool), ALL)
    made = mosaic([thin] * 9, 288, 288, rng(0))
    inside = made.image[made.image[..., 0] != GREY]
    assert np.percentile(inside, 95) < 120


def test_empty_places_are_grey() -> None:
    made = plain(sample(), 416, 416)
    assert made.image[0, 0].tolist() == [GREY] * 3
