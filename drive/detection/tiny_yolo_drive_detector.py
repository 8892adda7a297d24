"""Tiny-yolo-drive as a detector, set up by the metadata of the model file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from drive.core.errors import InputError, WeightsError
from drive.core.region import Region
from drive.detection.decode import Candidates, decode_heads
from drive.detection.network_detector import NetworkDetector
from drive.detection.preprocess import Placement, closest_aspect, finer, letterbox
from drive.runtime import Engine

ACROSS_IOU = 0.8  # above it, one vehicle has two labels; people on motorcycles overlap less
Detail = Literal["fast", "fine"]
DETAILS: tuple[Detail, ...] = ("fast", "fine")
FINE_GAIN = 1.75  # of the input's sides: three times the work (docs/decisions/detector.md)
NARROWEST_ROAD = 1.2  # width over height; of a narrower frame, the region is the whole


class TinyYoloDriveDetector(NetworkDetector):
    """The detector of drive on the road region, letterboxed to the closest trained input size.

    The engine's metadata has `classes`, `thresholds`, `input_sizes`, `strides`, `anchors`,
    `centre_gain` and `nms_iou`, each as JSON; settings that are None come from there. Detail "fast"
    is for video; "fine" for images: inputs up to `FINE_GAIN` times as high and wide, if the image
    has the pixels and the file supports any size (files of `export --size` do not).
    """

    name = "tiny-yolo-drive"
    across_iou = ACROSS_IOU

    def __init__(
        self,
        engine: Engine,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
        nms_iou: float | None = None,
        detail: Detail = "fast",
    ) -> None:
        if detail not in DETAILS:
            raise InputError(f"detail must be one of {', '.join(DETAILS)}; got {detail}")
        known = _entry(engine, "classes")
        thresholds = _for_each(engine, "thresholds", known) if conf is None else conf
        overlap = float(_entry(engine, "nms_iou")) if nms_iou is None else nms_iou
        super().__init__(engine, known, thresholds, overlap, classes)
        self.input_sizes = [(int(h), int(w)) for h, w in _entry(engine, "input_sizes")]
        self.strides = [int(stride) for stride in _entry(engine, "strides")]
        self.detail = detail
        self.centre_gain = float(engine.metadata.get("centre_gain", 1))  # older files have none
        anchors = _for_each(engine, "anchors", [str(stride) for stride in self.strides])
        self.anchors = [np.array(sizes, np.float32) for sizes in anchors.values()]

    def default_region(self, width: int, height: int) -> Region:
        """Return the road, or the whole of a narrow frame."""
        if width / height < NARROWEST_ROAD:
            return Region.full(width, height)
        return Region.road(width, height)

    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return the crop letterboxed to the input size with the closest aspect."""
        height, width = crop.shape[:2]
        size = closest_aspect(self.input_sizes, height, width)
        if self.detail == "fine" and None in self.engine.input_shape[1:3]:
            size = finer(size, height, width, FINE_GAIN)
        return letterbox(crop, *size)

    def decode(self, outputs: list[np.ndarray], thresholds: np.ndarray) -> Candidates:
        """Return the boxes above the thresholds, in pixels of the input."""
        return decode_heads(outputs, self.strides, self.anchors, thresholds, self.centre_gain)


def _entry(engine: Engine, key: str) -> Any:
    """Return one entry of the metadata, read as JSON."""
    text = engine.metadata.get(key)
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise WeightsError(
            f"the metadata of tiny-yolo-drive must have '{key}' as JSON; got {text}. Was the file "
            "written by drive?"
        ) from error


def _for_each(engine: Engine, key: str, names: Sequence[str]) -> dict[str, Any]:
    """Return one entry of the metadata with a value for each of `names`, in their order."""
    values = _entry(engine, key)
    missing = [name for name in names if name not in values]
    if missing:
        raise WeightsError(
            f"the metadata of tiny-yolo-drive must have '{key}' for each of {', '.join(names)}; "
            f"got {values}"
        )
    return {name: values[name] for name in names}
