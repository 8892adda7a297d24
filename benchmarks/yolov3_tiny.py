"""yolov3-tiny (COCO) as a detector of drive: what tiny-yolo-drive begins from, for comparison.

The network is ours at its full width with its weights folded in and the rows of our classes; the
head at stride 8, which yolov3-tiny has not, is left out, and nothing is trained.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from drive.conversion.onnx_writer import write_onnx
from drive.detection.darknet_start import FULL_WIDTH, load_darknet_weights
from drive.detection.dataset import CLASSES
from drive.detection.detector import load_detector
from drive.detection.network_detector import Detector
from drive.detection.tiny_yolo_drive import (
    INPUT_SIZES,
    STRIDES,
    build_tiny_yolo_drive,
    onnx_metadata,
)

OWN_STRIDES = STRIDES[:2]
THRESHOLD = 0.25  # Darknet's default (examples/darknet.c, -thresh)


def load_yolov3_tiny(weights: str | Path, detail: str = "fast") -> Detector:
    """Load yolov3-tiny from the `.npz` of its convolutions."""
    import keras

    network = build_tiny_yolo_drive(widest=FULL_WIDTH)
    load_darknet_weights(network, weights, centre_gain=1.0)
    network = keras.Model(network.input, network.outputs[: len(OWN_STRIDES)], name=network.name)
    metadata = onnx_metadata(dict.fromkeys(CLASSES, THRESHOLD), INPUT_SIZES)
    metadata |= {"strides": json.dumps(OWN_STRIDES), "centre_gain": "1.0"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yolov3-tiny.onnx"
        write_onnx(network, path, metadata)
        return load_detector(path, detail=detail)
