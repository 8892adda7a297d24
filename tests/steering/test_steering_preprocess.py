from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.region import Region
from drive.steering.preprocess import ROAD, RoadCrop, preprocess, preprocess_with_margins


@pytest.mark.parametrize("size", [(320, 160), (640, 360), (1920, 1080), (640, 480), (360, 640)])
def test_any_size_and_aspect_gives_the_network_its_input(size: tuple[int, int]) -> None:
    width, height = size
    result = preprocess(np.zeros((height, width, 3), np.uint8))
    assert result.shape == (66, 200, 3)
    assert result.dtype == np.uint8


@pytest.mark.parametrize("size", [(320, 160), (1920, 1080), (360, 640), (1, 1), (9, 2)])
def test_the_crop_is_the_full_width_inside_the_frame(size: tuple[int, int]) -> None:
    region = ROAD.region(*size)
    assert (region.x1, region.x2) == (0, size[0])
    assert 0 <= region.y1 < region.y2 <= size[1]


def test_sky_and_hood_are_not_seen() -> None:
    frame = np.full((160, 320, 3), 90, np.uint8)
    seen = preprocess(frame)
    frame[:64] = 255
    frame[140:] = 0
    assert np.array_equal(preprocess(frame), seen)


def test_colours_become_yuv() -> None:
    grey = preprocess(np.full((90, 160, 3), 77, np.uint8))
    assert (grey == [77, 128, 128]).all()
    red = preprocess(np.full((90, 160, 3), (255, 0, 0), np.uint8))[0, 0]
    assert red[0] == pytest.approx(0.299 * 255, abs=1)
    assert red[2] > 200


def test_the_same_view_at_twice_the_size_gives_nearly_the_same_pixels() -> None:
    rng = np.random.default_rng(1)
    small = np.kron(rng.integers(0, 256, (16, 32, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    difference = preprocess(small).astype(int) - preprocess(large)
    assert np.abs(difference).max() <= 2


def test_a_crop_at_the_sides_keeps_its_middle_and_knows_its_margins() -> None:
    frame = np.zeros((100, 400, 3), np.uint8)
    frame[:, :100] = 90
    frame[:, 300:] = 180
    crop = RoadCrop(0.4, 0.9, side=0.25)
    assert crop.region(400, 100) == Region(100, 40, 300, 90)
    assert (preprocess(frame, crop) == (0, 128, 128)).all()
    wide = preprocess_with_margins(frame, crop)
    assert wide.shape == (66, 400, 3)
    assert np.array_equal(wide[:, 100:300], preprocess(frame, crop))
    assert (wide[:, :100] == (90, 128, 128)).all()
    assert (wide[:, 300:] == (180, 128, 128)).all()


def test_without_a_crop_at_the_sides_there_are_no_margins() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    assert ROAD.margin == 0
    assert np.array_equal(preprocess_with_margins(frame), preprocess(frame))


@pytest.mark.parametrize("crop", [RoadCrop(0.4, 0.9), RoadCrop(0.46, 0.875, 0.15)])
def test_a_crop_survives_the_way_through_a_file(crop: RoadCrop) -> None:
    assert RoadCrop.parse(str(crop)) == crop


@pytest.mark.parametrize("text", ["0.5", "a,b", "0.9,0.4", "", "0.4,0.9,0.5", "0.4,0.9,0.1,0.1"])
def test_a_wrong_crop_says_what_came(text: str) -> None:
    with pytest.raises(InputError, match="got"):
        RoadCrop.parse(text)


def test_a_crop_keeps_a_sensible_height() -> None:
    assert RoadCrop.parse("0.5,0.6").top == 0.5
    with pytest.raises(InputError, match=r"at least 10%.*0\.5,0\.502, which keeps 0\.2%"):
        RoadCrop.parse("0.5,0.502")


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(InputError, match="float64"):
        preprocess(np.zeros((10, 10, 3)))


def test_even_exposure_belongs_to_the_crop() -> None:
    shades = np.random.default_rng(0).uniform(10, 60, (120, 300, 3)).astype(np.uint8)
    crop = RoadCrop(0.2, 0.9, 0.1, even=True)
    assert RoadCrop.parse(str(crop)) == crop
    assert RoadCrop.parse("0.4,0.875,even") == RoadCrop(even=True)
    plain, even = preprocess(shades, replace(crop, even=False)), preprocess(shades, crop)
    assert np.median(plain[:, :, 0]) < 60
    assert np.median(even[:, :, 0]) == pytest.approx(0.4 * 255, abs=4)
    wide = preprocess_with_margins(shades, crop)
    np.testing.assert_array_equal(wide[:, crop.margin : -crop.margin], even)
    with pytest.raises(InputError, match="--crop must be TOP,BOTTOM"):
        RoadCrop.parse("0.4,0.875,odd")
