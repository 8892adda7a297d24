"""Non-maximum suppression and overlap, on boxes small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from drive.detection.nms import intersection_over_union, suppress


def test_overlap_by_hand() -> None:
    a = np.array([[0, 0, 10, 10], [5, 5, 5, 5]])
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]])
    expected = [[1, 50 / 150, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(intersection_over_union(a, b), expected)


def test_the_best_of_overlapping_boxes_stays_first() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [3, 0, 13, 10]])
    scores = np.array([0.5, 0.9, 0.7, 0.6])
    assert suppress(boxes, scores, np.zeros(4, int), 0.4).tolist() == [1, 2]


def test_a_suppressed_box_suppresses_nothing() -> None:
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]])  # neighbours overlap by 0.43
    scores = np.array([0.9, 0.8, 0.7])
    assert suppress(boxes, scores, np.zeros(3, int), 0.4).tolist() == [0, 2]


def test_classes_do_not_suppress_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    scores = np.array([0.5, 0.9, 0.4])
    assert suppress(boxes, scores, np.array([1, 2, 2]), 0.4).tolist() == [1, 0]


def test_overlap_of_exactly_the_limit_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]])
    assert len(suppress(boxes, np.array([0.9, 0.8]), np.zeros(2, int), 50 / 150)) == 2
    assert len(suppress(boxes, np.array([0.9, 0.8]), np.zeros(2, int), 0.33)) == 1


def test_equal_scores_keep_the_earlier_box() -> None:
    boxes = np.tile([[0.0, 0.0, 10.0, 10.0]], (6, 1))
    assert suppress(boxes, np.full(6, 0.5), np.zeros(6, int), 0.4).tolist() == [0]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_box(count: int) -> None:
    boxes, scores = np.zeros((count, 4)), np.ones(count)
    assert len(suppress(boxes, scores, np.zeros(count, int), 0.4)) == count


def test_one_object_under_two_names_keeps_the_better_one() -> None:
    boxes = np.array([[0, 0, 100, 100], [2, 0, 100, 100], [60, 0, 160, 100]], np.float64)
    scores, class_ids = np.array([0.6, 0.9, 0.5]), np.array([0, 2, 0])
    assert suppress(boxes, scores, class_ids, 0.4).tolist() == [1, 0, 2]
    assert suppress(boxes, scores, class_ids, 0.4, across_iou=0.7).tolist() == [1, 2]
