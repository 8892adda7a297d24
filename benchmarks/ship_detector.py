"""From a trained network to the two files that ship: thresholds, float16 kernels, int8.

    python benchmarks/ship_detector.py ../shared FRAMES RUN/detector.keras OUT_FOLDER

Thresholds: cars and persons by F1 on held-out dashcam frames (never those that measure), the other
classes on all of what chooses. Int8 is calibrated on images that trained.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.detector_data import choosing_frames, training_set, validation_set
from benchmarks.measure_detector import as_onnx, in_float32
from drive.conversion.onnx_writer import write_onnx
from drive.detection.dataset import CLASSES, LabelledImages
from drive.detection.detector import load_detector
from drive.detection.evaluate import LOWEST_THRESHOLD, ClassResult, Evaluation, detect_all, evaluate
from drive.detection.int8 import evenly, quantise_detector
from drive.detection.network_detector import Detector
from drive.detection.tiny_yolo_drive import INPUT_SIZES, onnx_metadata

FEWEST = 15
USUAL = 0.45
DASHCAM = ("car", "person")  # what dashcam frames have enough of
CALIBRATION = 400
NAME = "tiny-yolo-drive"


def main() -> None:
    """Write OUT_FOLDER/tiny-yolo-drive.onnx and its int8 form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("trained", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--beta", type=float, default=1.0, help="above 1: recall counts more")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    first = as_onnx(args.trained)
    detector = load_detector(first, "openvino", threads=2, detail="fine")
    chosen = dict.fromkeys(CLASSES, USUAL)
    everything = _measured(detector, validation_set(args.shared, args.frames))
    dashcam = _measured(detector, choosing_frames(args.shared))
    for name in CLASSES:
        part = dashcam if name in DASHCAM else everything
        result = part.classes.get(name)
        if result is not None and result.boxes >= FEWEST:
            chosen[name], score = best_threshold(result, args.beta)
            print(f"{name}: {chosen[name]} (F{args.beta:g} {score:.3f}, {result.boxes} boxes)")
    path = args.out / f"{NAME}.onnx"
    write_onnx(in_float32(args.trained), path, onnx_metadata(chosen, INPUT_SIZES))
    training = training_set(args.shared, args.frames).images
    int8 = args.out / f"{NAME}-int8.onnx"
    count = quantise_detector(path, int8, evenly(training, CALIBRATION))
    print("calibrated on", count, "images;", chosen)


def best_threshold(result: ClassResult, beta: float) -> tuple[float, float]:
    """Return the score with the best F-beta, and that F-beta."""
    both = beta**2 * result.precision + result.recall
    f = (1 + beta**2) * result.precision * result.recall / np.maximum(both, 1e-9)
    f = np.where(result.scores >= LOWEST_THRESHOLD, f, 0)
    return round(float(result.scores[f.argmax()]), 3), float(f.max())


def _measured(detector: Detector, dataset: LabelledImages) -> Evaluation:
    return evaluate(dataset, detect_all(detector, dataset))


if __name__ == "__main__":
    main()
