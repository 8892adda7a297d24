"""Tiles: the network looks a second time, closer, at overlapping parts of the region.

They are shrunk less than the frame, in which far cars become a few pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.detection.network_detector import Detector
from drive.detection.nms import overlaps_of, suppress
from drive.detection.preprocess import Placement
from drive.detection.tiny_yolo_drive_detector import ACROSS_IOU

AUTO = "auto"
Edges = tuple[float, float, float, float]

OVERLAP = 0.15  # of neighbouring tiles: a car up to this size is complete in one of them
LEAST_ZOOM = 1.25  # `auto` uses no tiles if they would enlarge the road less
USUAL_ZOOM = 1.85  # with `auto`, of large frames: two tiles (docs/decisions/detector.md)
MOST_ENLARGED = 2.2  # pixels of the network per pixel of the frame: beyond, there is no detail
MOST_AUTO = 4  # tiles with `auto`: each takes about as long as the whole region
GROWTH = 1.02  # factor by which `auto` enlarges the tiles until there are few enough
MOST_TILES = 64
TILES = f"must be {AUTO}, N or COLSxROWS with 2 to {MOST_TILES} tiles"
LEAST_SIDE = 48  # pixels; smaller tiles have no detail that could be enlarged
FAR_BAND = (0.25, 0.60)  # shares of the frame's height; the horizon is at 0.25 to 0.55
EDGE_SHARE = 0.01  # of a tile; a box that ends closer to its inner edge was cut by it
MERGE_IOU = 0.45  # above it, boxes of one class from different parts are one object
PART_SHARE = 0.7  # of a box inside a larger one that the tile cuts: it is a part of that object
PART_CERTAINTY = 1.0  # minimum score of a larger object, as a share of its parts' scores
FAR_SHARE = 0.1  # of a tile's width: smaller boxes of the whole region are seen better in a tile
FAR_IOU = 0.1  # a tile's box replaces them from here: far boxes are often loose, or on two cars
FAR_CERTAINTY = 0.5  # and from this share of their score


@dataclass(frozen=True, slots=True)
class Tiling:
    """Which tiles are wanted. No columns: as many as suit the frame; no rows: one for far cars."""

    columns: int | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        count = (self.columns or 2) * (self.rows or 1)
        if not 2 <= count <= MOST_TILES or self.columns == 0 or self.rows == 0:
            raise InputError(f"tiles {TILES}; got {self}")

    def __str__(self) -> str:
        if self.columns is None:
            return AUTO
        return f"{self.columns}" if self.rows is None else f"{self.columns}x{self.rows}"

    @classmethod
    def parse(cls, text: str) -> Tiling:
        """Read `auto`, `N` (a row of tiles) or `COLSxROWS`."""
        if text == AUTO:
            return cls()
        numbers = re.fullmatch(r"([0-9]{1,4})(?:x([0-9]{1,4}))?", text)
        if numbers is None:
            raise InputError(f"tiles {TILES}; got {text!r}")
        columns, rows = numbers.groups()
        return cls(int(columns), None if rows is None else int(rows))

    def place(
        self, region: Region, frame: tuple[int, int], network: tuple[int, int], scale: float
    ) -> tuple[Region, ...]:
        """Return the tiles, row by row, in source pixels; none if they would not help.

        `frame` is (width, height), `network` (height, width) of its input, and `scale` the input's
        pixels per pixel of the region.
        """
        if self.columns is None:
            tiles = _automatic(region, frame, network, scale)
        elif self.rows is None:
            width = _side(region.width, self.columns)
            height = min(region.height, math.ceil(width * network[0] / network[1]))
            tiles = _grid(_band(region, frame, height), width, height, self.columns, 1)
        else:
            width, height = _side(region.width, self.columns), _side(region.height, self.rows)
            tiles = _grid(region, width, height, self.columns, self.rows)
        if any(min(tile.width, tile.height) < LEAST_SIDE for tile in tiles):
            return ()
        return tiles


class TiledDetector(Detector):
    """A `Detector` that looks at the whole region and, closer, at tiles of it."""

    def __init__(self, detector: Detector, tiling: Tiling) -> None:
        self.detector = detector
        self.tiling = tiling
        self.name = detector.name
        self.classes = detector.classes
        self.thresholds = detector.thresholds
        self.engine = detector.engine
        self._places: dict[tuple[int, int, Region], tuple[Region, ...]] = {}

    def default_region(self, width: int, height: int) -> Region:
        """Return where to look by default."""
        return self.detector.default_region(width, height)

    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return the network's input and where the crop lies in it."""
        return self.detector.prepare(crop)

    def tiles(self, width: int, height: int, region: Region | None = None) -> tuple[Region, ...]:
        """Return the tiles of a frame, row by row, in source pixels; none if they do not help."""
        region = self.default_region(width, height) if region is None else region
        key = (width, height, region)
        if key not in self._places:
            blank = np.zeros((region.height, region.width, 3), np.uint8)
            shown, placement = self.detector.prepare(blank)
            scale = min(placement.width / region.width, placement.height / region.height)
            network = (shown.shape[0], shown.shape[1])
            self._places[key] = self.tiling.place(region, (width, height), network, scale)
        return self._places[key]

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        """Find objects in several images, one after the other."""
        return [self._detect(image, region, conf, classes) for image in images]

    def _detect(
        self,
        image: np.ndarray,
        region: Region | None,
        conf: float | None,
        classes: Sequence[str] | None,
    ) -> list[Detection]:
        whole = self.detector.detect(image, region, conf, classes)  # checks the arguments
        height, width = image.shape[:2]
        outer = self.default_region(width, height) if region is None else region
        tiles = self.tiles(width, height, outer)
        if not tiles:
            return whole
        crops = [tile.crop(image) for tile in tiles]
        inside = Region.full(tiles[0].width, tiles[0].height)
        found = self.detector.detect_batch(crops, inside, conf, classes)
        parts = zip(found, tiles, strict=True)
        return merge(outer, whole, tiles, [[_moved(d, tile) for d in part] for part, tile in parts])


