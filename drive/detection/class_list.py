"""Which classes a training is for: those that the user names, or those of the datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from drive.core.errors import InputError
from drive.detection.dataset import UnsortedImages


def choose_classes(datasets: Sequence[UnsortedImages], known: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to train if the user names none.

    Of a dataset with `data.yaml`, the listed classes with boxes are trained; of another dataset
    (labels.csv, VOC), those that the weights know, or all if they know none. If the weights know
    all of these, all classes of the weights are kept: classes that are not labelled cost nothing.
    """
    wanted: dict[str, None] = {}
    for dataset in datasets:
        found = [name for name, boxes in dataset.boxes_of().items() if boxes]
        ours = [name for name in found if name in known]
        wanted |= dict.fromkeys(found if dataset.listed or not ours else ours)
    if not wanted:
        names = ", ".join(str(dataset.path) for dataset in datasets)
        alone = sum(dataset.counts["images_without_label_file"] for dataset in datasets)
        raise InputError(
            f"{names}: expected at least one labelled box; got none in "
            f"{sum(len(dataset.images) for dataset in datasets)} images, "
            f"{alone} of them without a label file"
        )
    return tuple(known) if set(wanted) <= set(known) else tuple(wanted)


def parse_classes(text: str) -> tuple[str, ...]:
    """Return the classes of `car,bus,...`, in lower case; each must be named once."""
    names = tuple(name.strip().lower() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise InputError(
            f"--classes must be a list such as car,bus with each class once; got {text!r}"
        )
    return names


def describe_classes(
    classes: Sequence[str], known: Sequence[str], datasets: Sequence[UnsortedImages]
) -> str:
    """Return one line: the classes to train, the new ones, and those that are left out."""
    new = [name for name in classes if name not in known]
    text = f"classes: {', '.join(classes)}"
    if new and len(new) < len(classes):
        text += f" (new: {', '.join(new)})"
    elif new:
        text += " (all new)"
    boxes = sum((dataset.boxes_of() for dataset in datasets), Counter[str]())
    if others := [name for name in boxes if name not in classes]:
        text += f"; left out: {', '.join(others)} (--classes includes them)"
    return text
