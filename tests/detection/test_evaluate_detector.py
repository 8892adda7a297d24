"""Average precision: against an independent implementation, and by hand where rules differ."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drive.core.errors import InputError
from drive.core.types import Box, Detection
from drive.detection.dataset import LabelledImage, LabelledImages
from drive.detection.evaluate import as_table, detect_all, evaluate

CLASSES = ("car", "bus")


def image(
    boxes: list[list[float]],
    class_ids: list[int] | None = None,
    ignored: list[bool] | None = None,
    labelled: tuple[bool, bool] = (True, True),
) -> LabelledImage:
    count = len(boxes)
    return LabelledImage(
        Path("picture.jpg"),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(class_ids or [0] * count, np.int64),
        np.array(ignored or [False] * count, bool),
        "",
        np.array(labelled),
    )


def dataset(*images: LabelledImage) -> LabelledImages:
    return LabelledImages(CLASSES, images)


def car(score: float, *box: float) -> Detection:
    return Detection("car", score, Box(*box))


def random_case(seed: int) -> tuple[LabelledImages, list[list[Detection]]]:
    """Boxes, and detections that hit some of them, miss others, double up and tie in score."""
    rng = np.random.default_rng(seed)
    images, found = [], []
    for _ in range(12):
        count = int(rng.integers(0, 7))
        corners = rng.uniform(0, 200, (count, 2))
        boxes = np.hstack([corners, corners + rng.uniform(10, 90, (count, 2))])
        class_ids = rng.integers(0, 2, count)
        images.append(image(boxes.tolist(), class_ids.tolist()))
        shaken = np.repeat(boxes, 2, axis=0) + rng.normal(0, 6, (2 * count, 4))
        ids = np.repeat(class_ids, 2)
        wild = np.sort(rng.uniform(0, 250, (3, 2, 2)), axis=1).reshape(3, 4)
        found.append(
            [
                Detection(CLASSES[i], round(float(rng.random()), 2), Box(*map(float, box)))
                for i, box in zip([*ids, *rng.integers(0, 2, 3)], [*shaken, *wild], strict=True)
                if box[2] > box[0] and box[3] > box[1]
            ]
        )
    return dataset(*images), found


def coco_precision(data: LabelledImages, found: list[list[Detection]]) -> np.ndarray:
    """Return (10, C) average precision of faster-coco-eval on the same case."""
    coco = pytest.importorskip("faster_coco_eval")
    numbers = range(1, len(data.images) + 1)
    annotations: list[dict[str, Any]] = []
    for number, entry in zip(numbers, data.images, strict=True):
        for box, class_id in zip(entry.boxes.astype(float), entry.class_ids, strict=True):
            size = (box[2:] - box[:2]).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(class_id) + 1,
                    "bbox": [*box[:2].tolist(), *size],
                    "area": size[0] * size[1],
                    "iscrowd": 0,
                }
            )
    results = [
        {
            "image_id": number,
            "category_id": CLASSES.index(d.label) + 1,
            "bbox": [d.box.x1, d.box.y1, d.box.width, d.box.height],
            "score": d.score,
        }
        for number, detections in zip(numbers, found, strict=True)
        for d in detections
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(
            {
                "images": [{"id": n, "width": 300, "height": 300} for n in numbers],
                "annotations": annotations,
                "categories": [{"id": i + 1, "name": n} for i, n in enumerate(CLASSES)],
            }
        )
        run = coco.COCOeval_faster(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
    return run.eval["precision"][:, :, :, 0, -1].mean(axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_coco_on_random_boxes(seed: int) -> None:
    data, found = random_case(seed)
    expected = coco_precision(data, found)
    result = evaluate(data, found)
    for class_id, name in enumerate(CLASSES):
        ours = result.classes[name].average_precision
        np.testing.assert_allclose(ours, expected[:, class_id], atol=1e-9)
        assert 0.05 < ours[0] < 0.95  # a case that tells implementations apart


def test_everything_found_is_one_and_nothing_found_is_zero() -> None:
    data = dataset(image([[0, 0, 50, 50]]), image([[10, 10, 60, 40]]))
    found = [[car(0.9, 0, 0, 50, 50)], [car(0.3, 10, 10, 60, 40)]]
    assert evaluate(data, found).classes["car"].average_precision.tolist() == [1.0] * 10
    assert evaluate(data, [[], []]).metrics().ap50 == {"car": 0.0}


def test_a_second_box_on_one_car_is_wrong() -> None:
    found = [[car(0.9, 0, 0, 50, 50), car(0.8, 1, 0, 51, 50)]]
    result = evaluate(dataset(image([[0, 0, 50, 50]])), found).classes["car"]
    assert result.precision.tolist() == [1.0, 0.5]


def test_ignored_boxes_count_neither_for_nor_against() -> None:
    data = dataset(image([[0, 0, 50, 50], [100, 0, 150, 50]], ignored=[False, True]))
    found = [[car(0.9, 100, 0, 150, 50), car(0.8, 101, 0, 151, 50), car(0.7, 0, 0, 50, 50)]]
    result = evaluate(data, found).classes["car"]
    assert result.boxes == 1
    assert result.ap50 == 1.0


def test_a_class_counts_only_where_it_was_labelled() -> None:
    cars_only = image([[0, 0, 50, 50]], labelled=(True, False))
    both = image([[0, 0, 50, 50]], [1])
    bus = Detection("bus", 0.9, Box(0, 0, 50, 50))
    result = evaluate(dataset(cars_only, both), [[bus, car(0.5, 0, 0, 50, 50)], [bus]])
    assert result.metrics().ap50 == {"car": 1.0, "bus": 1.0}


def test_best_threshold_separates_right_from_wrong() -> None:
    data = dataset(image([[0, 0, 50, 50], [100, 0, 150, 50]]))
    found = [
        [
            car(0.8, 0, 0, 50, 50),
            car(0.6, 100, 0, 150, 50),
            car(0.4, 200, 0, 250, 50),
            car(0.05, 0, 200, 50, 250),
        ]
    ]
    threshold, f1 = evaluate(data, found).classes["car"].best_threshold()
    assert (threshold, f1) == (0.6, 1.0)


def test_best_threshold_is_never_below_the_lowest() -> None:
    found = [[car(0.02, 0, 0, 50, 50)]]
    result = evaluate(dataset(image([[0, 0, 50, 50]])), found)
    assert result.classes["car"].best_threshold() == (0.1, 0.0)


def test_table_has_a_line_for_each_row_and_a_dash_where_a_class_is_absent() -> None:
    a = evaluate(dataset(image([[0, 0, 50, 50]])), [[car(0.9, 0, 0, 50, 50)]])
    b = evaluate(dataset(image([[0, 0, 50, 50]], [1])), [[]])
    lines = as_table({"first": a, "second": b}).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["first", "1", "1", "1.000", "1.000", "1.000", "-"]


def test_without_boxes_or_with_a_missing_picture_it_says_so() -> None:
    with pytest.raises(InputError, match="at least one labelled box"):
        evaluate(dataset(image([])), [[]])
    with pytest.raises(InputError, match="each of 1 images; got 0"):
        evaluate(dataset(image([])), [])


def test_a_detector_without_a_class_in_common_is_refused() -> None:
    class Birds:
        classes = ("bird",)

        def detect(self, *_: object, **__: object) -> list[Detection]:
            return []

    with pytest.raises(InputError, match="share no class"):
        detect_all(Birds(), dataset(image([])))
