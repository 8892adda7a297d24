"""Targets: the right cell, the right anchors, and places where nobody labelled."""

from __future__ import annotations

import numpy as np

from drive.cars.assign import CLASS_OFFSET, assign

ANCHORS = {32: ((80, 80), (200, 200)), 16: ((20, 20), (80, 80))}
HEIGHT, WIDTH = 128, 160
ALL = np.ones((HEIGHT // 16, WIDTH // 16, 2), bool)


def targets(boxes: list[list[float]], class_ids: list[int], labelled: np.ndarray = ALL) -> list:
    return assign(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(class_ids), labelled, ANCHORS
    )


def positives(target: np.ndarray) -> list[list[int]]:
    return np.argwhere(target[..., 4] == 1).tolist()


def test_a_box_goes_to_the_cell_of_its_centre_and_to_the_anchors_of_its_shape() -> None:
    coarse, fine = targets([[60, 30, 84, 54]], [1])  # centre (72, 42), 24 x 24
    assert coarse.shape == (4, 5, 2, 9)
    assert fine.shape == (8, 10, 2, 9)
    assert positives(coarse) == []
    assert positives(fine) == [[2, 4, 0]]
    assert fine[2, 4, 0].tolist() == [60, 30, 84, 54, 1, 0, 1, 1, 1]


def test_an_anchor_of_both_heads_finds_the_box_in_both() -> None:
    coarse, fine = targets([[30, 30, 110, 110]], [0])
    assert positives(coarse) == [[2, 2, 0], [2, 2, 1]]  # 200 is within 2.5 times of 80
    assert positives(fine) == [[4, 4, 1]]


def test_a_box_unlike_every_anchor_still_has_one() -> None:
    coarse, fine = targets([[0, 60, 160, 64]], [0])  # a line, 160 x 4
    assert len(positives(coarse)) + len(positives(fine)) == 1


def test_the_smaller_of_two_boxes_wins_a_shared_place() -> None:
    small, large = [66, 36, 78, 48], [60, 30, 84, 54]
    for boxes in ([small, large], [large, small]):
        fine = targets(boxes, [0, 0])[1]
        assert fine[2, 4, 0, :4].tolist() == small


def test_a_centre_on_the_far_edge_stays_inside() -> None:
    fine = targets([[150, 118, 170, 138]], [0])[1]  # centre exactly at (160, 128)
    assert positives(fine) == [[7, 9, 0]]


def test_a_coarse_cell_is_labelled_only_where_all_of_it_is() -> None:
    labelled = ALL.copy()
    labelled[0, 0, 1] = False
    coarse, fine = targets([], [], labelled)
    assert coarse[0, 0, 0, CLASS_OFFSET + 2 :].tolist() == [1, 0]
    assert coarse[0, 1, 0, CLASS_OFFSET + 2 :].tolist() == [1, 1]
    assert fine[0, 0, 0, CLASS_OFFSET + 2 :].tolist() == [1, 0]
    assert fine[1, 1, 0, CLASS_OFFSET + 2 :].tolist() == [1, 1]
