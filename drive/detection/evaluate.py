"""Average precision of a detector on labelled images, as COCO and Pascal VOC define it.

Source: Lin et al., "Microsoft COCO", ECCV 2014, and its evaluation code (101 recall points);
Everingham et al., "The Pascal VOC Challenge", IJCV 2010, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.core.progress import Progress, no_progress
from drive.core.region import Region
from drive.core.types import Detection
from drive.detection.dataset import LabelledImage, LabelledImages
from drive.detection.network_detector import Finder
from drive.detection.nms import intersection_over_union
from drive.video.reader import read_image

OVERLAPS = np.linspace(0.5, 0.95, 10)  # COCO's thresholds; the first is VOC's
RECALL_POINTS = np.linspace(0, 1, 101)
MOST_DETECTIONS = 100  # per class and image, as in COCO
LEAST_SCORE = 0.01  # lower boxes hardly change AP, and cost time
LOWEST_THRESHOLD = 0.10  # of chosen thresholds; below, boxes flicker in every video


@dataclass(frozen=True, slots=True, eq=False)
class ClassResult:
    """How well one class was found.

    Attributes:
        boxes: number of labelled boxes that count.
        average_precision: (10,) at the overlaps 0.5 to 0.95; NaN without boxes.
        recall, precision: (D,) of the best 1 to D detections, at overlap 0.5.
        scores: (D,) of the detections, descending.
    """

    boxes: int
    average_precision: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    scores: np.ndarray

    @property
    def ap50(self) -> float:
        """Average precision at overlap 0.5."""
        return float(self.average_precision[0])

    def best_threshold(self) -> tuple[float, float]:
        """Return the score with the best F1, not below `LOWEST_THRESHOLD`, and that F1."""
        both = self.precision + self.recall
        f1 = 2 * self.precision * self.recall / np.maximum(both, np.finfo(float).tiny)
        f1 = np.where(self.scores >= LOWEST_THRESHOLD, f1, 0)
        if not f1.size or not f1.max():
            return LOWEST_THRESHOLD, 0.0
        return float(self.scores[f1.argmax()]), float(f1.max())


@dataclass(frozen=True, slots=True)
class DetectionMetrics:
    """Average precision over a dataset, at overlap 0.5 and as the mean over 0.5 to 0.95."""

    images: int
    boxes: int
    ap50: dict[str, float]
    map50: float
    map50_95: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A detector on a dataset; `classes` has those with boxes in the dataset."""

    images: int
    classes: dict[str, ClassResult]

    def metrics(self) -> DetectionMetrics:
        """Return the entries of `metrics.json`."""
        results = self.classes.values()
        return DetectionMetrics(
            self.images,
            sum(result.boxes for result in results),
            {name: round(result.ap50, 4) for name, result in self.classes.items()},
            round(float(np.mean([result.ap50 for result in results])), 4),
            round(float(np.mean([r.average_precision for r in results])), 4),
        )

    def curves(self, note: str = "") -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Return recall, precision and AP50 by class, with `note` behind its name."""
        return {f"{n}{note}": (c.recall, c.precision, c.ap50) for n, c in self.classes.items()}


def detect_all(
    detector: Finder,
    dataset: LabelledImages,
    progress: Progress = no_progress,
    damaged: Callable[[Path], None] = lambda path: None,
) -> list[list[Detection]]:
    """Return the detections of whole images at a low threshold; tell which are `damaged`."""
    known = [name for name in dataset.classes if name in detector.classes]
    if not known:
        raise InputError(
            "the detector and the dataset share no class; expected one of "
            f"{', '.join(dataset.classes)}, got {', '.join(detector.classes)}"
        )
    found = []
    for entry in progress(dataset.images, len(dataset.images), "detecting"):
        image = read_image(entry.path)
        if image is None:
            image = entry.read()
            damaged(entry.path)
        whole = Region.full(image.shape[1], image.shape[0])
        found.append(detector.detect(image, whole, LEAST_SCORE, known))
    return found


def evaluate(dataset: LabelledImages, detections: Sequence[Sequence[Detection]]) -> Evaluation:
    """Compare the detections of each image with its boxes; `InputError` if no box counts.

    An image counts for a class only if that class is labelled in it.
    """
    if len(detections) != len(dataset.images):
        raise InputError(
            f"detections must be given for each of {len(dataset.images)} images; got "
            f"{len(detections)}"
        )
    results = {}
    for class_id, name in enumerate(dataset.classes):
        parts = [
            _match_image(entry, class_id, [d for d in found if d.label == name])
            for entry, found in zip(dataset.images, detections, strict=True)
            if entry.labelled[class_id]
        ]
        if sum(part.boxes for part in parts):
            results[name] = _class_result(parts)
    if not results:
        raise InputError("measuring requires at least one labelled box that counts; got none")
    return Evaluation(len(dataset.images), results)


def as_table(rows: Mapping[str, Evaluation]) -> str:
    """Return AP50 as text: one line per row, one column per class."""
    classes = list(dict.fromkeys(name for row in rows.values() for name in row.classes))
    width = max(map(len, [*rows, "AP50"]))
    lines = [f"{'AP50':<{width}} {'images':>6} {'boxes':>6} {'mean':>6} {'50:95':>6}"]
    widths = [max(10, len(name)) for name in classes]
    lines[0] += "".join(f" {name:>{w}}" for name, w in zip(classes, widths, strict=True))
    for title, row in rows.items():
        numbers = row.metrics()
        line = f"{title:<{width}} {row.images:>6} {numbers.boxes:>6} {numbers.map50:>6.3f}"
        line += f" {numbers.map50_95:>6.3f}"
        cells = (f"{row.classes[n].ap50:.3f}" if n in row.classes else "-" for n in classes)
        lines.append(line + "".join(f" {c:>{w}}" for c, w in zip(cells, widths, strict=True)))
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Detections of one class in one image, best first: correct and not counted, each (10, D)."""

    boxes: int
    scores: np.ndarray
    right: np.ndarray
    uncounted: np.ndarray


