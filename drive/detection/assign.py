"""Which cell and which anchor have to find which box: the targets of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MAX_RATIO = 2.5  # of the sides of a box and an anchor that has to find it (4 in YOLOv5)
MIDDLE = 0.5  # share of a box's sides: cells there see a large object, too, and cost nothing
CLASS_OFFSET = 5  # a target: x1, y1, x2, y2, positive, then C classes, then C labelled


def assign(
    boxes: np.ndarray,
    class_ids: np.ndarray,
    ignored: np.ndarray,
    labelled: np.ndarray,
    anchors: Mapping[int, Sequence[tuple[int, int]]],
) -> list[np.ndarray]:
    """Return the targets of one image, per stride (H/stride, W/stride, A, 5 + 2C) float32.

    Each has the box in pixels, 1 if the anchor has to find one, its class, and the classes labelled
    in the cell. A box is found by the cell of its centre and by the nearest neighbour in each
    direction; in the other cells in its `MIDDLE` its anchors count as not labelled. If two boxes
    want the same anchor in the same cell, the one with its centre there gets it, and of two such
    the smaller one. An `ignored` box is not to be found: the cells that it touches count as not
    labelled. `labelled` is (H/s, W/s, C) for the finest stride s; `anchors` has the coarsest first.

    Source: the neighbours, Jocher et al., YOLOv5 (utils/loss.py, `build_targets`).
    """
    classes = labelled.shape[2]
    least = min(anchors)
    labelled = _without(labelled, boxes[ignored], least)
    boxes, class_ids = boxes[~ignored], class_ids[~ignored]
    sizes = boxes[:, 2:] - boxes[:, :2]
    order = np.argsort(-sizes[:, 0] * sizes[:, 1], kind="stable")  # the smallest is written last
    wanted = _wanted_anchors(sizes, anchors)
    targets = []
    for stride, shapes in anchors.items():
        known = _labelled_cells(labelled, stride // least)
        rows, columns = known.shape[:2]
        target = np.zeros((rows, columns, len(shapes), CLASS_OFFSET + 2 * classes), np.float32)
        target[..., CLASS_OFFSET + classes :] = known[:, :, None, :]
        cells = [
            _cells_of(boxes[index], stride, rows, columns) if wanted[stride][index].any() else []
            for index in order
        ]
        for index in order:
            top, left, bottom, right = _middle_of(boxes[index], stride)
            target[top:bottom, left:right, wanted[stride][index], CLASS_OFFSET + classes :] = 0
        neighbours = [(i, cell) for i, of in zip(order, cells, strict=True) for cell in of[1:]]
        own = [(i, cell) for i, of in zip(order, cells, strict=True) for cell in of[:1]]
        for index, (row, column) in neighbours + own:  # what is written last stays
            found = target[row, column, wanted[stride][index]]
            found[:, :4] = boxes[index]
            found[:, 4] = 1
            found[:, CLASS_OFFSET : CLASS_OFFSET + classes] = np.eye(classes)[class_ids[index]]
            target[row, column, wanted[stride][index]] = found
        targets.append(target)
    return targets


def _middle_of(box: np.ndarray, stride: int) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right of the cells with their centres in the middle of the box."""
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * MIDDLE / 2
    left, top = np.maximum(np.ceil((centre - half) / stride - 0.5), 0).astype(int)
    right, bottom = np.maximum(np.floor((centre + half) / stride - 0.5) + 1, 0).astype(int)
    return int(top), int(left), int(bottom), int(right)


def _cells_of(box: np.ndarray, stride: int, rows: int, columns: int) -> list[tuple[int, int]]:
    """Return the (row, column) of the box's centre, then of its nearest neighbours in the grid."""
    x, y = (box[:2] + box[2:]) / 2 / stride
    row = min(max(int(y), 0), rows - 1)
    column = min(max(int(x), 0), columns - 1)
    beside = column + (1 if x - column > 0.5 else -1)
    above = row + (1 if y - row > 0.5 else -1)
    cells = [(row, column)]
    cells += [(row, beside)] if 0 <= beside < columns else []
    cells += [(above, column)] if 0 <= above < rows else []
    return cells


def _wanted_anchors(
    sizes: np.ndarray, anchors: Mapping[int, Sequence[tuple[int, int]]]
) -> dict[int, np.ndarray]:
    """Return (N, A) bool by stride: the anchors that have to find each box."""
    shapes = np.concatenate([np.asarray(anchors[stride], np.float32) for stride in anchors])
    sides = np.maximum(sizes, 1)[:, None, :]
    ratio = np.maximum(sides / shapes, shapes / sides).max(axis=2)
    shared = np.minimum(sides, shapes).prod(axis=2)
    overlap = shared / (sides.prod(axis=2) + shapes.prod(axis=1) - shared)
    best = overlap >= overlap.max(axis=1, keepdims=True)  # an anchor of both heads is best in both
    wanted = (ratio <= MAX_RATIO) | best
    ends = np.cumsum([len(anchors[stride]) for stride in anchors])[:-1]
    return dict(zip(anchors, np.split(wanted, ends, axis=1), strict=True))


def _without(labelled: np.ndarray, boxes: np.ndarray, stride: int) -> np.ndarray:
    """Return `labelled` with nothing labelled in the cells that the boxes touch."""
    if not len(boxes):
        return labelled
    labelled = labelled.copy()
    first = np.floor(np.maximum(boxes[:, :2], 0) / stride).astype(int)
    last = np.ceil(np.maximum(boxes[:, 2:], 0) / stride).astype(int)
    for (left, top), (right, bottom) in zip(first, last, strict=True):
        labelled[top:bottom, left:right] = False
    return labelled


def _labelled_cells(labelled: np.ndarray, factor: int) -> np.ndarray:
    """Return the classes that are labelled in all of the finer cells below each coarser one."""
    rows, columns, classes = labelled.shape
    shape = (rows // factor, factor, columns // factor, factor, classes)
    return np.asarray(labelled.reshape(shape).all(axis=(1, 3)))
