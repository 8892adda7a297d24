"""From the outputs of a network to boxes with a class and a score, before suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""The classes of Pascal VOC in the order of tiny YOLO v1's output (Darknet, data/voc.names)."""

V1_SIDE = 7  # cells along each side of the grid (paper, section 2)
V1_BOXES = 2  # boxes per cell
V1_INPUT = 448  # side of the input in pixels
PAPER_EXPONENT = 2.0  # the outputs are square roots of width and height (paper, section 2.2)
MAX_EXPONENT = 8.0  # e^8 anchors is wider than any image; more would overflow


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression: `boxes` (N, 4) x1 y1 x2 y2, `scores` (N,), `class_ids` (N,)."""

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray

    def select(self, index: np.ndarray) -> Candidates:
        """Return the candidates at `index` (a mask or indices)."""
        return Candidates(self.boxes[index], self.scores[index], self.class_ids[index])


def decode_tiny_yolo_v1(
    values: np.ndarray, thresholds: np.ndarray, exponent: float = PAPER_EXPONENT
) -> Candidates:
    """Decode the (1470,) output of tiny YOLO v1 for one image; `inf` in `thresholds` skips a class.

    The values are 980 class probabilities (row, column, class), 98 confidences (row, column,
    box) and 392 coordinates (row, column, box, [x, y, w, h]); x and y are offsets within the
    cell, w and h roots of shares of the image, by `exponent`; a score is probability times
    confidence. Boxes are cut at the edges of the 448x448 input and can appear once per class.

    Source: Redmon et al., CVPR 2016, section 2; Darknet, src/detection_layer.c.
    """
    cells, classes = V1_SIDE * V1_SIDE, len(VOC_CLASSES)
    probabilities, confidences, coordinates = np.split(
        np.asarray(values), [cells * classes, cells * (classes + V1_BOXES)]
    )
    scores = probabilities.reshape(cells, 1, classes) * confidences.reshape(cells, V1_BOXES, 1)
    cell, box, class_ids = np.nonzero(scores > thresholds)
    picked = coordinates.reshape(cells, V1_BOXES, 4)[cell, box]
    row, column = np.divmod(cell, V1_SIDE)
    centre = (picked[:, :2] + np.stack([column, row], axis=1)) / V1_SIDE
    size = np.abs(picked[:, 2:]) ** exponent
    boxes = np.clip(_corners(centre, size), 0, 1) * V1_INPUT
    return Candidates(boxes, scores[cell, box, class_ids], class_ids)


def decode_heads(
    heads: Sequence[np.ndarray],
    strides: Sequence[int],
    anchors: Sequence[np.ndarray],
    thresholds: np.ndarray,
    centre_gain: float = 1.0,
) -> Candidates:
    """Decode the raw heads (rows, columns, A * (5 + C)) of one image, as in YOLO v3.

    Each cell has A anchors, each with x, y, w, h, objectness and C classes: the centre is
    (1/2 + gain x (sigmoid(xy) - 1/2) + cell) x stride, the size exp(wh) x anchor, and the score
    sigmoid(objectness) x sigmoid(class). The best class of each anchor counts, if its score
    reaches its threshold; `inf` skips a class. The gain is 1 in YOLO v3, 2 in YOLOv5.

    Source: Redmon, Farhadi, "YOLOv3", 2018, sections 2.1 and 2.2.
    """
    parts = [
        _decode_head(head, stride, np.asarray(sizes), np.asarray(thresholds), centre_gain)
        for head, stride, sizes in zip(heads, strides, anchors, strict=True)
    ]
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.class_ids for part in parts]),
    )


def _decode_head(
    head: np.ndarray, stride: int, anchors: np.ndarray, thresholds: np.ndarray, centre_gain: float
) -> Candidates:
    rows, columns = head.shape[:2]
    values = head.reshape(rows, columns, len(anchors), 5 + len(thresholds))
    possible = _sigmoid(values[..., 4]) > thresholds.min()  # a class probability is at most 1
    row, column, anchor = np.nonzero(possible)
    picked = values[row, column, anchor]
    scores = _sigmoid(picked[:, 4:5]) * _sigmoid(picked[:, 5:])
    class_ids = scores.argmax(axis=1)
    best = np.take_along_axis(scores, class_ids[:, None], axis=1)[:, 0]
    kept = best > thresholds[class_ids]
    cell = np.stack([column, row], axis=1)[kept]
    centre = (0.5 + centre_gain * (_sigmoid(picked[kept, :2]) - 0.5) + cell) * stride
    size = np.exp(np.minimum(picked[kept, 2:4], MAX_EXPONENT)) * anchors[anchor[kept]]
    return Candidates(_corners(centre, size), best[kept], class_ids[kept])


def _corners(centre: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return (N, 4) corners from (N, 2) centres and sizes."""
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    """Return the logistic function, in a form that does not overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))
