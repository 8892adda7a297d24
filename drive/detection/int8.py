"""The detector's int8 form, calibrated on images as the detector prepares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from drive.conversion.quantise import quantise
from drive.core.progress import Progress, no_progress
from drive.detection.dataset import LabelledImage
from drive.detection.detector import load_detector
from drive.detection.network_detector import Detector

CALIBRATION_IMAGES = 300  # with 64, AP50 of cars was the same within 0.003


def quantise_detector(
    float_weights: str | Path, int8_weights: str | Path, images: Iterable[np.ndarray]
) -> int:
    """Write the int8 form of a detector's float weights; return the number of calibration images.

    The images, (H, W, 3) uint8 RGB, are typical ones; never those that measure the result.
    """
    detector = load_detector(float_weights)
    return quantise(float_weights, int8_weights, prepared(detector, images))


def prepared(detector: Detector, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield each image as the input of the detector's network, (1, H, W, 3)."""
    for image in images:
        yield detector.prepare(image)[0].astype(detector.engine.input_dtype)[None]


def evenly(
    images: Sequence[LabelledImage],
    most: int = CALIBRATION_IMAGES,
    progress: Progress = no_progress,
) -> Iterator[np.ndarray]:
    """Read evenly spaced images of a dataset, at most `most`."""
    places = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(int))
    for place in progress(places, len(places), "calibrating"):
        yield images[place].read()
