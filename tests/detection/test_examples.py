"""The example pictures: the worst and the typical ones, counted as AP counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drive.core.types import Box, Detection
from drive.detection.dataset import LabelledImage, LabelledImages
from drive.detection.examples import choose_examples


def image(number: int, boxes: int = 1, ignored: bool = False) -> LabelledImage:
    corners = np.array([[60.0 * i, 0, 60.0 * i + 50, 50] for i in range(boxes)], np.float32)
    return LabelledImage(
        Path(f"{number:02d}.png"),
        corners.reshape(-1, 4),
        np.zeros(boxes, np.int64),
        np.full(boxes, ignored),
        "",
        np.array([True, False]),
    )


def car(x: float, score: float = 0.9, label: str = "car") -> Detection:
    return Detection(label, score, Box(x, 0, x + 50, 50))


def dataset(*images: LabelledImage) -> LabelledImages:
    return LabelledImages(("car", "bus"), images)


THRESHOLDS = {"car": 0.5, "bus": 0.5}


def test_right_missed_and_wrong_are_counted() -> None:
    found = [[car(0), car(2, 0.8), car(300), car(60, 0.2), car(60, 0.9, "bus")]]
    (example,) = choose_examples(dataset(image(0, 2)), found, THRESHOLDS)
    # the second box on one car and the far one are wrong; 0.2 is below the threshold; nobody
    # labelled buses there
    assert (example.right, len(example.found), len(example.truth)) == (1, 3, 2)
    assert example.caption == "1 of 2 found, 2 wrong  00.png"


def test_ignored_boxes_are_neither_missed_nor_wrong() -> None:
    (example,) = choose_examples(dataset(image(0, 1, ignored=True)), [[car(0)]], THRESHOLDS)
    assert (example.right, example.errors) == (0, 0)


def test_the_worst_come_first_then_typical_ones() -> None:
    images = [image(number) for number in range(9)]
    found = [[car(0)] if number >= 2 else [car(200)] for number in range(9)]
    examples = choose_examples(dataset(*images), found, THRESHOLDS, most=4)
    assert [e.image.path.name for e in examples[:2]] == ["00.png", "01.png"]
    assert [e.typical for e in examples] == [False, False, True, True]
    assert all(e.f1 == 1 for e in examples[2:])
    assert len(choose_examples(dataset(*images), found, THRESHOLDS, most=20)) == 9


def test_empty_pictures_come_last_of_all() -> None:
    examples = choose_examples(dataset(image(0, 0), image(1)), [[], []], THRESHOLDS)
    assert [e.image.path.name for e in examples] == ["01.png"]
