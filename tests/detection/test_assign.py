"""Targets: the right cells, the right anchors, and places where nobody labelled."""

from __future__ import annotations

import numpy as np

from drive.detection.assign import CLASS_OFFSET, assign

ANCHORS = {32: ((80, 80), (200, 200)), 16: ((20, 20), (80, 80))}
HEIGHT, WIDTH = 128, 160
ALL = np.ones((HEIGHT // 16, WIDTH // 16, 2), bool)


def targets(
    boxes: list[list[float]],
    class_ids: list[int],
    labelled: np.ndarray = ALL,
    ignored: list[bool] | None = None,
) -> list:
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    flags = np.array(ignored or [False] * len(boxes), bool)
    return assign(corners, np.array(class_ids), flags, labelled, ANCHORS)


def positives(target: np.ndarray) -> list[list[int]]:
    return np.argwhere(target[..., 4] == 1).tolist()


def test_a_box_goes_to_the_cells_around_its_centre_and_to_the_anchors_of_its_shape() -> None:
    coarse, fine = targets([[60, 28, 84, 52]], [1])  # centre (72, 40) = cell (2.5, 4.5), 24 x 24
    assert coarse.shape == (4, 5, 2, 9)
    assert fine.shape == (8, 10, 2, 9)
    assert positives(coarse) == []
    assert positives(fine) == [[1, 4, 0], [2, 3, 0], [2, 4, 0]]
    fine = targets([[61, 29, 85, 53]], [1])[1]  # a pixel further: the other neighbours
    assert positives(fine) == [[2, 4, 0], [2, 5, 0], [3, 4, 0]]
    assert fine[2, 4, 0, : CLASS_OFFSET + 2].tolist() == [61, 29, 85, 53, 1, 0, 1]


def test_an_anchor_of_both_heads_finds_the_box_in_both() -> None:
    coarse, fine = targets([[30, 30, 110, 110]], [0])
    assert [2, 2, 0] in positives(coarse)
    assert [2, 2, 1] in positives(coarse)  # 200 is within 2.5 times of 80
    assert [4, 4, 1] in positives(fine)
    assert [4, 4, 0] not in positives(fine)


def test_a_box_unlike_every_anchor_still_has_one() -> None:
    coarse, fine = targets([[0, 60, 160, 64]], [0])  # a line, 160 x 4
    assert len({index for *_, index in positives(coarse) + positives(fine)}) == 1
    assert positives(coarse) == [] or positives(fine) == []


def test_the_smaller_of_two_boxes_wins_a_shared_place() -> None:
    small, large = [66, 36, 78, 48], [60, 30, 84, 54]
    for boxes in ([small, large], [large, small]):
        fine = targets(boxes, [0, 0])[1]
        assert fine[2, 4, 0, :4].tolist() == small


def test_cells_in_the_middle_of_a_large_box_are_not_punished_for_finding_it() -> None:
    fine = targets([[32, 16, 128, 112]], [0])[1]  # 96 x 96: its middle is 56..104 by 40..88
    quiet = np.argwhere(fine[:, :, 1, CLASS_OFFSET + 2] == 0).tolist()
    assert quiet == [[y, x] for y in range(2, 6) for x in range(3, 7)]
    assert fine[:, :, 0, CLASS_OFFSET + 2].all()  # the anchor of another shape is


def test_a_centre_wins_against_a_neighbour() -> None:
    beside, own = [74, 29, 98, 53], [61, 25, 85, 49]  # centres in cells (2, 5) and (2, 4)
    for boxes in ([beside, own], [own, beside]):
        fine = targets(boxes, [0, 0])[1]
        assert fine[2, 4, 0, :4].tolist() == own
        assert fine[2, 5, 0, :4].tolist() == beside


def test_an_ignored_box_is_not_to_be_found_and_blanks_the_cells_that_it_touches() -> None:
    coarse, fine = targets([[60, 28, 84, 52]], [1], ignored=[True])
    assert positives(coarse) == positives(fine) == []
    blank = np.argwhere(fine[:, :, 0, CLASS_OFFSET + 2] == 0)
    assert blank.tolist() == [[y, x] for y in (1, 2, 3) for x in (3, 4, 5)]
    assert ALL.all()  # what was passed in stays as it was


def test_a_centre_on_the_far_edge_stays_inside() -> None:
    fine = targets([[150, 118, 170, 138]], [0])[1]  # centre exactly at (160, 128)
    assert positives(fine) == [[7, 9, 0]]  # and its neighbours lie outside


def test_a_coarse_cell_is_labelled_only_where_all_of_it_is() -> None:
    labelled = ALL.copy()
    labelled[0, 0, 1] = False
    coarse, fine = targets([], [], labelled)
    assert coarse[0, 0, 0, CLASS_OFFSET + 2 :].tolist() == [1, 0]
    assert coarse[0, 1, 0, CLASS_OFFSET + 2 :].tolist() == [1, 1]
    assert fine[0, 0, 0, CLASS_OFFSET + 2 :].tolist() == [1, 0]
    assert fine[1, 1, 0, CLASS_OFFSET + 2 :].tolist() == [1, 1]
