"""What a detector is from outside, and `load_detector`, which finds the right one for a file.

Knows the networks by name only; each lives in its own module and is imported when it is met.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from drive.core.errors import InputError, WeightsError
from drive.core.region import Region
from drive.core.shipped import DETECTOR as DEFAULT_WEIGHTS
from drive.core.types import Detection
from drive.detection.decode import VOC_CLASSES
from drive.detection.network_detector import check_known
from drive.detection.preprocess import Placement
from drive.runtime import load_engine
from drive.runtime.base import Engine, check_model_file
from drive.runtime.file_form import peek_metadata
from drive.runtime.int8_form import usual_form

if TYPE_CHECKING:
    import keras

"""The float weights that ship: what training goes on from, and the keras engine runs."""

DARKNET_SUFFIX = ".weights"
TINY_YOLO_V1 = "tiny-yolo-v1"
TINY_YOLO_DRIVE = "tiny-yolo-drive"


class Finder(Protocol):
    """What finds objects in an image: all that measuring it needs.

    Attributes:
        classes: every class that it knows.
    """

    classes: tuple[str, ...]

    def detect(
        self,
        image: np.ndarray,
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[Detection]:
        """Find objects in one image.

        Args:
            image: (H, W, 3) uint8, RGB.
            region: where to look; `default_region` of the image's size when None.
            conf: minimum score, for all classes; each class's own threshold when None.
            classes: which classes to report; the detector's usual ones when None.

        Returns:
            Detections in source pixels, best first.

        Raises:
            InputError: a class is unknown, `conf` is outside 0..1, the image is not RGB uint8,
                or the region is not inside it.
        """
        ...


class Detector(Finder, Protocol):
    """A finder with a network in an engine.

    Attributes:
        name: of the network.
        thresholds: minimum score for each class, used where `conf` is not given.
        engine: what runs the network.
    """

    name: str
    thresholds: dict[str, float]
    engine: Engine

    def default_region(self, width: int, height: int) -> Region:
        """Return where to look in a frame of this size when nobody says."""
        ...

    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return the crop as the network takes it, (H, W, 3) uint8, and where it lies in that."""
        ...

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        """Find objects in several images, which may differ in size; see `detect`."""
        ...


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
    """Load a detector; which one, the weights file says.

    Args:
        weights: `.onnx` (or OpenVINO `.xml`) of ours, or Darknet's `.weights` of tiny YOLO v1;
            None for the detector that ships with drive, see `shipped_weights`.
        engine: "auto", "openvino", "onnx" or "keras".
        threads: processor threads; 0 leaves the number to the runtime.
        conf: minimum score for all classes instead of the network's own thresholds.
        classes: the classes to report instead of the network's usual ones.
        nms_iou: overlap for suppression instead of the network's own.
        exponent: of tiny YOLO v1's widths and heights, instead of the paper's 2.
        detail: of tiny-yolo-drive: "fast" (its usual) or "fine", see `TinyYoloDriveDetector`.

    Raises:
        MissingFileError: there is no such file.
        InputError: unknown engine or class, or a number outside its range.
        WeightsError: the file is damaged or holds another network.
    """
    path = shipped_weights(engine) if weights is None else Path(weights)
    check_model_file(path, (".onnx", DARKNET_SUFFIX), _holds_detector)
    if classes is not None:
        _check_classes(path, classes)
    running = _load_network(path, engine, threads)
    settings: dict[str, Any] = {
        "conf": conf,
        "classes": classes,
        "nms_iou": nms_iou,
        "exponent": exponent,
        "detail": detail,
    }
    return _detector_of(running, path, {k: v for k, v in settings.items() if v is not None})


def prefer_detail(detector: Detector, detail: str) -> None:
    """Choose the detail of a detector that has the choice; leave one that has not as it is."""
    if hasattr(detector, "detail"):
        detector.detail = detail


def shipped_weights(engine: str = "auto") -> Path:
    """Return the file that `load_detector(None, engine)` loads.

    The int8 form, if it lies beside the float one and the engine can run it; else the float one.
    """
    return usual_form(DEFAULT_WEIGHTS, engine)


def _holds_detector(path: Path) -> bool:
    if path.suffix.lower() == DARKNET_SUFFIX:
        return True
    return peek_metadata(path).get("network") in (TINY_YOLO_DRIVE, TINY_YOLO_V1)


def _check_classes(path: Path, classes: Sequence[str]) -> None:
    """Refuse classes that the network of a file does not know, before it is loaded."""
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