def with_tiles(detector: Detector, tiles: str | None) -> Detector:
    """Return a detector that also looks at tiles; the same one if `tiles` is None."""
    return detector if tiles is None else TiledDetector(detector, Tiling.parse(tiles))


def merge(
    region: Region,
    whole: Sequence[Detection],
    tiles: Sequence[Region],
    closer: Sequence[Sequence[Detection]],
) -> list[Detection]:
    """Merge the detections of the whole region and of its tiles, all in source pixels, best first.

    Drops boxes that an inner edge of a tile cuts, and parts of larger objects; of several boxes on
    one object the best remains.
    """
    candidates: list[Detection] = []
    pieces: list[Edges] = []
    for tile, found in zip(tiles, closer, strict=True):
        edges = _edges(tile, region)
        kept = [detection for detection in found if not _is_cut(detection, edges, tile)]
        candidates += kept
        pieces += [edges] * len(kept)
    near = [d for d in whole if not _gives_way(d, candidates, tiles[0].width)]
    candidates = near + candidates
    if not candidates:
        return []
    names = list(dict.fromkeys(detection.label for detection in candidates))
    boxes = np.array([detection.box for detection in candidates], np.float64)
    scores = np.array([detection.score for detection in candidates])
    class_ids = np.array([names.index(detection.label) for detection in candidates])
    edges_of = np.array([_edges(region, region)] * len(near) + pieces)
    stay = np.flatnonzero(~_is_part(boxes, scores, class_ids, edges_of))
    best = suppress(boxes[stay], scores[stay], class_ids[stay], MERGE_IOU, ACROSS_IOU)
    return [candidates[index] for index in stay[best]]


def _gives_way(small: Detection, closer: Sequence[Detection], tile_width: int) -> bool:
    """Return whether a box of the whole region is small and a tile shows the object better."""
    if max(small.box.width, small.box.height) >= FAR_SHARE * tile_width:
        return False
    least = FAR_CERTAINTY * small.score
    rivals = [d.box for d in closer if d.label == small.label and d.score >= least]
    return bool(np.any(overlaps_of(small.box, rivals) > FAR_IOU))


