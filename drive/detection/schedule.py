"""How often images are used in training, and which ones stand for a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drive.detection.dataset import LabelledImages
from drive.detection.preprocess import letterbox

LEAST_STEPS = 40  # per epoch; ten epochs take five to eight minutes (docs/decisions/detector.md)
MOST_SAMPLE = 60  # training images to measure on if none are held out
START_IMAGES, START_SIZE = 48, (320, 640)  # for a start from Darknet's weights


def repeated(dataset: LabelledImages, batch: int) -> LabelledImages:
    """Return the dataset with its images repeated until an epoch has `LEAST_STEPS` steps."""
    count = len(dataset.images)
    times = max(1, -(-LEAST_STEPS * batch // count)) if count else 1
    return replace(dataset, images=dataset.images * times)


def steps_per_epoch(dataset: LabelledImages, batch: int) -> int:
    """Return the number of steps per epoch over a dataset."""
    count = len(dataset.images)
    return count // max(1, min(batch, count))


def untrained_classes(training: LabelledImages, known: Sequence[str]) -> list[str]:
    """Return the classes without a training box that the weights do not know."""
    boxes = np.zeros(len(training.classes), int)
    for image in training.images:
        np.add.at(boxes, image.class_ids[~image.ignored], 1)
    return [
        name
        for name, count in zip(training.classes, boxes, strict=True)
        if not count and name not in known
    ]


def sample(dataset: LabelledImages, most: int = MOST_SAMPLE) -> LabelledImages:
    """Return at most `most` evenly spaced images of a dataset."""
    step = max(1, -(-len(dataset.images) // most))
    return dataset.select(number % step == 0 for number in range(len(dataset.images)))


def start_images(dataset: LabelledImages) -> np.ndarray:
    """Return (N, H, W, 3) uint8 RGB: a few dozen images as the input of the network."""
    images = sample(dataset, START_IMAGES).images
    return np.stack([letterbox(image.read(), *START_SIZE)[0] for image in images])