def _match_image(entry: LabelledImage, class_id: int, found: Sequence[Detection]) -> _Matches:
    """Match each detection, best first, with the free box that it overlaps most."""
    ours = entry.class_ids == class_id
    truth, ignored = entry.boxes[ours], entry.ignored[ours]
    best = sorted(found, key=lambda detection: -detection.score)[:MOST_DETECTIONS]
    overlaps = intersection_over_union(
        np.array([d.box for d in best], float).reshape(-1, 4), truth.astype(float)
    )
    right = np.zeros((len(OVERLAPS), len(best)), bool)
    uncounted = np.zeros_like(right)
    free = np.tile(~ignored, (len(OVERLAPS), 1))
    every = np.arange(len(OVERLAPS))
    for index, overlap in enumerate(overlaps):
        if not len(truth):
            break
        open_overlap = np.where(free, overlap, -1.0)
        chosen = open_overlap.argmax(axis=1)
        hit = open_overlap[every, chosen] >= OVERLAPS
        free[every[hit], chosen[hit]] = False
        right[:, index] = hit
        in_ignored = np.where(ignored, overlap, -1.0).max() >= OVERLAPS
        uncounted[:, index] = ~hit & in_ignored
    scores = np.array([d.score for d in best], float)
    return _Matches(int(np.sum(~ignored)), scores, right, uncounted)


def _class_result(parts: Sequence[_Matches]) -> ClassResult:
    """Join the images, sort by score, and compute precision and recall."""
    boxes = sum(part.boxes for part in parts)
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([part.right for part in parts], axis=1)[:, order]
    uncounted = np.concatenate([part.uncounted for part in parts], axis=1)[:, order]
    true = np.cumsum(right, axis=1)
    false = np.cumsum(~right & ~uncounted, axis=1)
    recall = true / boxes
    precision = true / np.maximum(true + false, 1)
    averages = [_average_precision(r, p) for r, p in zip(recall, precision, strict=True)]
    return ClassResult(boxes, np.array(averages), recall[0], precision[0], scores[order])


def _average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the mean over 101 recalls of the best precision at that recall or beyond."""
    beyond = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALL_POINTS, side="left")
    return float(np.append(beyond, 0.0)[places].mean())
