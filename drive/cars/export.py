"""A trained network as the file that `detect` reads, with thresholds chosen on pictures.

Knows the ONNX writer, the detector that will read the file, and the evaluation; not the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.cars.dataset import LabelledImages
from drive.cars.detector import load_detector
from drive.cars.evaluate import Evaluation, detect_all, evaluate
from drive.cars.preprocess import closest_aspect, letterbox
from drive.cars.tiny_yolo_drive import INPUT_SIZES, onnx_metadata
from drive.engine.onnx_file import write_onnx
from drive.errors import InputError
from drive.files import atomic
from drive.progress import Progress, no_progress
from drive.types import Detection

if TYPE_CHECKING:
    import keras

USUAL_THRESHOLD = 0.3  # for a class of which validation has too few boxes
FEWEST_BOXES = 15  # three bicycles, all found, once gave a threshold of 0.52
THRESHOLD_DIGITS = 3
CALIBRATION_PICTURES = 128


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What an export found out.

    Attributes:
        thresholds: least score for each class.
        measured: the evaluation on `validation`; None where it has no box.
        found: the detections in each of its pictures, at a low threshold.
    """

    thresholds: dict[str, float]
    measured: Evaluation | None
    found: list[list[Detection]]


def export_detector(
    network: keras.Model,
    path: Path,
    validation: LabelledImages,
    thresholds: Mapping[str, float] | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write a network as ONNX; each class's threshold is the one with the best F1.

    Args:
        network: of `build_tiny_yolo_drive`, trained.
        path: the file to write.
        validation: pictures to choose thresholds on, never those that measure the result; their
            classes are those of the network.
        thresholds: for classes with fewer than `FEWEST_BOXES` boxes in `validation`;
            `USUAL_THRESHOLD` where not given.
        progress: shows the detection.
    """
    given = thresholds or {}
    chosen = {name: given.get(name, USUAL_THRESHOLD) for name in validation.classes}
    measured: Evaluation | None = None
    found: list[list[Detection]] = []
    with atomic(path) as part:
        write_onnx(network, part, onnx_metadata(chosen, INPUT_SIZES))
        if validation.images:
            measured, found = measure(part, validation, progress)
        if measured:
            for name, result in measured.classes.items():
                if result.boxes >= FEWEST_BOXES:
                    chosen[name] = round(result.best_threshold()[0], THRESHOLD_DIGITS)
            write_onnx(network, part, onnx_metadata(chosen, INPUT_SIZES))
    return Exported(chosen, measured, found)


def measure(
    path: Path, dataset: LabelledImages, progress: Progress = no_progress
) -> tuple[Evaluation | None, list[list[Detection]]]:
    """Run a model file over whole pictures.

    Returns:
        The evaluation, for the classes that the file knows (None where the data set has no box of
        them that counts), and the detections in each picture, at a low threshold.
    """
    detector = load_detector(path)
    if not set(detector.classes) & set(dataset.classes):
        return None, []
    found = detect_all(detector, dataset, progress)
    try:
        result = evaluate(dataset, found)
    except InputError:  # pictures without a box that counts choose nothing
        return None, found
    known = {name: of for name, of in result.classes.items() if name in detector.classes}
    return (Evaluation(result.images, known) if known else None), found


def calibration_batches(dataset: LabelledImages, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield pictures as the network is given them, for the ranges of an int8 network.

    Yields:
        (1, H, W, 3) uint8 RGB, letterboxed to the nearest of `INPUT_SIZES`; at most
        `CALIBRATION_PICTURES`, chosen by `seed`.
    """
    order = np.random.default_rng(seed).permutation(len(dataset.images))
    for index in order[:CALIBRATION_PICTURES]:
        picture = dataset.images[index].read()
        size = closest_aspect(INPUT_SIZES, *picture.shape[:2])
        yield letterbox(picture, *size)[0][None]
