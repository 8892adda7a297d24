"""Tiny YOLO v1 as a detector, with the user's Darknet weights file.

It is converted to ONNX once, in the user's cache folder: later runs do not need TensorFlow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.core.files import cache_folder, sha256
from drive.core.region import Region
from drive.detection.darknet import check_size, load_darknet_weights
from drive.detection.decode import (
    PAPER_EXPONENT,
    V1_INPUT,
    VOC_CLASSES,
    Candidates,
    decode_tiny_yolo_v1,
)
from drive.detection.network_detector import NetworkDetector
from drive.detection.preprocess import Placement, resize
from drive.detection.tiny_yolo_v1 import PARAMETERS, build_tiny_yolo_v1
from drive.runtime import Engine, load_engine

NAME = "tiny-yolo-v1"
THRESHOLD = 0.17  # of the published port; scores are products, so they are low
NMS_IOU = 0.4
CONVERTER_VERSION = 1  # raise it if the converted file changes: old ones are then ignored
METADATA = {"network": NAME, "colour_order": "RGB"}


class TinyYoloV1Detector(NetworkDetector):
    """Tiny YOLO v1 on the published crop of the frame, resized to 448x448.

    The engine takes pixels from 0 to 255; `exponent`, of widths and heights, is 1.8 in the
    published port.
    """

    name = NAME

    def __init__(
        self,
        engine: Engine,
        conf: float = THRESHOLD,
        classes: Sequence[str] = ("car",),
        nms_iou: float = NMS_IOU,
        exponent: float = PAPER_EXPONENT,
    ) -> None:
        super().__init__(engine, VOC_CLASSES, conf, nms_iou, classes)
        if exponent <= 0:
            raise InputError(f"--exponent must be above 0; got {exponent:g}")
        self.exponent = exponent

    def default_region(self, width: int, height: int) -> Region:
        """Return the published crop, scaled to the frame."""
        return Region.tiny_yolo_v1(width, height)

    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return the crop resized to 448x448, without keeping its aspect, as published."""
        return resize(crop, V1_INPUT, V1_INPUT), Placement(0, 0, V1_INPUT, V1_INPUT)

    def decode(self, outputs: list[np.ndarray], thresholds: np.ndarray) -> Candidates:
        """Return the boxes above the thresholds, in pixels of the input."""
        return decode_tiny_yolo_v1(outputs[0], thresholds, self.exponent)


def load_darknet_engine(path: Path, engine: str = "auto", threads: int = 0) -> Engine:
    """Load Darknet's weights of tiny YOLO v1 into a runtime, converted if necessary."""
    check_size(path, NAME, PARAMETERS)
    if engine == "keras":
        from drive.runtime.keras_engine import KerasEngine

        model = build_tiny_yolo_v1()
        load_darknet_weights(model, path)
        return KerasEngine(model, METADATA)
    return load_engine(converted(path, cache_folder()), engine, threads)


def converted(path: Path, folder: Path) -> Path:
    """Return the ONNX file of these weights in `folder`; write it if it is missing."""
    target = folder / f"{NAME}-{sha256(path)[:16]}-{CONVERTER_VERSION}.onnx"
    if target.is_file():
        return target
    from drive.conversion.onnx_writer import write_onnx

    model = build_tiny_yolo_v1()
    load_darknet_weights(model, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:  # two runs may convert at once
            write_onnx(model, Path(own) / target.name, METADATA, half=False)
            (Path(own) / target.name).replace(target)
    except OSError as error:
        raise InputError(
            f"{folder}: the converted weights cannot be written ({error}). Set XDG_CACHE_HOME to a "
            "writable folder with 200 MB free"
        ) from error
    return target