def _moved(detection: Detection, tile: Region) -> Detection:
    """Return the detection in source pixels instead of the tile's."""
    x1, y1, x2, y2 = detection.box
    moved = Box(x1 + tile.x1, y1 + tile.y1, x2 + tile.x1, y2 + tile.y1)
    return replace(detection, box=moved)


def _edges(tile: Region, region: Region) -> Edges:
    """Return the tile's inner edges; infinite where the region ends too."""
    return (
        tile.x1 if tile.x1 > region.x1 else -math.inf,
        tile.y1 if tile.y1 > region.y1 else -math.inf,
        tile.x2 if tile.x2 < region.x2 else math.inf,
        tile.y2 if tile.y2 < region.y2 else math.inf,
    )


def _is_cut(detection: Detection, edges: Edges, tile: Region) -> bool:
    """Return whether the box ends at an inner edge of its tile: the object probably continues."""
    x1, y1, x2, y2 = edges
    near_x, near_y = EDGE_SHARE * tile.width, EDGE_SHARE * tile.height
    box = detection.box
    return (
        box.x1 - x1 < near_x or box.y1 - y1 < near_y or x2 - box.x2 < near_x or y2 - box.y2 < near_y
    )


def _is_part(
    boxes: np.ndarray, scores: np.ndarray, class_ids: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Return (N,) whether each box is a piece of another box, cut by an inner edge of its tile."""
    top_left = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    inside = shared >= PART_SHARE * areas[:, None]
    beyond_left_top = boxes[None, :, :2] < edges[:, None, :2]
    beyond_right_bottom = boxes[None, :, 2:] > edges[:, None, 2:]
    continues = np.any(beyond_left_top | beyond_right_bottom, axis=2)
    same = class_ids[:, None] == class_ids[None, :]
    confident = scores[None, :] >= PART_CERTAINTY * scores[:, None]
    result: np.ndarray = np.any(inside & continues & same & confident, axis=1)
    return result


def _automatic(
    region: Region, frame: tuple[int, int], network: tuple[int, int], scale: float
) -> tuple[Region, ...]:
    """Return tiles over the far band; `size` is relative to the network's input."""
    far = math.ceil(min(frame) * (FAR_BAND[1] - FAR_BAND[0]))
    size = min(1.0, 1 / (scale * USUAL_ZOOM))
    while 1 / MOST_ENLARGED <= size <= 1 / (scale * LEAST_ZOOM):
        height = min(region.height, math.ceil(network[0] * size))
        width = min(region.width, math.ceil(network[1] * size))
        band = _band(region, frame, max(height, far))
        columns, rows = _count(band.width, width), _count(band.height, height)
        if columns * rows <= MOST_AUTO:
            return _grid(band, width, height, columns, rows)
        size *= GROWTH
    return ()


def _band(region: Region, frame: tuple[int, int], height: int) -> Region:
    """Return the part of the region where far cars appear, `height` pixels high.

    Of a frame that is taller than wide, the middle square counts, as in `Region.road`.
    """
    side = min(frame)
    above = (frame[1] - side) / 2
    height = min(region.height, height)
    y1 = round(above + side * sum(FAR_BAND) / 2 - height / 2)
    y1 = min(max(y1, region.y1), region.y2 - height)
    return Region(region.x1, y1, region.x2, y1 + height)


def _grid(area: Region, width: int, height: int, columns: int, rows: int) -> tuple[Region, ...]:
    """Return tiles of width x height pixels, evenly spaced over the area, row by row."""
    return tuple(
        Region(x, y, x + width, y + height)
        for y in _starts(area.y1, area.y2, height, rows)
        for x in _starts(area.x1, area.x2, width, columns)
    )


def _side(length: int, count: int) -> int:
    """Return the side of `count` tiles that overlap by `OVERLAP` and cover `length` pixels."""
    return min(length, math.ceil(length / (count - (count - 1) * OVERLAP)))


def _count(length: int, side: int) -> int:
    """Return the number of tiles of `side` pixels that cover `length`, with their overlap."""
    return 1 + math.ceil(max(0, length - side) / (side * (1 - OVERLAP)))


def _starts(begin: int, end: int, side: int, count: int) -> list[int]:
    if count == 1:
        return [(begin + end - side) // 2]
    return [round(value) for value in np.linspace(begin, end - side, count)]
