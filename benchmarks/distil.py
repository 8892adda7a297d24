"""A training in which a trained network of the same heads tells what it sees, beside the labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
from keras import ops

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.detection.loss import cross_entropy, detection_loss
from drive.detection.tiny_yolo_drive import ANCHORS, STRIDES
from drive.detection.train import TrainingModel

SMOOTH = 0.5  # of the boxes' raw values, where the loss turns from square to straight


def distilling_model(teacher: keras.Model, weight: float) -> type[TrainingModel]:
    """Return a kind of `TrainingModel` that also learns `teacher`'s answers.

    The labels say what is there; the teacher says how sure one can be of it, in every cell, also
    where nothing is labelled.
    """
    teacher.trainable = False
    asked = [teacher]  # in a closure, so that Keras neither trains nor stores it

    class Distilling(TrainingModel):
        def call(self, images: Any, training: bool = False) -> Any:
            return [ops.cast(h, "float32") for h in self.network(images, training=training)]

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            loss = detection_loss(y_pred, y, self.anchors)
            if not training:
                return loss
            answers = [
                ops.stop_gradient(ops.cast(h, "float32")) for h in asked[0](x, training=False)
            ]
            return loss + weight * heads_apart(y_pred, answers)

    return Distilling


def heads_apart(heads: Any, answers: Any) -> Any:
    """Return how far heads are from a teacher's, for each box that the teacher sees."""
    total, seen = 0.0, 0.0
    for head, answer, stride in zip(heads, answers, STRIDES, strict=True):
        anchors = len(ANCHORS[stride])
        shape = ops.shape(head)
        split = (shape[0], shape[1], shape[2], anchors, shape[3] // anchors)
        mine, told = ops.reshape(head, split), ops.reshape(answer, split)
        certain = ops.sigmoid(told[..., 4])
        apart = ops.abs(mine[..., :4] - told[..., :4])
        boxes = ops.where(apart < SMOOTH, apart**2 / (2 * SMOOTH), apart - SMOOTH / 2)
        classes = cross_entropy(mine[..., 5:], ops.sigmoid(told[..., 5:]))
        # entropy of the teacher's own answer taken off, so that agreement costs nothing
        objects = cross_entropy(mine[..., 4], certain) - cross_entropy(told[..., 4], certain)
        total += ops.sum(objects + certain * (ops.sum(boxes, axis=-1) + ops.sum(classes, axis=-1)))
        seen += ops.sum(certain)
    return total / ops.maximum(seen, 1.0)
