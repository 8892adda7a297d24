"""Labelled images: one form for the formats of `dataset_formats`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.detection.dataset_formats import RawImage, listed_classes, read_raw

CLASSES = ("car", "bus", "truck", "motorcycle", "bicycle", "person")  # of `tiny-yolo-drive`
SYNONYMS = {
    "motorbike": "motorcycle",
    "motor": "motorcycle",
    "bike": "bicycle",
    "pedestrian": "person",
    "people": "person",
}  # in VOC, BDD100K, VisDrone
KINDS = {"van": "car", "minivan": "car"}  # unless van is a class itself
ALIASES = SYNONYMS | KINDS

COUNTED_IN = {
    "images_without_label_file": "without a label file, counted as empty",
    "boxes_cut": "cut at the image's edge",
}  # what is used all the same
NOUNS = {"images": ("image", "images"), "boxes": ("box", "boxes")}  # of the counts' names
LEAST_SIDE = 1.0  # pixels; thinner boxes are left out


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """An image with its boxes.

    Attributes:
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the image.
        class_ids: (N,) int64, index into the dataset's classes.
        ignored: (N,) bool; detections there count neither for nor against (`difficult` in VOC).
        origin: where the image comes from; empty if the dataset does not say.
        labelled: (C,) bool; the classes that are labelled in images of this origin.
    """

    path: Path
    boxes: np.ndarray
    class_ids: np.ndarray
    ignored: np.ndarray
    origin: str
    labelled: np.ndarray

    def read(self) -> np.ndarray:
        """Return the image, (H, W, 3) uint8 RGB."""
        return read_image(self.path)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """A dataset: images with at least one labelled class, and counts of what was left out."""

    classes: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    counts: dict[str, int] = field(default_factory=dict)

    def select(self, wanted: Iterable[bool]) -> LabelledImages:
        """Return the dataset with only the images for which `wanted` is true."""
        kept = tuple(image for image, keep in zip(self.images, wanted, strict=True) if keep)
        return LabelledImages(self.classes, kept, self.counts)

    def summary(self) -> str:
        """Return what was read and what was left out, in one line."""
        left_out = [
            _told(count, name)
            for name, count in self.counts.items()
            if count and name not in ("images", "boxes", *COUNTED_IN)
        ]
        text = f"{counted(self.counts['images'], 'image')} with "
        text += counted(self.counts["boxes"], "box", "boxes")
        for name in COUNTED_IN:
            text += f"; {_told(self.counts[name], name)}" if self.counts.get(name) else ""
        return f"{text}; left out: {', '.join(left_out)}" if left_out else text

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins in the order of their first image."""
        return tuple(dict.fromkeys(image.origin for image in self.images))


@dataclass(frozen=True, slots=True, eq=False)
class UnsortedImages:
    """A dataset as it was read, before classes are chosen.

    `listed` has the classes that the dataset lists, `counts` the number of what could not be read.
    """

    path: Path
    images: tuple[RawImage, ...]
    listed: tuple[str, ...]
    counts: Counter[str]

    def boxes_of(self) -> Counter[str]:
        """Return the number of boxes by class, with our names, in the dataset's order."""
        boxes = Counter(dict.fromkeys(map(_our_name, self.listed), 0))
        boxes.update(_our_name(name) for image in self.images for name in image.names)
        return boxes

    def with_classes(self, classes: Sequence[str]) -> LabelledImages:
        """Return the dataset with the boxes of `classes`; `InputError` if there is none."""
        counts = Counter(self.counts)
        index = _class_index(classes)
        labelled = _labelled_classes(self.images, index, len(classes))
        images = []
        for entry in self.images:
            if not labelled[entry.origin].any():
                counts["images_unlabelled"] += 1
                continue
            images.append(_convert(entry, index, labelled[entry.origin], counts))
        if not images:
            names = sorted({name for entry in self.images for name in entry.names})
            alone = counts["images_without_label_file"]
            without = f", {alone} of them without a label file" if alone else ""
            raise InputError(
                f"{self.path}: no image has a box of {', '.join(classes)}; got "
                f"{counted(len(self.images), 'image')}{without} with boxes of "
                f"{', '.join(names) or 'no class'}"
            )
        counts["images"] = len(images)
        counts["boxes"] = sum(len(image.boxes) for image in images)
        return LabelledImages(tuple(classes), tuple(images), dict(counts))


