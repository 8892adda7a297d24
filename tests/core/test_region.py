"""The region: the mapping of boxes, the presets and what users may write."""

from __future__ import annotations

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.region import Region


def test_boxes_map_from_the_crop_to_the_source() -> None:
    region = Region(500, 300, 1280, 650)
    inside = np.array([[0.0, 0.0, 448.0, 448.0], [112.0, 224.0, 224.0, 336.0]])
    boxes = [[500.0, 300.0, 1280.0, 650.0], [695.0, 475.0, 890.0, 562.5]]
    assert np.allclose(region.to_source(inside, 448, 448), boxes)


def test_boxes_are_cut_at_the_region_s_edge() -> None:
    region = Region(100, 50, 200, 150)
    assert region.to_source(np.array([[-10, -10, 120, 50]]), 100, 100).tolist() == [
        [100, 50, 200, 100]
    ]


def test_crop_is_the_named_pixels() -> None:
    image = np.arange(20 * 30 * 3).reshape(20, 30, 3)
    assert np.array_equal(Region(5, 2, 9, 12).crop(image), image[2:12, 5:9])


def test_the_published_crop_is_exact_at_720p_and_scales() -> None:
    assert Region.tiny_yolo_v1(1280, 720) == Region(500, 300, 1280, 650)
    assert Region.tiny_yolo_v1(640, 360) == Region(250, 150, 640, 325)


@pytest.mark.parametrize("size", [(1280, 720), (320, 160), (2560, 1080), (720, 1280), (5, 3)])
def test_the_road_is_full_width_inside_any_frame(size: tuple[int, int]) -> None:
    width, height = size
    road = Region.road(width, height)
    assert (road.x1, road.x2) == (0, width)
    assert 0 <= road.y1 < road.y2 <= height


def test_what_users_write() -> None:
    assert Region.parse("full", 640, 360) == Region(0, 0, 640, 360)
    assert Region.parse("auto", 640, 360) == Region.road(640, 360)
    assert Region.parse("auto", 640, 360, Region.tiny_yolo_v1) == Region.tiny_yolo_v1(640, 360)
    assert Region.parse("10,20,30,40", 640, 360) == Region(10, 20, 30, 40)
    assert Region.parse("5,5,21,21", 640, 360) == Region(5, 5, 21, 21)
    assert Region.parse("full", 8, 4) == Region(0, 0, 8, 4)


@pytest.mark.parametrize(
    "text", ["10,20,30", "a,b,c,d", "30,20,10,40", "0,0,641,360", "left", "5,5,6,6"]
)
def test_wrong_regions_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        Region.parse(text, 640, 360)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2000, 1000), Region(0, 120, 2000, 940)),
        ((2560, 1080), Region(0, 130, 2560, 1015)),
        ((5120, 1440), Region(0, 173, 5120, 1354)),
        ((3840, 2160), Region(0, 259, 3840, 2030)),
        ((1080, 1920), Region(0, 550, 1080, 1435)),
    ],
)
def test_the_road_of_wide_tall_and_large_frames(size: tuple[int, int], expected: Region) -> None:
    assert Region.road(*size) == expected
