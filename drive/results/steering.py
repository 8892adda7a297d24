"""`steering.csv`, a row per frame, and `predictions.csv`, the same of several recordings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.results.table import TIME_DIGITS, WriteRow, columns_of, number, open_table, whole

ANGLE_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Steering:
    """The columns of `steering.csv`, a value per frame; angles in degrees, positive right.

    `truth_deg` is recorded, NaN where unknown; `smoothed_deg` comes from a filter over time,
    `spread_deg` is the standard deviation over the members of an ensemble.
    """

    frame: np.ndarray = whole()
    time_s: np.ndarray = number(TIME_DIGITS)
    angle_deg: np.ndarray = number(ANGLE_DIGITS)
    truth_deg: np.ndarray = number(ANGLE_DIGITS)
    smoothed_deg: np.ndarray | None = number(ANGLE_DIGITS, optional=True)
    spread_deg: np.ndarray | None = number(ANGLE_DIGITS, optional=True)


def open_steering(
    path: Path, smooths: bool = False, spreads: bool = False
) -> AbstractContextManager[WriteRow]:
    """Open `steering.csv` for writing, row by row; the file appears when it is whole."""
    missing = {"smoothed_deg": not smooths, "spread_deg": not spreads}
    columns = [each for each in columns_of(Steering) if not missing.get(each.name)]
    return open_table(path, columns)
