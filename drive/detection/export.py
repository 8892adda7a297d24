"""A trained network as the file that `detect` reads, with thresholds chosen on images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import InputError
from drive.core.files import atomic
from drive.core.progress import Progress, no_progress
from drive.core.types import Detection
from drive.detection.dataset import LabelledImages
from drive.detection.detector import load_detector
from drive.detection.evaluate import Evaluation, detect_all, evaluate
from drive.detection.tiny_yolo_drive import INPUT_SIZES, onnx_metadata

if TYPE_CHECKING:
    import keras

USUAL_THRESHOLD = 0.45  # of a class with too few boxes in validation; others get 0.43 to 0.57
FEWEST_BOXES = 15  # three bicycles, all found, gave a threshold of 0.52
THRESHOLD_DIGITS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What an export measured: thresholds, evaluation (None without boxes), and detections."""

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
    """Write a network as ONNX, with the threshold of the best F1 for each class.

    Thresholds are chosen on `validation`, which must never measure the result. Classes with fewer
    than `FEWEST_BOXES` boxes there have those of `thresholds`, or `USUAL_THRESHOLD`.
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
    """Evaluate a model file on whole images; return detections per image at a low threshold, too.

    The evaluation has the classes that the file knows; None if no box of them counts.
    """
    detector = load_detector(path)
    if not set(detector.classes) & set(dataset.classes):
        return None, []
    found = detect_all(detector, dataset, progress)
    try:
        result = evaluate(dataset, found)
    except InputError:  # no box counts
        return None, found
    known = {name: of for name, of in result.classes.items() if name in detector.classes}
    return (Evaluation(result.images, known) if known else None), found
