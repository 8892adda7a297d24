"""`detections.csv`: a row per box that a frame shows.

A new column is a field at the end of `Detections`, such as
`height_m: np.ndarray | None = number(2, optional=True)`, and its value in `detection_row`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.core.types import Detection, Frame
from drive.results.table import TIME_DIGITS, WriteRow, columns_of, number, open_table, text, whole

SCORE_DIGITS, PIXEL_DIGITS = 4, 2


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The columns of `detections.csv`, a value per box.

    The box is in pixels of the source; `track_id` is 0 without tracking, `label` column `class`.
    """

    source: list[str] = text()
    frame: np.ndarray = whole()
    time_s: np.ndarray = number(TIME_DIGITS)
    track_id: np.ndarray = whole()
    label: list[str] = text("class")
    score: np.ndarray = number(SCORE_DIGITS)
    x1: np.ndarray = number(PIXEL_DIGITS)
    y1: np.ndarray = number(PIXEL_DIGITS)
    x2: np.ndarray = number(PIXEL_DIGITS)
    y2: np.ndarray = number(PIXEL_DIGITS)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def box(self) -> np.ndarray:
        """(N, 4) x1, y1, x2, y2."""
        return np.stack([self.x1, self.y1, self.x2, self.y2], axis=1)


def detection_row(frame: Frame, found: Detection) -> tuple[object, ...]:
    """Return the values of a row, in the order of the columns."""
    name = Path(frame.source).name
    return (name, frame.index, frame.time_s, found.track_id, found.label, found.score, *found.box)


def open_detections(path: Path) -> AbstractContextManager[WriteRow]:
    """Open `detections.csv` for writing, row by row; the file appears when it is whole."""
    return open_table(path, columns_of(Detections))
