"""Which images show best what a detector does: its worst and typical ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drive.core.types import Box, Detection
from drive.detection.dataset import LabelledImage, LabelledImages
from drive.detection.nms import overlaps_of

MOST_EXAMPLES = 12  # four rows of three on a sheet
SAME_IOU = 0.5  # as in AP50


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An image to show, with labelled boxes that count and detections above their thresholds.

    `right` of the detections are correct; `typical` ones are not among the worst.
    """

    image: LabelledImage
    truth: tuple[tuple[str, Box], ...]
    found: tuple[Detection, ...]
    right: int
    typical: bool = False

    @property
    def f1(self) -> float:
        """Twice the correct ones over all labelled and all found ones; 1 if there are none."""
        total = len(self.truth) + len(self.found)
        return 2 * self.right / total if total else 1.0

    @property
    def caption(self) -> str:
        """The text below the image."""
        wrong = len(self.found) - self.right
        kind = "typical: " if self.typical else ""
        text = f"{kind}{self.right} of {len(self.truth)} found, {wrong} wrong"
        return f"{text}  {self.image.path.name}"

    @property
    def errors(self) -> int:
        """The number of missed and of wrong boxes."""
        return len(self.truth) + len(self.found) - 2 * self.right


def choose_examples(
    dataset: LabelledImages,
    found: Sequence[Sequence[Detection]],
    thresholds: Mapping[str, float],
    most: int = MOST_EXAMPLES,
) -> list[Example]:
    """Return examples: half of them the worst, half of them around the median, worst first."""
    examples = [
        _example(image, dataset.classes, of_image, thresholds)
        for image, of_image in zip(dataset.images, found, strict=True)
    ]
    shown = [example for example in examples if example.truth or example.found] or examples
    ranked = sorted(shown, key=lambda example: (example.f1, -example.errors))
    if len(ranked) <= most:
        return ranked
    worst, rest = ranked[: most // 2], ranked[most // 2 :]
    number = most - len(worst)
    start = (len(rest) - number) // 2
    typical = rest[start : start + number]
    return worst + [replace(example, typical=True) for example in typical]


def _example(
    image: LabelledImage,
    classes: Sequence[str],
    found: Sequence[Detection],
    thresholds: Mapping[str, float],
) -> Example:
    counted = ~image.ignored
    truth = tuple(
        (classes[class_id], Box(*map(float, box)))
        for box, class_id in zip(image.boxes[counted], image.class_ids[counted], strict=True)
    )
    labelled = {name for name, yes in zip(classes, image.labelled, strict=True) if yes}
    shown = [d for d in found if d.label in labelled and d.score >= thresholds.get(d.label, 1.0)]
    shown = [d for d in shown if not _in_ignored(d, image, classes)]
    free, right = list(truth), 0
    for detection in sorted(shown, key=lambda d: -d.score):
        same = [pair for pair in free if pair[0] == detection.label]
        overlaps = overlaps_of(detection.box, [box for _, box in same])
        if len(same) and overlaps.max() >= SAME_IOU:
            free.remove(same[int(overlaps.argmax())])
            right += 1
    return Example(image, truth, tuple(shown), right)


def _in_ignored(detection: Detection, image: LabelledImage, classes: Sequence[str]) -> bool:
    of_class = image.class_ids == classes.index(detection.label)
    boxes = image.boxes[image.ignored & of_class]
    return bool(overlaps_of(detection.box, boxes).max(initial=0) >= SAME_IOU)
