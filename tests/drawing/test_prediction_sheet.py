"""The sheet of predictions: whole or absent, two kinds of boxes that one can tell apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from drive.core.errors import EncodeError
from drive.core.types import Box, Detection
from drive.drawing.palette import MODEL, RECORDED
from drive.drawing.prediction_sheet import (
    COLUMNS,
    TILE_HEIGHT,
    TILE_WIDTH,
    SheetImage,
    prediction_sheet,
    write_prediction_sheet,
)

TRUTH = ("car", Box(20, 20, 100, 80))
FOUND = Detection("car", 0.87, Box(110, 20, 190, 80))


def picture(
    truth: bool = True, found: bool = True, size: tuple[int, int] = (200, 300)
) -> SheetImage:
    image = np.full((*size, 3), 128, np.uint8)
    return SheetImage(image, "1 of 2 found", [TRUTH] * truth, [FOUND] * found)


def amount(image: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int(np.all(image == colour, axis=2).sum())


def test_labelled_and_predicted_boxes_have_their_own_colours_and_lines() -> None:
    empty = prediction_sheet("t", [picture(False, False)])
    labelled = prediction_sheet("t", [picture(found=False)])
    predicted = prediction_sheet("t", [picture(truth=False)])
    assert amount(labelled, RECORDED) > amount(empty, RECORDED) + 300
    assert amount(labelled, MODEL) == amount(empty, MODEL)  # of the legend
    assert amount(predicted, MODEL) > amount(empty, MODEL) + 300
    # Dashed against solid: equal boxes, but fewer pixels of the line of the labelled one.
    assert amount(labelled, RECORDED) < amount(predicted, MODEL)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_rows_of_three(count: int) -> None:
    sheet = prediction_sheet("title", [picture()] * count)
    rows = max(1, -(-count // COLUMNS))
    assert COLUMNS * TILE_WIDTH < sheet.shape[1] < COLUMNS * TILE_WIDTH + 100
    assert rows * TILE_HEIGHT < sheet.shape[0] < rows * (TILE_HEIGHT + 60) + 60


@pytest.mark.parametrize("size", [(40, 900), (900, 40), (2, 2)])
def test_odd_shapes_and_boxes_outside_are_drawn(size: tuple[int, int]) -> None:
    odd = SheetImage(
        np.zeros((*size, 3), np.uint8), "c" * 200, [("x" * 90, Box(-50, -9, 2000, 3000))], [FOUND]
    )
    assert prediction_sheet("t", [odd]).any()


def test_the_file_is_whole_or_absent(tmp_path: Path) -> None:
    write_prediction_sheet(tmp_path / "sheet.png", "t", [picture()])
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 5
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    (tmp_path / "file").write_text("")
    with pytest.raises(EncodeError, match="cannot be written"):
        write_prediction_sheet(tmp_path / "file" / "sheet.png", "t", [picture()])
