"""The detectors for `drive.conversion.export`: what their files say of images and boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from drive.conversion.export import Original, Size, describe_input
from drive.core.errors import InputError, WeightsError
from drive.core.files import cache_folder
from drive.core.region import PUBLISHED_CROP, PUBLISHED_FRAME, ROAD_BOTTOM, ROAD_TOP
from drive.detection.decode import V1_INPUT
from drive.detection.detector import (
    DARKNET_SUFFIX,
    NETWORKS,
    TINY_YOLO_DRIVE,
    TINY_YOLO_V1,
    build_network,
    load_detector,
)
from drive.detection.network_detector import NetworkDetector
from drive.detection.preprocess import GREY, GRID
from drive.detection.tiny_yolo_drive_detector import TinyYoloDriveDetector
from drive.detection.tiny_yolo_v1_detector import TinyYoloV1Detector, converted
from drive.runtime.keras_engine import KerasEngine
from drive.runtime.onnx_file import read_model

LARGEST_SIDE = 4096  # pixels; more than any dashcam has


def open_original(path: Path, size: Size | None = None, fixed: bool = False) -> Original:
    """Open a detector's `.onnx`, or tiny YOLO v1's `.weights`, to convert it for another runtime.

    `size` fixes (height, width) of the input, multiples of 32; `fixed` fixes those of wide frames.
    """
    detector = load_detector(path, "onnx")
    if isinstance(detector, TinyYoloDriveDetector):
        size = _fix_size(detector, size, fixed)
        described = _describe_drive(detector)
    elif isinstance(detector, TinyYoloV1Detector):
        if size is not None:
            raise InputError(
                f"{TINY_YOLO_V1} has one input size; got {_text(size)}. Leave --size out"
            )
        size = (V1_INPUT, V1_INPUT)
        described = _describe_v1(detector)
    else:
        raise WeightsError(f"{path}: network must be one of {', '.join(NETWORKS)}")
    onnx_path = converted(path, cache_folder()) if path.suffix.lower() == DARKNET_SUFFIX else path
    outputs = json.dumps([output.name for output in read_model(onnx_path).graph.output])
    return Original(
        name=path.stem,
        onnx_path=onnx_path,
        metadata={**detector.engine.metadata, **described, "outputs": outputs},
        size=size,
        prepare=lambda frame: _prepare(detector, frame),
        load=lambda engine: load_detector(path, engine).engine,
        build=lambda: KerasEngine.load(onnx_path, build_network).model,
    )


def _prepare(detector: NetworkDetector, frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    return detector.prepare(detector.default_region(width, height).crop(frame))[0]


def _fix_size(detector: TinyYoloDriveDetector, size: Size | None, fixed: bool) -> Size | None:
    """Fix the input size of a detector if requested; return that size."""
    if size is None and not fixed:
        return None
    chosen = size or detector.input_sizes[0]
    if any(not 0 < pixels <= LARGEST_SIDE or pixels % GRID for pixels in chosen):
        raise InputError(
            f"--size of {TINY_YOLO_DRIVE} must be WIDTHxHEIGHT in multiples of {GRID} pixels, such "
            f"as 640x288, at most {LARGEST_SIDE} per side; got {_text(chosen)}"
        )
    detector.input_sizes = [chosen]
    return chosen


def _describe_drive(detector: TinyYoloDriveDetector) -> dict[str, str]:
    crop = {
        "shares_of_frame": {"left": 0, "top": ROAD_TOP, "right": 1, "bottom": ROAD_BOTTOM},
        "taller_than_wide": "the shares are those of the middle square; a frame less than 1.2 "
        "times as wide as high is taken whole",
    }
    return {
        "input_sizes": json.dumps([list(size) for size in detector.input_sizes]),
        "preprocessing": describe_input(
            sizes=detector.input_sizes,
            colours="RGB",
            crop=crop,
            resize=f"letterbox: aspect kept, in the middle, grey {GREY} around it; of several "
            "sizes the one whose aspect comes nearest",
            interpolation="INTER_LINEAR",
        ),
        "postprocessing": _describe_output(
            heads="(N, H/stride, W/stride, anchors * (5 + classes)), raw: x, y, w, h, "
            "objectness, classes",
            centre="(1/2 + centre_gain * (sigmoid(xy) - 1/2) + cell) * stride",
            size="exp(wh) * anchor",
            score="sigmoid(objectness) * sigmoid(class)",
        ),
    }


def _describe_v1(detector: TinyYoloV1Detector) -> dict[str, str]:
    width, height = PUBLISHED_FRAME
    x1, y1, x2, y2 = PUBLISHED_CROP
    sides = {"left": x1 / width, "top": y1 / height, "right": x2 / width, "bottom": y2 / height}
    return {
        "classes": json.dumps(list(detector.classes)),
        "wanted": json.dumps(list(detector.wanted)),
        "thresholds": json.dumps(detector.thresholds),
        "nms_iou": json.dumps(detector.nms_iou),
        "preprocessing": describe_input(
            sizes=[(V1_INPUT, V1_INPUT)],
            colours="RGB",
            crop={"shares_of_frame": sides},
            resize="plain, the aspect is not kept",
            interpolation="INTER_LINEAR",
        ),
        "postprocessing": _describe_output(
            output="(N, 1470): 7x7x20 class probabilities, 7x7x2 confidences, 7x7x2x4 boxes",
            box="x, y within the cell in cells; w, h: roots of shares of the input",
            exponent=detector.exponent,
            score="class probability * confidence",
        ),
    }


def _describe_output(**own: object) -> str:
    suppression = "per class, intersection over union above nms_iou"
    return json.dumps({**own, "suppression": suppression, "unit": "pixels of the input"})


def _text(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