def open_dataset(path: str | Path) -> UnsortedImages:
    """Read a dataset in any of the formats of `dataset_formats`.

    Raises:
        MissingFileError: the folder does not exist.
        InputError: the format is unknown, or a row is invalid (names file, row and value).
    """
    counts: Counter[str] = Counter()
    images = tuple(image for image in read_raw(Path(path), counts) if _usable(image, counts))
    return UnsortedImages(Path(path), images, listed_classes(Path(path)), counts)


def read_dataset(path: str | Path, classes: Sequence[str] = CLASSES) -> LabelledImages:
    """Read a dataset (see `open_dataset`) with the boxes of some classes, looked up in `ALIASES`.

    A class counts as labelled in an origin that has at least one box of it: an origin that has only
    cars says nothing about people in its images.
    """
    return open_dataset(path).with_classes(classes)


def concatenate(datasets: Sequence[LabelledImages]) -> LabelledImages:
    """Join datasets of the same classes; `InputError` if they differ."""
    if len({dataset.classes for dataset in datasets}) != 1:
        raise InputError(
            f"datasets must have the same classes; got {[each.classes for each in datasets]}"
        )
    counts: Counter[str] = Counter()
    for dataset in datasets:
        counts.update(dataset.counts)
    images = tuple(image for dataset in datasets for image in dataset.images)
    return LabelledImages(datasets[0].classes, images, dict(counts))


def read_image(path: Path) -> np.ndarray:
    """Return an image file as (H, W, 3) uint8 RGB, or raise `InputError`."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise InputError(f"{path}: not an image file")
    return image


def _usable(image: RawImage, counts: Counter[str]) -> bool:
    """Return whether the file exists and starts like an image; count those that do not."""
    if not image.path.is_file():
        counts["images_missing"] += 1
        return False
    if not cv2.haveImageReader(str(image.path)):
        counts["images_unreadable"] += 1
        return False
    return True


def _class_index(classes: Sequence[str]) -> Callable[[str], int]:
    """Return a function from a name to its index in `classes`; -1 if it has none."""
    own = {name.lower(): index for index, name in enumerate(classes)}
    synonyms: dict[str, int] = {}
    for name, index in own.items():
        synonyms.setdefault(SYNONYMS.get(name, name), index)

    def find(name: str) -> int:
        lowered = name.strip().lower()
        return own.get(lowered, synonyms.get(ALIASES.get(lowered, lowered), -1))

    return find


def _labelled_classes(
    raw: Sequence[RawImage], index: Callable[[str], int], classes: int
) -> dict[str, np.ndarray]:
    """Return (C,) bool by origin: the classes of which it has a box."""
    labelled: dict[str, np.ndarray] = {}
    for entry in raw:
        found = labelled.setdefault(entry.origin, np.zeros(classes, bool))
        found[[place for place in map(index, entry.names) if place >= 0]] = True
    return labelled


def _convert(
    entry: RawImage, index: Callable[[str], int], labelled: np.ndarray, counts: Counter[str]
) -> LabelledImage:
    """Keep the boxes of our classes that are wide and high enough; count the others."""
    ids = np.array([index(name) for name in entry.names], np.int64)
    boxes = np.array(entry.boxes, np.float32).reshape(-1, 4)
    ours = ids >= 0
    whole = np.all(boxes[:, 2:] - boxes[:, :2] >= LEAST_SIDE, axis=1)
    counts["boxes_of_other_classes"] += int(np.sum(~ours))
    counts["boxes_empty"] += int(np.sum(ours & ~whole))
    kept = ours & whole
    ignored = np.array(entry.ignored, bool)
    return LabelledImage(entry.path, boxes[kept], ids[kept], ignored[kept], entry.origin, labelled)


def _our_name(name: str) -> str:
    lowered = name.strip().lower()
    return ALIASES.get(lowered, lowered)


def _told(count: int, name: str) -> str:
    """Return a count in words: "1 box empty" for `boxes_empty`."""
    kind, _, what = name.partition("_")
    return f"{counted(count, *NOUNS[kind])} {COUNTED_IN.get(name, what.replace('_', ' '))}"
