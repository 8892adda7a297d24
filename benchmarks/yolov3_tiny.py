"""yolov3-tiny (COCO) as a detector of drive: what tiny-yolo-drive begins from, for comparison.

The network is ours with its weights folded in and the rows of our classes; nothing is trained.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from drive.cars.dataset import CLASSES
from drive.cars.detector import Detector, load_detector
from drive.cars.tiny_yolo_drive import (
    INPUT_SIZES,
    build_tiny_yolo_drive,
    load_darknet_weights,
    onnx_metadata,
)
from drive.engine.onnx_file import write_onnx

THRESHOLD = 0.25  # Darknet's default (examples/darknet.c, -thresh)


def load_yolov3_tiny(weights: str | Path) -> Detector:
    """Load yolov3-tiny from the `.npz` of its convolutions."""
    network = build_tiny_yolo_drive()
    load_darknet_weights(network, weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yolov3-tiny.onnx"
        write_onnx(network, path, onnx_metadata(dict.fromkeys(CLASSES, THRESHOLD), INPUT_SIZES))
        return load_detector(path)
