"""Tiles: where they lie, and that what they find is merged into one box an object."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.detection.preprocess import Placement, closest_aspect, letterbox
from drive.detection.tiles import (
    FAR_BAND,
    LEAST_ZOOM,
    MOST_AUTO,
    MOST_TILES,
    OVERLAP,
    TiledDetector,
    Tiling,
    merge,
    with_tiles,
)

SIZES = [(1280, 720), (640, 360), (2000, 1000), (2560, 1080), (5120, 1440), (3840, 2160)]
SIZES += [(720, 1280), (1080, 1920), (1280, 960), (513, 511), (300, 1280), (7680, 4320)]
GRIDS = ["2", "3", "7", "2x1", "1x2", "2x2", "3x2", "8x8", "64x1"]


class ColourDetector:
    """Finds rectangles of one colour on black, if the network's input holds 8 pixels of them."""

    name = "colours"
    classes = ("car", "bus")
    input_sizes = ((320, 704), (256, 768), (416, 416), (512, 384))
    least_pixels = 8

    def __init__(self) -> None:
        self.thresholds = {"car": 0.3, "bus": 0.3}
        self.engine = None
        self.asked: list[tuple[tuple[int, ...], object, object]] = []

    def default_region(self, width: int, height: int) -> Region:
        return Region.road(width, height)

    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        return letterbox(crop, *closest_aspect(self.input_sizes, *crop.shape[:2]))

    def detect(
        self,
        image: np.ndarray,
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[Detection]:
        where = region or self.default_region(image.shape[1], image.shape[0])
        crop = where.crop(image)
        self.asked.append((crop.shape, conf, classes))
        _, placement = self.prepare(crop)
        scale = placement.width / where.width
        found = []
        red = crop[..., 0]
        for colour in np.flatnonzero(np.bincount(red.ravel(), minlength=256)[1:]) + 1:
            rows, columns = np.nonzero(red == colour)
            x1, x2 = columns.min(), columns.max() + 1
            y1, y2 = rows.min(), rows.max() + 1
            if min(x2 - x1, y2 - y1) * scale >= self.least_pixels:
                box = Box(*map(float, (x1, y1, x2, y2)))
                box = Box(
                    box.x1 + where.x1, box.y1 + where.y1, box.x2 + where.x1, box.y2 + where.y1
                )
                found.append(Detection("car", int(colour) / 255, box))
        return sorted(found, key=lambda detection: -detection.score)

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        return [self.detect(image, region, conf, classes) for image in images]


def picture(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Return (H, W, 3) uint8 with a rectangle of its own colour for each box."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2] = (250 - number, number, 7)
    return image


def tiles_of(tiling: str, size: tuple[int, int], region: Region | None = None) -> list[Region]:
    return list(TiledDetector(ColourDetector(), Tiling.parse(tiling)).tiles(*size, region))


def car(x1: float, y1: float, x2: float, y2: float, score: float = 0.5) -> Detection:
    return Detection("car", score, Box(x1, y1, x2, y2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tiling", GRIDS)
@pytest.mark.parametrize("share", [(0, 0, 1, 1), (0.1, 0.3, 0.8, 0.97)])
def test_tiles_lie_in_the_region_and_overlap(
    size: tuple[int, int], tiling: str, share: tuple[float, float, float, float]
) -> None:
    x1, y1, x2, y2 = (round(part * side) for part, side in zip(share, (*size, *size), strict=True))
    region = Region(x1, y1, x2, y2)
    tiles = tiles_of(tiling, size, region)
    if not tiles:  # only where they would be tiny
        assert min(size) / int(tiling.split("x")[-1]) < 400 or tiling == "64x1"
        return
    columns, rows = [int(part) for part in (*tiling.split("x"), 1)][:2]
    assert len(tiles) == columns * rows
    assert len({(tile.width, tile.height) for tile in tiles}) == 1
    assert tiles[0].x1 == region.x1
    assert tiles[-1].x2 == region.x2
    if "x" in tiling:
        assert tiles[0].y1 == region.y1
        assert tiles[-1].y2 == region.y2
    assert all(region.y1 <= tile.y1 and tile.y2 <= region.y2 for tile in tiles)
    row, column = tiles[:columns], tiles[::columns]
    for left, right in pairwise(row):
        assert left.x2 - right.x1 >= OVERLAP * left.width - 2  # whole pixels
    for upper, lower in pairwise(column):
        assert upper.y2 - lower.y1 >= OVERLAP * upper.height - 2


@pytest.mark.parametrize("size", [size for size in SIZES if min(size) >= 360])
def test_auto_covers_the_far_band_with_few_tiles_that_enlarge(size: tuple[int, int]) -> None:
    detector = ColourDetector()
    region = detector.default_region(*size)
    tiles = tiles_of("auto", size)
    assert 1 <= len(tiles) <= MOST_AUTO
    side = min(size)
    far = [(size[1] - side) / 2 + share * side for share in FAR_BAND]
    assert min(tile.y1 for tile in tiles) <= far[0] + 1
    assert max(tile.y2 for tile in tiles) >= far[1] - 1
    assert tiles[0].x1 == region.x1
    assert tiles[-1].x2 == region.x2

    def scale(part: Region) -> float:
        blank = np.zeros((part.height, part.width, 3), np.uint8)
        placement = detector.prepare(blank)[1]
        return min(placement.width / part.width, placement.height / part.height)

    assert all(scale(tile) > 0.98 * LEAST_ZOOM * scale(region) for tile in tiles)


def test_auto_on_usual_frames() -> None:
    numbers = {size: len(tiles_of("auto", size)) for size in SIZES[:6]}
    assert numbers == {
        (1280, 720): 2,
        (640, 360): 2,
        (2000, 1000): 3,
        (2560, 1080): 3,
        (5120, 1440): 4,
        (3840, 2160): 3,
    }


@pytest.mark.parametrize("tiling", ["auto", "8", "4x4"])
def test_tiny_frames_are_looked_at_as_a_whole(tiling: str) -> None:
    detector = ColourDetector()
    image = picture((160, 80), (20, 30, 60, 60))
    tiled = TiledDetector(detector, Tiling.parse(tiling))
    assert tiled.tiles(160, 80) == ()
    assert tiled.detect(image) == detector.detect(image)


def test_a_region_below_the_horizon_still_gets_its_tiles() -> None:
    region = Region(100, 500, 1180, 700)
    tiles = tiles_of("3", (1280, 720), region)
    assert tiles[0].y1 == 500
    assert all(tile.y2 <= 700 for tile in tiles)


@pytest.mark.parametrize("region", [None, Region(13, 101, 1277, 699)])
@pytest.mark.parametrize("tiling", ["auto", "3", "3x2"])
def test_far_cars_are_found_in_source_pixels_and_once(region: Region | None, tiling: str) -> None:
    boxes = [(631, 300, 650, 314), (300, 310, 314, 324), (1001, 290, 1015, 304)]
    image = picture((1280, 720), *boxes)
    detector = ColourDetector()
    assert detector.detect(image, region) == []
    found = TiledDetector(detector, Tiling.parse(tiling)).detect(image, region)
    assert [tuple(detection.box) for detection in found] == boxes
    assert [detection.score for detection in found] == sorted(
        (detection.score for detection in found), reverse=True
    )


@pytest.mark.parametrize("tiling", ["auto", "2", "4", "2x2", "5x3"])
@pytest.mark.parametrize("x", range(0, 1000, 270))
def test_near_cars_stay_one_whole_box(tiling: str, x: int) -> None:
    boxes = [(x, 200, x + 280, 500), (x + 5, 640, x + 250, 677)]
    image = picture((1280, 720), *boxes)
    found = TiledDetector(ColourDetector(), Tiling.parse(tiling)).detect(image)
    assert [tuple(detection.box) for detection in found] == boxes


def test_conf_and_classes_reach_every_part() -> None:
    detector = ColourDetector()
    tiled = TiledDetector(detector, Tiling.parse("2"))
    tiled.detect_batch([picture((1280, 720))] * 2, None, 0.2, ["car"])
    assert len(detector.asked) == 6
    assert all(asked[1:] == (0.2, ["car"]) for asked in detector.asked)


FRAME = Region(0, 0, 1000, 400)
LEFT, RIGHT = Region(0, 0, 550, 400), Region(450, 0, 1000, 400)


def merged(whole: list[Detection], left: list[Detection], right: list[Detection]) -> list[Box]:
    return [found.box for found in merge(FRAME, whole, [LEFT, RIGHT], [left, right])]


def test_a_box_that_a_tile_cuts_is_dropped() -> None:
    assert merged([], [car(400, 100, 549, 200)], [car(451, 100, 600, 200)]) == []
    at_the_frame_s_edge = car(0, 100, 100, 399)
    assert merged([], [at_the_frame_s_edge], []) == [at_the_frame_s_edge.box]


def test_a_part_of_a_large_car_goes_even_where_the_tile_does_not_end() -> None:
    large = car(300, 50, 900, 350, 0.9)
    bonnet = car(460, 200, 640, 340, 0.8)
    assert merged([large], [], [bonnet]) == [large.box]
    assert merged([], [large], [bonnet]) == [bonnet.box]  # the left tile cuts the large one


def test_another_car_before_a_large_one_that_the_tile_shows_whole_stays() -> None:
    large, small = car(500, 50, 900, 350, 0.9), car(600, 250, 700, 340, 0.6)
    assert set(merged([], [], [large, small])) == {large.box, small.box}


def test_a_doubtful_large_box_does_not_swallow_cars() -> None:
    large, small = car(300, 50, 900, 350, 0.05), car(600, 250, 700, 340, 0.6)
    assert small.box in merged([large], [], [small])


def test_of_several_boxes_on_one_object_the_best_stays() -> None:
    boxes = [car(480, 100, 540, 140, score) for score in (0.5, 0.6, 0.7)]
    assert merge(FRAME, [boxes[0]], [LEFT, RIGHT], [[boxes[1]], [boxes[2]]]) == [boxes[2]]


def test_other_classes_are_left_to_themselves_unless_they_are_one_vehicle() -> None:
    van = Detection("bus", 0.9, Box(600, 100, 700, 180))
    assert merged([], [], [car(600, 100, 700, 182, 0.8), van]) == [van.box]
    rider = Detection("person", 0.8, Box(600, 60, 650, 150))
    assert len(merged([], [], [van, rider])) == 2


def test_a_loose_small_box_of_the_whole_gives_way_to_the_tile_s() -> None:
    loose = car(600, 100, 640, 130, 0.6)
    pair = [car(598, 102, 618, 128, 0.5), car(622, 102, 642, 128, 0.45)]
    assert merged([loose], [], pair) == [detection.box for detection in pair]
    assert merged([loose], [], [car(598, 102, 618, 128, 0.2)])[0] == loose.box  # too unsure
    assert merged([loose], [], []) == [loose.box]


@pytest.mark.parametrize(
    "text", ["0", "1", "1x1", "x", "2x", "2x2x2", "-3", "many", "", "2X2", "0x5", "99", "9x9", "²"]
)
def test_wrong_tiles_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Tiling.parse(text)
    assert "\n" not in str(caught.value)
    assert str(MOST_TILES) in str(caught.value)


def test_without_tiles_the_detector_is_itself() -> None:
    detector = ColourDetector()
    assert with_tiles(detector, None) is detector
    tiled = with_tiles(detector, "3")
    assert isinstance(tiled, TiledDetector)
    assert (tiled.name, tiled.classes, str(tiled.tiling)) == ("colours", ("car", "bus"), "3")
