"""The loss: what it asks for, what it leaves alone, and the same boxes as decoding has."""

from __future__ import annotations

import numpy as np
import pytest

from drive.detection.assign import assign
from drive.detection.decode import decode_heads

ops = pytest.importorskip("keras").ops
loss = pytest.importorskip("drive.detection.loss")

ANCHORS = {32: ((80, 80), (200, 200)), 16: ((20, 20), (80, 80))}
ROWS, COLUMNS = 2, 3  # of the coarse head
BOX = [40.0, 12.0, 58.0, 34.0]  # centre (49, 23): fine cell (1, 3), 18 x 22
CELLS = ((1, 3), (0, 3), (1, 2))  # that of the centre, and its nearest neighbours
SURE = 12.0


def quiet_heads() -> list[np.ndarray]:
    """Heads that find nothing and are sure of it."""
    shapes = [(1, ROWS, COLUMNS, 2, 7), (1, 2 * ROWS, 2 * COLUMNS, 2, 7)]
    heads = [np.zeros(shape, np.float32) for shape in shapes]
    for head in heads:
        head[..., 4] = -SURE
    return heads


def right_heads() -> list[np.ndarray]:
    """Heads that find `BOX`, of class 0, and nothing else."""
    heads = quiet_heads()
    for row, column in CELLS:
        x, y = (BOX[0] + BOX[2]) / 32 - column, (BOX[1] + BOX[3]) / 32 - row
        x, y = (x + 0.5) / 2, (y + 0.5) / 2  # of the two cells that a centre can move by
        heads[1][0, row, column, 0] = [
            np.log(x / (1 - x)),
            np.log(y / (1 - y)),
            np.log((BOX[2] - BOX[0]) / 20),
            np.log((BOX[3] - BOX[1]) / 20),
            SURE,
            SURE,
            -SURE,
        ]
    return heads


def cost(
    heads: list[np.ndarray],
    boxes: tuple[list[float], ...] = (BOX,),
    ignored: tuple[list[float], ...] = (),
    labelled: tuple[bool, bool] = (True, True),
) -> float:
    places = np.broadcast_to(labelled, (2 * ROWS, 2 * COLUMNS, 2))
    array = np.array([*boxes, *ignored], np.float32).reshape(-1, 4)
    flags = np.arange(len(array)) >= len(boxes)
    targets = assign(array, np.zeros(len(array), int), flags, places, ANCHORS)
    flat = [head.reshape(*head.shape[:3], -1) for head in heads]
    tensors = [ops.convert_to_tensor(target[None]) for target in targets]
    return float(loss.detection_loss([ops.convert_to_tensor(h) for h in flat], tensors, ANCHORS))


def test_the_right_answer_costs_nothing_and_none_costs_much() -> None:
    assert cost(right_heads()) == pytest.approx(0, abs=0.01)
    assert cost(quiet_heads()) > 5


@pytest.mark.parametrize("channel", range(7))
def test_every_value_of_the_right_anchor_matters(channel: int) -> None:
    heads = right_heads()
    assert cost(heads) < 0.01
    heads[1][0, 1, 3, 0, channel] *= -1 if channel >= 4 else 1
    heads[1][0, 1, 3, 0, channel] += 1 if channel < 4 else 0
    assert cost(heads) > 0.1


def test_boxes_are_those_of_decoding() -> None:
    flat = [head[0].reshape(*head.shape[1:3], -1) for head in right_heads()]
    sizes = [np.array(ANCHORS[stride], np.float32) for stride in ANCHORS]
    found = decode_heads(flat, list(ANCHORS), sizes, np.array([0.5, 0.5]), loss.CENTRE_GAIN)
    np.testing.assert_allclose(found.boxes, [BOX] * len(CELLS), atol=1e-3)
    boxes = loss.decode_boxes(ops.convert_to_tensor(right_heads()[1]), 16, ANCHORS[16])
    np.testing.assert_allclose(np.asarray(boxes)[0, 1, 3, 0], BOX, atol=1e-3)


def spare_heads() -> list[np.ndarray]:
    """`right_heads` with a box of class 1 that nobody asked for, 20 x 20 around (8, 56)."""
    heads = right_heads()
    heads[1][0, 3, 0, 0] = [0, 0, 0, 0, SURE, -SURE, SURE]
    return heads


def test_the_objectness_asked_for_is_the_overlap() -> None:
    def of(objectness: float) -> float:
        heads = right_heads()
        for row, column in CELLS:
            heads[1][0, row, column, 0, 2] += np.log(2)  # twice as wide: overlap one half
            heads[1][0, row, column, 0, 4] = objectness
        return cost(heads)

    assert of(0.0) < of(1.5)
    assert of(0.0) < of(-1.5)


def test_a_spare_box_is_punished() -> None:
    assert cost(spare_heads()) > SURE / len(CELLS) - 0.1


def test_a_spare_box_of_a_class_that_nobody_labelled_is_not() -> None:
    assert cost(spare_heads(), labelled=(True, False)) == pytest.approx(0, abs=0.01)


def test_a_spare_box_in_an_ignored_one_is_not() -> None:
    assert cost(spare_heads(), ignored=([0, 40, 30, 64],)) == pytest.approx(0, abs=0.01)


def test_a_picture_without_boxes_has_a_loss() -> None:
    assert cost(quiet_heads(), boxes=()) == pytest.approx(0, abs=0.01)
    assert cost(spare_heads(), boxes=()) > SURE * (1 + len(CELLS)) - 1


def test_complete_iou_by_hand() -> None:
    a = ops.convert_to_tensor([[0.0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 4, 2]])
    b = ops.convert_to_tensor([[0.0, 0, 2, 2], [4, 0, 6, 2], [0, 0, 2, 4]])
    same, apart, turned = np.asarray(loss.complete_iou(a, b)).tolist()
    assert same == pytest.approx(1, abs=1e-5)
    assert apart == pytest.approx(-16 / 40, abs=1e-5)  # no overlap; distance 4, diagonal^2 40
    v = 4 / np.pi**2 * (np.arctan(0.5) - np.arctan(2)) ** 2
    expected = 1 / 3 - 2 / 32 - v * v / (1 - 1 / 3 + v)
    assert turned == pytest.approx(expected, abs=1e-5)


def test_cross_entropy_does_not_overflow() -> None:
    values = np.asarray(loss.cross_entropy(np.float32([200, -200, 0]), np.float32([0, 0, 1])))
    np.testing.assert_allclose(values, [200, 0, np.log(2)], atol=1e-6)
