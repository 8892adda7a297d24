"""The teacher: a larger detector (DEIMv2, COCO) run over the frame and overlapping tiles.

Predicts in the form of drive's detectors, so that `compare_detectors.py` can measure it. The
labels for training come from `label_with_teacher.py`. Not part of the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.detection.nms import suppress

INPUT_SIDE = 416
COCO_IDS = {"car": 2, "bus": 5, "truck": 7, "motorcycle": 3, "bicycle": 1, "person": 0}
CLASSES = tuple(COCO_IDS)
MERGE_IOU = 0.5
EDGE_PX = 3.0  # a box nearer to a tile's inner edge than this was cut by it
LEAST_SCORE = 0.05


class Teacher:
    """The teacher as a detector.

    Args:
        path: the ONNX file.
        tile_shares: sides of square tiles as shares of the frame's height; none by default.
        threads: of ONNX Runtime.
    """

    name = "teacher"
    classes = CLASSES

    def __init__(
        self, path: str | Path, tile_shares: Sequence[float] = (), threads: int = 2
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options)
        self.tile_shares = tuple(tile_shares)

    def default_region(self, width: int, height: int) -> Region:
        """Return the whole frame."""
        return Region.full(width, height)

    def detect(
        self,
        image: np.ndarray,
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[Detection]:
        """Find objects; the whole frame, plus tiles where the teacher was made with them."""
        whole = region or self.default_region(image.shape[1], image.shape[0])
        parts = [self._run(image, whole, whole)]
        parts += [self._run(image, tile, whole) for tile in self._tiles(whole)]
        boxes, scores, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
        least = LEAST_SCORE if conf is None else conf
        wanted = [CLASSES.index(name) for name in (classes or CLASSES)]
        kept = np.flatnonzero((scores >= least) & np.isin(ids, wanted))
        kept = kept[suppress(boxes[kept], scores[kept], ids[kept], MERGE_IOU)]
        return [
            Detection(CLASSES[ids[k]], float(scores[k]), Box(*map(float, boxes[k]))) for k in kept
        ]

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        """Find objects in several images, one after the other."""
        return [self.detect(image, region, conf, classes) for image in images]

    def _tiles(self, whole: Region) -> list[Region]:
        """Return square tiles that overlap by half, over the region."""
        tiles = []
        for share in self.tile_shares:
            side = round(share * whole.height)
            for y in _starts(whole.y1, whole.y2, side):
                tiles += [
                    Region(x, y, x + side, y + side) for x in _starts(whole.x1, whole.x2, side)
                ]
        return tiles

    def _run(
        self, image: np.ndarray, part: Region, whole: Region
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return boxes in source pixels, scores and class ids of one part of the frame."""
        image = cv2.resize(part.crop(image), (INPUT_SIDE, INPUT_SIDE))
        feed = {
            "images": np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / 255,
            "orig_target_sizes": np.array([[part.width, part.height]], np.int64),
        }
        labels, boxes, scores = (output[0] for output in self.session.run(None, feed))
        ids = np.full(len(labels), -1)
        for index, coco in enumerate(COCO_IDS.values()):
            ids[labels == coco] = index
        boxes = boxes + np.array([part.x1, part.y1] * 2, np.float32)
        inner = np.array(
            [part.x1 > whole.x1, part.y1 > whole.y1, part.x2 < whole.x2, part.y2 < whole.y2]
        )
        edges = np.array([part.x1, part.y1, part.x2, part.y2])
        cut = np.any(inner & (np.abs(boxes - edges) < EDGE_PX), axis=1)
        kept = (ids >= 0) & ~cut & (scores >= LEAST_SCORE)
        return boxes[kept], scores[kept], ids[kept]


def _starts(begin: int, end: int, side: int) -> list[int]:
    """Return where tiles of `side` pixels begin so that they overlap by at least half."""
    if end - begin <= side:
        return [begin]
    count = int(np.ceil((end - begin - side) / (side / 2))) + 1
    return [round(value) for value in np.linspace(begin, end - side, count)]
