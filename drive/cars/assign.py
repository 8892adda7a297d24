"""Which cell and which anchor has to find which box: the targets of training.

Knows boxes, strides and anchors; numpy only. What the targets cost is in `loss`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MAX_RATIO = 2.5
"""Anchors whose sides differ from the box's by at most this factor learn it too, beside the best
one (YOLOv5 does so with 4; less here, since only the cell of the box's centre finds it)."""

CLASS_OFFSET = 5  # a target: x1, y1, x2, y2, positive, then C classes, then C labelled


def assign(
    boxes: np.ndarray,
    class_ids: np.ndarray,
    labelled: np.ndarray,
    anchors: Mapping[int, Sequence[tuple[int, int]]],
) -> list[np.ndarray]:
    """Return the targets of one picture for every head.

    Args:
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the input; none of them `ignored`.
        class_ids: (N,) whole numbers below C.
        labelled: (H/16, W/16, C) bool, the classes that were labelled in each place.
        anchors: for each stride the widths and heights in pixels, 32 before 16.

    Returns:
        For each stride (H/stride, W/stride, A, 5 + 2C) float32: the box in pixels, 1 where an
        anchor has to find one, its class, and the classes labelled in the cell. Of two boxes that
        want the same anchor in the same cell, the smaller one gets it.
    """
    classes = labelled.shape[2]
    least = min(anchors)
    sizes = boxes[:, 2:] - boxes[:, :2]
    order = np.argsort(-sizes[:, 0] * sizes[:, 1], kind="stable")  # the smallest is written last
    wanted = _wanted_anchors(sizes, anchors)
    targets = []
    for stride, shapes in anchors.items():
        cells = _labelled_cells(labelled, stride // least)
        rows, columns = cells.shape[:2]
        target = np.zeros((rows, columns, len(shapes), CLASS_OFFSET + 2 * classes), np.float32)
        target[..., CLASS_OFFSET + classes :] = cells[:, :, None, :]
        for index in order:
            x, y = (boxes[index, :2] + boxes[index, 2:]) / 2
            row = min(max(int(y // stride), 0), rows - 1)
            column = min(max(int(x // stride), 0), columns - 1)
            found = target[row, column, wanted[stride][index]]
            found[:, :4] = boxes[index]
            found[:, 4] = 1
            found[:, CLASS_OFFSET : CLASS_OFFSET + classes] = np.eye(classes)[class_ids[index]]
            target[row, column, wanted[stride][index]] = found
        targets.append(target)
    return targets


def _wanted_anchors(
    sizes: np.ndarray, anchors: Mapping[int, Sequence[tuple[int, int]]]
) -> dict[int, np.ndarray]:
    """Return for each stride (N, A) bool: the anchors that have to find each box."""
    shapes = np.concatenate([np.asarray(anchors[stride], np.float32) for stride in anchors])
    sides = np.maximum(sizes, 1)[:, None, :]
    ratio = np.maximum(sides / shapes, shapes / sides).max(axis=2)
    shared = np.minimum(sides, shapes).prod(axis=2)
    overlap = shared / (sides.prod(axis=2) + shapes.prod(axis=1) - shared)
    best = overlap >= overlap.max(axis=1, keepdims=True)  # an anchor of both heads is best in both
    wanted = (ratio <= MAX_RATIO) | best
    ends = np.cumsum([len(anchors[stride]) for stride in anchors])[:-1]
    return dict(zip(anchors, np.split(wanted, ends, axis=1), strict=True))


def _labelled_cells(labelled: np.ndarray, factor: int) -> np.ndarray:
    """Return the classes that are labelled in all of the finer cells below each coarser one."""
    rows, columns, classes = labelled.shape
    shape = (rows // factor, factor, columns // factor, factor, classes)
    return np.asarray(labelled.reshape(shape).all(axis=(1, 3)))
