"""What a detector is from outside, and what all of them share: crop, run, suppress, map back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from drive.core.errors import InputError, check_images, in_range
from drive.core.region import Region
from drive.core.types import Box, Detection
from drive.detection.decode import Candidates
from drive.detection.nms import suppress
from drive.detection.preprocess import Placement
from drive.runtime.base import Engine


class Finder(Protocol):
    """What finds objects in an image; `classes` are all that it knows."""

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
            region: where to look, in pixels; None for `default_region` of the image's size.
            conf: minimum score of all classes, 0 to 1; None for each class's own threshold.
            classes: to report; None for the detector's usual ones.

        Returns:
            Detections, best first; boxes in pixels of the image, origin top left.

        Raises:
            InputError: a class is unknown, `conf` is out of range, the image is not (H, W, 3)
                uint8, or the region is not inside it.
        """


class Detector(Finder, Protocol):
    """A finder with a network, as `load_detector` returns it.

    `thresholds` are minimum scores by class, used if `conf` is not given.
    """

    name: str
    thresholds: dict[str, float]
    engine: Engine

    @abstractmethod
    def default_region(self, width: int, height: int) -> Region:
        """Return where to look in a frame of this size by default."""

    @abstractmethod
    def prepare(self, crop: np.ndarray) -> tuple[np.ndarray, Placement]:
        """Return the network's input, (H, W, 3) uint8, and where the crop lies in it."""

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        """Find objects in several images, which may differ in size; as `detect`."""

    def detect(
        self,
        image: np.ndarray,
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[Detection]:
        """Find objects in one image; see `Finder.detect`."""
        return self.detect_batch([image], region, conf, classes)[0]


class NetworkDetector(Detector, ABC):
    """A detector with a network; subclasses prepare its input and decode its outputs.

    `classes` are in the order of the network; `wanted` are reported by default, None: all. Of two
    boxes of one class that overlap more than `nms_iou`, the lower one is dropped.
    """

    name: str
    across_iou = 1.0
    """Overlap above which the lower of two boxes of different classes is dropped; 1: neither."""

    def __init__(
        self,
        engine: Engine,
        classes: Sequence[str],
        thresholds: Mapping[str, float] | float,
        nms_iou: float,
        wanted: Sequence[str] | None = None,
    ) -> None:
        self.engine = engine
        self.classes = tuple(classes)
        if isinstance(thresholds, float | int):
            thresholds = dict.fromkeys(self.classes, in_range("conf", thresholds, 0, 1))
        self.thresholds = dict(thresholds)
        self.nms_iou = in_range("nms_iou", nms_iou, 0, 1)
        self.wanted = self._known(self.classes if wanted is None else wanted)

    @abstractmethod
    def decode(self, outputs: list[np.ndarray], thresholds: np.ndarray) -> Candidates:
        """Return the boxes above the (C,) thresholds, in pixels of the network's input."""

    def detect_batch(
        self,
        images: Sequence[np.ndarray],
        region: Region | None = None,
        conf: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> list[list[Detection]]:
        """Find objects in several images, which may differ in size; as `detect`."""
        check_images(images)
        thresholds = self._thresholds(conf, classes)
        regions = [self._region_in(image, region) for image in images]
        crops = [where.crop(image) for image, where in zip(images, regions, strict=True)]
        prepared = [self.prepare(crop) for crop in crops]
        outputs = self._run([image for image, _ in prepared])
        return [
            self._detections(self.decode(result, thresholds), placement, where)
            for result, (_, placement), where in zip(outputs, prepared, regions, strict=True)
        ]

    def _run(self, images: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Return the outputs per image; images of one shape make a batch."""
        outputs: dict[int, list[np.ndarray]] = {}
        for shape in dict.fromkeys(image.shape for image in images):
            places = [index for index, image in enumerate(images) if image.shape == shape]
            batch = np.stack([images[index] for index in places])
            results = self.engine.predict(batch.astype(self.engine.input_dtype, copy=False))
            for row, index in enumerate(places):
                outputs[index] = [result[row] for result in results]
        return [outputs[index] for index in range(len(images))]

    def _detections(
        self, candidates: Candidates, placement: Placement, region: Region
    ) -> list[Detection]:
        """Suppress, map back to the source, drop what lies in the padding, cut scores to 1."""
        found = (candidates.boxes, candidates.scores, candidates.class_ids)
        kept = candidates.select(suppress(*found, self.nms_iou, self.across_iou))
        boxes = region.to_source(placement.remove(kept.boxes), placement.width, placement.height)
        return [
            Detection(self.classes[class_id], min(float(score), 1.0), Box(*map(float, box)))
            for box, score, class_id in zip(boxes, kept.scores, kept.class_ids, strict=True)
            if box[2] > box[0] and box[3] > box[1]
        ]

    def _thresholds(self, conf: float | None, classes: Sequence[str] | None) -> np.ndarray:
        """Return the minimum score of each class, infinite for classes not to report."""
        if conf is not None:
            in_range("conf", conf, 0, 1)
        wanted = self.wanted if classes is None else self._known(classes)
        usual = self.thresholds if conf is None else dict.fromkeys(self.classes, conf)
        return np.array([usual[name] if name in wanted else np.inf for name in self.classes])

    def _known(self, classes: Sequence[str]) -> tuple[str, ...]:
        return check_known(self.name, self.classes, classes)

    def _region_in(self, image: np.ndarray, region: Region | None) -> Region:
        height, width = image.shape[:2]
        chosen = self.default_region(width, height) if region is None else region
        if chosen.x2 > width or chosen.y2 > height:
            raise InputError(
                f"region must lie inside the image of {width}x{height} pixels; got {chosen}"
            )
        return chosen


def check_known(network: str, known: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes, or raise `InputError` unless the network knows each."""
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(
            f"classes of {network} must be among {', '.join(known)}; "
            f"got {', '.join(unknown) or 'none'}"
        )
    return names
