"""`load_detector`, which selects the detector for a file; `network_detector` says what one is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError, WeightsError, as_path
from drive.core.shipped import DETECTOR as DEFAULT_WEIGHTS
from drive.detection.decode import VOC_CLASSES
from drive.detection.network_detector import Detector, check_known
from drive.runtime import load_engine
from drive.runtime.base import Engine, check_model_file
from drive.runtime.file_form import peek_metadata
from drive.runtime.int8_form import usual_form

if TYPE_CHECKING:
    import keras

DARKNET_SUFFIX = ".weights"
TINY_YOLO_V1 = "tiny-yolo-v1"
TINY_YOLO_DRIVE = "tiny-yolo-drive"
NETWORKS = (TINY_YOLO_DRIVE, TINY_YOLO_V1)  # values of `network` in a detector's metadata


def load_detector(
    weights: str | Path | None = None,
    engine: str = "auto",
    *,
    threads: int = 0,
    conf: float | None = None,
    classes: Sequence[str] | None = None,
    nms_iou: float | None = None,
    exponent: float | None = None,
    detail: str | None = None,
) -> Detector:
    """Load a detector, which threads may share. The weights file says which one.

    Args:
        weights: `.onnx` (or OpenVINO `.xml`) that drive wrote, or Darknet's `.weights` of tiny YOLO
            v1; None for the weights that ship, see `shipped_weights`.
        engine: "auto", "openvino", "onnx" or "keras".
        threads: CPU threads; 0: the runtime decides.
        conf: minimum score of all classes, 0 to 1; None for the thresholds of the network.
        classes: classes to report; None for all that the network reports by default.
        nms_iou: overlap above which the lower of two boxes is dropped; None: the usual one.
        exponent: exponent applied to the box sizes of tiny YOLO v1; None for 2, as in the paper.
        detail: of tiny-yolo-drive: "fast" (default) or "fine", see `TinyYoloDriveDetector`.

    Raises:
        MissingFileError: the file does not exist.
        InputError: unknown engine or class, or a number out of range.
        WeightsError: the file is damaged or holds another network.

    Example:
        >>> detector = load_detector()
        >>> for found in detector.detect(image):  # (H, W, 3) uint8 RGB
        ...     print(found.label, found.score, found.box)  # pixels: x1, y1, x2, y2

    Source: Redmon, Farhadi, "YOLOv3", 2018, for the network that ships; Redmon et al., CVPR 2016,
    for tiny YOLO v1.
    """
    path = shipped_weights(engine) if weights is None else as_path(weights)
    check_model_file(path, (".onnx", DARKNET_SUFFIX), _holds_detector)
    if classes is not None:
        _check_classes(path, classes)
    running = _load_network(path, engine, threads)
    given = {"conf": conf, "nms_iou": nms_iou, "exponent": exponent}
    settings: dict[str, Any] = {**given, "classes": classes, "detail": detail}
    return _detector_of(running, path, {k: v for k, v in settings.items() if v is not None})


def prefer_detail(detector: Detector, detail: str) -> None:
    """Set the detail of a detector that has one."""
    if hasattr(detector, "detail"):
        detector.detail = detail


def shipped_weights(engine: str = "auto") -> Path:
    """Return what `load_detector(None, engine)` loads: the int8 form if the engine can run it."""
    return usual_form(DEFAULT_WEIGHTS, engine)


def _holds_detector(path: Path) -> bool:
    of_darknet = path.suffix.lower() == DARKNET_SUFFIX
    return of_darknet or peek_metadata(path).get("network") in NETWORKS


def _check_classes(path: Path, classes: Sequence[str]) -> None:
    """Refuse classes that the network of a file does not know, before loading it."""
    if path.suffix.lower() == DARKNET_SUFFIX:
        check_known(TINY_YOLO_V1, VOC_CLASSES, classes)
    elif path.suffix.lower() == ".onnx" and "classes" in (said := peek_metadata(path)):
        check_known(said.get("network", path.stem), json.loads(said["classes"]), classes)


def _load_network(path: Path, engine: str, threads: int) -> Engine:
    if path.suffix.lower() == DARKNET_SUFFIX:
        from drive.detection.tiny_yolo_v1_detector import load_darknet_engine

        return load_darknet_engine(path, engine, threads)
    return load_engine(path, engine, threads, build=build_network)


def _detector_of(engine: Engine, path: Path, settings: dict[str, Any]) -> Detector:
    network = engine.metadata.get("network")
    if network == TINY_YOLO_V1:
        from drive.detection.tiny_yolo_v1_detector import TinyYoloV1Detector

        if settings.pop("detail", "fast") != "fast":
            raise InputError(f"{TINY_YOLO_V1} has one input size. Leave --detail fine out")
        return TinyYoloV1Detector(engine, **settings)
    if network != TINY_YOLO_DRIVE:
        raise WeightsError(
            f"{path}: not a detector of drive; network in the metadata must be {TINY_YOLO_DRIVE} "
            f"or {TINY_YOLO_V1}; got {network}"
        )
    if "exponent" in settings:
        raise InputError(
            f"--exponent is only for {TINY_YOLO_V1}; got {settings['exponent']:g} for {network}. "
            "Leave it out"
        )
    from drive.detection.tiny_yolo_drive_detector import TinyYoloDriveDetector

    return TinyYoloDriveDetector(engine, **settings)


def build_network(metadata: dict[str, str]) -> keras.Model:
    """Build the Keras network that a file's metadata names, for the keras engine."""
    if metadata.get("network") == TINY_YOLO_V1:
        from drive.detection.tiny_yolo_v1 import build_tiny_yolo_v1

        return build_tiny_yolo_v1()
    from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive

    return build_tiny_yolo_drive(len(json.loads(metadata.get("classes", "[]"))))
