"""The loss of the heads: boxes by CIoU, objectness and classes by cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from drive.detection.decode import MAX_EXPONENT
from drive.detection.tiny_yolo_drive import CENTRE_GAIN

Tensor = Any  # of the backend that Keras runs on

BOX_WEIGHT = 3.0  # between YOLOX's 5 and the 2 that makes boxes and objectness equal at the start
CLASS_WEIGHT = 1.0
EPSILON = 1e-7


def detection_loss(
    heads: Sequence[Tensor],
    targets: Sequence[Tensor],
    anchors: Mapping[int, Sequence[tuple[int, int]]],
) -> Tensor:
    """Return the loss of a batch, a scalar: the mean over the anchors that have to find a box.

    Heads are raw, (N, rows, columns, A * (5 + C)) per stride; targets are those of `assign`. The
    target of the objectness is the overlap of the box with its object, so that of several boxes on
    one car the best placed scores highest (YOLOv5, utils/loss.py, `gr` = 1). A false positive of a
    class that is not labelled there costs nothing: nobody knows whether it is wrong.
    """
    total, positives = 0.0, 0.0
    for head, target, (stride, shapes) in zip(heads, targets, anchors.items(), strict=True):
        cost, count = _head_loss(head, target, stride, shapes)
        total, positives = total + cost, positives + count
    return total / ops.maximum(positives, 1.0)


def _head_loss(
    head: Tensor, target: Tensor, stride: int, shapes: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """Return the summed loss of one head, and the number of its anchors with a box to find."""
    classes = (target.shape[-1] - 5) // 2
    shape = ops.shape(head)
    values = ops.reshape(head, (shape[0], shape[1], shape[2], len(shapes), 5 + classes))
    boxes = decode_boxes(values, stride, shapes)
    positive = target[..., 4]

    box_loss = positive * (1 - complete_iou(boxes, target[..., :4]))
    wanted = positive * ops.stop_gradient(_iou(boxes, target[..., :4]))
    class_loss = positive * ops.sum(
        cross_entropy(values[..., 5:], target[..., 5 : 5 + classes]), axis=-1
    )
    known = ops.take_along_axis(
        target[..., 5 + classes :], ops.argmax(values[..., 5:], axis=-1)[..., None], axis=-1
    )[..., 0]
    counts = ops.maximum(positive, known)
    object_loss = counts * cross_entropy(values[..., 4], wanted)

    cost = ops.sum(BOX_WEIGHT * box_loss + CLASS_WEIGHT * class_loss + object_loss)
    return cost, ops.sum(positive)


def decode_boxes(values: Tensor, stride: int, shapes: Sequence[tuple[int, int]]) -> Tensor:
    """Return (N, rows, columns, A, 4) boxes x1 y1 x2 y2 in pixels; see `decode.decode_heads`."""
    rows, columns = ops.shape(values)[1], ops.shape(values)[2]
    row = ops.cast(ops.arange(rows), "float32")[None, :, None, None]
    column = ops.cast(ops.arange(columns), "float32")[None, None, :, None]
    x = (0.5 + CENTRE_GAIN * (ops.sigmoid(values[..., 0]) - 0.5) + column) * stride
    y = (0.5 + CENTRE_GAIN * (ops.sigmoid(values[..., 1]) - 0.5) + row) * stride
    size = ops.exp(ops.minimum(values[..., 2:4], MAX_EXPONENT)) * ops.convert_to_tensor(
        shapes, dtype="float32"
    )
    w, h = size[..., 0] / 2, size[..., 1] / 2
    return ops.stack([x - w, y - h, x + w, y + h], axis=-1)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the complete IoU of boxes (..., 4), pair by pair, from -1.5 to 1.

    Source: Zheng et al., "Distance-IoU Loss", AAAI 2020, equations 7 to 12.
    """
    iou = _iou(a, b)
    outer = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    centres = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    distance = ops.sum(centres**2, axis=-1) / (ops.sum(outer**2, axis=-1) + EPSILON)
    angle = ops.arctan(_width(b) / (_height(b) + EPSILON)) - ops.arctan(
        _width(a) / (_height(a) + EPSILON)
    )
    aspect = 4 / math.pi**2 * angle**2
    weight = ops.stop_gradient(aspect / (1 - iou + aspect + EPSILON))
    return iou - distance - weight * aspect


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross-entropy of each logit, in a form that does not overflow."""
    return ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))


def _iou(a: Tensor, b: Tensor) -> Tensor:
    sides = ops.relu(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]))
    shared = sides[..., 0] * sides[..., 1]
    return shared / (_width(a) * _height(a) + _width(b) * _height(b) - shared + EPSILON)


def _width(boxes: Tensor) -> Tensor:
    return boxes[..., 2] - boxes[..., 0]


def _height(boxes: Tensor) -> Tensor:
    return boxes[..., 3] - boxes[..., 1]
