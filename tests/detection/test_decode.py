"""Decoding against plain loops that say the same slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drive.detection.decode import VOC_CLASSES, Candidates, decode_heads, decode_tiny_yolo_v1

Row = tuple[float, ...]


def rows_of(candidates: Candidates) -> list[Row]:
    """Return sorted (class, score, box) rows."""
    columns = np.column_stack([candidates.class_ids, candidates.scores, candidates.boxes])
    return sorted(map(tuple, columns.tolist()))


def slow_v1(values: np.ndarray, threshold: float, exponent: float) -> list[Row]:
    found: list[Row] = []
    for row in range(7):
        for column in range(7):
            cell = row * 7 + column
            for box in range(2):
                confidence = values[980 + cell * 2 + box]
                start = 1078 + (cell * 2 + box) * 4
                x, y, w, h = (float(value) for value in values[start : start + 4])
                centre_x, centre_y = (column + x) / 7 * 448, (row + y) / 7 * 448
                width, height = abs(w) ** exponent * 448, abs(h) ** exponent * 448
                corners = [
                    centre_x - width / 2,
                    centre_y - height / 2,
                    centre_x + width / 2,
                    centre_y + height / 2,
                ]
                for number in range(20):
                    score = float(values[cell * 20 + number] * confidence)
                    if score > threshold:
                        clipped = [min(448.0, max(0.0, corner)) for corner in corners]
                        found.append((float(number), score, *clipped))
    return sorted(found)


@pytest.mark.parametrize("exponent", [2.0, 1.8])
def test_v1_against_loops(exponent: float) -> None:
    values = np.random.default_rng(3).uniform(-0.1, 1, 1470).astype(np.float32)
    expected = slow_v1(values, 0.5, exponent)
    assert len(expected) > 100
    result = rows_of(decode_tiny_yolo_v1(values, np.full(20, 0.5), exponent))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)


def test_v1_one_car_by_hand() -> None:
    values = np.zeros(1470, np.float32)
    cell, box = 3 * 7 + 4, 1  # row 3, column 4
    values[cell * 20 + VOC_CLASSES.index("car")] = 0.8
    values[980 + cell * 2 + box] = 0.5
    start = 1078 + (cell * 2 + box) * 4
    values[start : start + 4] = [0.5, 0.25, 0.5, 0.25]
    result = decode_tiny_yolo_v1(values, np.full(20, 0.17))
    assert result.class_ids.tolist() == [6]
    assert result.scores == pytest.approx([0.4])
    assert result.boxes[0] == pytest.approx([288 - 56, 208 - 14, 288 + 56, 208 + 14])


def test_v1_thresholds_are_for_each_class() -> None:
    values = np.ones(1470, np.float32)
    thresholds = np.full(20, np.inf)
    thresholds[6] = 0.5
    result = decode_tiny_yolo_v1(values, thresholds)
    assert set(result.class_ids.tolist()) == {6}
    assert len(result.scores) == 98


def test_voc_classes() -> None:
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)
    assert VOC_CLASSES[6] == "car"


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def slow_heads(
    heads: list[np.ndarray],
    strides: list[int],
    anchors: list[np.ndarray],
    thresholds: list[float],
    gain: float,
) -> list[Row]:
    found: list[Row] = []
    for head, stride, sizes in zip(heads, strides, anchors, strict=True):
        for row in range(head.shape[0]):
            for column in range(head.shape[1]):
                for number, (anchor_width, anchor_height) in enumerate(sizes):
                    start = number * (5 + len(thresholds))
                    x, y, w, h, objectness, *rest = map(
                        float, head[row, column, start:][: 5 + len(thresholds)]
                    )
                    scores = [sigmoid(objectness) * sigmoid(value) for value in rest]
                    best = max(range(len(scores)), key=scores.__getitem__)
                    if scores[best] <= thresholds[best]:
                        continue
                    cx = (column + 0.5 + gain * (sigmoid(x) - 0.5)) * stride
                    cy = (row + 0.5 + gain * (sigmoid(y) - 0.5)) * stride
                    w, h = math.exp(w) * anchor_width, math.exp(h) * anchor_height
                    box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                    found.append((float(best), scores[best], *box))
    return sorted(found)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_heads_against_loops(gain: float) -> None:
    rng = np.random.default_rng(4)
    heads = [rng.normal(0, 2, (3, 5, 2 * 8)).astype(np.float32)]
    heads.append(rng.normal(0, 2, (6, 10, 3 * 8)).astype(np.float32))
    anchors = [np.array([[50.0, 40], [90, 80]]), np.array([[10.0, 12], [20, 30], [25, 15]])]
    thresholds = [0.4, 0.3, 0.6]
    expected = slow_heads(heads, [32, 16], anchors, thresholds, gain)
    assert len(expected) > 20
    assert {row[0] for row in expected} == {0.0, 1.0, 2.0}
    result = rows_of(decode_heads(heads, [32, 16], anchors, np.array(thresholds), gain))
    np.testing.assert_allclose(result, expected, rtol=1e-4)


def test_heads_without_objects_and_with_wild_values() -> None:
    heads = [np.full((2, 2, 6), -1000.0, np.float32)]
    assert len(decode_heads(heads, [16], [np.array([[8, 8]])], np.array([0.1])).scores) == 0
    heads = [np.full((1, 1, 6), 1000.0, np.float32)]
    with np.errstate(all="raise"):
        result = decode_heads(heads, [16], [np.array([[8, 8]])], np.array([0.1]))
    assert np.isfinite(result.boxes).all()
    assert result.scores == pytest.approx([1.0])
