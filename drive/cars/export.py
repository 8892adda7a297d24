"""A trained network as the file that `detect` reads, with thresholds chosen on pictures.

Knows the ONNX writer, the detector that will read the file, and the evaluation; not the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from drive.cars.dataset import LabelledImages
from drive.cars.detector import load_detector
from drive.cars.evaluate import Evaluation, detect_all, evaluate
from drive.cars.tiny_yolo_drive import INPUT_SIZES, onnx_metadata
from drive.engine.onnx_file import write_onnx
from drive.errors import InputError
from drive.files import atomic
from drive.progress import Progress, no_progress

if TYPE_CHECKING:
    import keras

USUAL_THRESHOLD = 0.3  # for a class of which validation has too few boxes
FEWEST_BOXES = 15  # three bicycles, all found, once gave a threshold of 0.52
THRESHOLD_DIGITS = 3


def export_detector(
    network: keras.Model,
    path: Path,
    validation: LabelledImages,
    thresholds: Mapping[str, float] | None = None,
    progress: Progress = no_progress,
) -> tuple[dict[str, float], Evaluation | None]:
    """Write a network as ONNX; each class's threshold is the one with the best F1.

    Args:
        network: of `build_tiny_yolo_drive`, trained.
        path: the file to write.
        validation: pictures to choose thresholds on, never those that measure the result.
        thresholds: for classes with fewer than `FEWEST_BOXES` boxes in `validation`;
            `USUAL_THRESHOLD` where not given.
        progress: shows the detection.

    Returns:
        The thresholds, and the evaluation on `validation` (None where it has no boxes).
    """
    chosen = dict.fromkeys(validation.classes, USUAL_THRESHOLD) | dict(thresholds or {})
    measured = None
    with atomic(path) as part:
        write_onnx(network, part, onnx_metadata(chosen, INPUT_SIZES))
        if validation.images:
            measured = _evaluate(part, validation, progress)
        if measured:
            for name, result in measured.classes.items():
                if result.boxes >= FEWEST_BOXES:
                    chosen[name] = round(result.best_threshold()[0], THRESHOLD_DIGITS)
            write_onnx(network, part, onnx_metadata(chosen, INPUT_SIZES))
    return chosen, measured


def _evaluate(path: Path, validation: LabelledImages, progress: Progress) -> Evaluation | None:
    found = detect_all(load_detector(path), validation, progress)
    try:
        return evaluate(validation, found)
    except InputError:  # pictures without a box that counts choose nothing
        return None
