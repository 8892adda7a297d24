"""The steering CSV: one row a frame, columns by name, errors that name file, row and value.

Angles and speeds leave this file as recorded; what their units are is
`drive.frames.recording_config`'s business. Knows nothing of the video that the rows belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from drive.errors import InputError, MissingFileError

FRAME_COLUMNS = ("frame", "frame_index")
ANGLE_COLUMNS = ("wheel", "angle", "steering")
SPEED_COLUMNS = ("speed",)
TIME_COLUMNS = {"ts_micro": 1e-6, "time_s": 1.0}
"""Each column that holds a time, with what turns its values into seconds."""

HEADER_ROWS = 1


@dataclass(frozen=True, slots=True, eq=False)
class SteeringRows:
    """The rows of a steering CSV, in file order.

    Attributes:
        path: the file.
        frame_index: (N,) int64, the frame that a row belongs to.
        angle: (N,) float64 as recorded; NaN where the cell is empty or not finite.
        time_s: (N,) float64 seconds after the first row, or None without a time column.
        speed: (N,) float64 in the recording's unit, or None without such a column.
        numbered: whether the file has a frame column; else the rows count the frames.
    """

    path: Path
    frame_index: np.ndarray
    angle: np.ndarray
    time_s: np.ndarray | None
    speed: np.ndarray | None
    numbered: bool = True


def read_steering_csv(path: str | Path) -> SteeringRows:
    """Read a steering CSV.

    Raises:
        MissingFileError: there is no such file.
        InputError: no angle column, no rows, or a cell that is no number; names row and value.
    """
    file = Path(path)
    table = _read_table(file)
    angle_column = _find(table, ANGLE_COLUMNS)
    if angle_column is None:
        hint = " The separator is a comma, not a semicolon" if ";" in str(table.columns[0]) else ""
        raise InputError(
            f"{file} has no steering angle. Expected a column named {', '.join(ANGLE_COLUMNS)}. "
            f"Received: {', '.join(map(str, table.columns))}.{hint}"
        )
    if table.empty:
        raise InputError(f"{file} has a header and no rows. Expected one row a frame")
    frame_column = _find(table, FRAME_COLUMNS)
    speed_column = _find(table, SPEED_COLUMNS)
    return SteeringRows(
        path=file,
        frame_index=_frames(file, table, frame_column),
        angle=_numbers(file, table, angle_column),
        time_s=_times(file, table),
        speed=_numbers(file, table, speed_column) if speed_column else None,
        numbered=frame_column is not None,
    )


def _read_table(file: Path) -> pd.DataFrame:
    if not file.exists():
        raise MissingFileError(
            f"There is no steering CSV {file}. Name another with --steering, or check the path"
        )
    try:
        table = pd.read_csv(file, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as CSV: {error}") from None
    table.columns = [str(column).strip().lower() for column in table.columns]
    return table


def _find(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def _numbers(file: Path, table: pd.DataFrame, column: str) -> np.ndarray:
    cells = table[column]
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.isnan(numbers) & cells.notna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{file}, row {row + HEADER_ROWS + 1}, column {column}: expected a number. "
            f"Received: {cells.iloc[row]!r}"
        )
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _frames(file: Path, table: pd.DataFrame, column: str | None) -> np.ndarray:
    """Frame numbers; the order of the rows where the file has no such column."""
    if column is None:
        return np.arange(len(table), dtype=np.int64)
    numbers = _numbers(file, table, column)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{file}, row {row + HEADER_ROWS + 1}, column {column}: expected a whole number "
            f"from 0. Received: {table[column].iloc[row]!r}"
        )
    return numbers.astype(np.int64)


def _times(file: Path, table: pd.DataFrame) -> np.ndarray | None:
    for column, seconds in TIME_COLUMNS.items():
        if column in table.columns:
            times_s = _numbers(file, table, column) * seconds
            return times_s - times_s[np.isfinite(times_s)][:1].sum()
    return None
