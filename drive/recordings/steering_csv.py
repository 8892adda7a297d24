"""The steering CSV: one row a frame, columns by name, errors that name file, row and value.

Angles and speeds leave this file as recorded; what their units are is
`drive.recordings.recording_config`'s business. Knows nothing of the video that the rows belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.core.errors import InputError, MissingFileError

if TYPE_CHECKING:
    import pandas as pd  # takes 0.2 s, which a video without labels need not wait for

FRAME_COLUMNS = ("frame", "frame_index")
ANGLE_COLUMNS = ("wheel", "angle", "steering")
SPEED_COLUMNS = ("speed",)
TIME_COLUMNS = {"ts_micro": 1e-6, "time_s": 1.0}
"""Each column that holds a time, with what turns its values into seconds."""

LARGEST_FRAME = 1_000_000_000
"""A year at 30 frames a second: a larger number is none of a frame."""

HEADER_ROWS = 1
BINARY_HEAD = 4096
"""Bytes in which a file that is no text shows itself by a zero."""

SHOWN_COLUMNS = 10


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
            f"Received: {_some(table.columns)}.{hint}"
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


def read_table(file: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV as text, cell by cell.

    Args:
        file: in UTF-8.
        options: more for `pandas.read_csv`.

    Raises:
        InputError: it is empty, no text, or its rows have more cells than the first one.
    """
    import pandas as pd

    try:
        with file.open("rb") as head:
            if b"\0" in head.read(BINARY_HEAD):
                raise InputError(_no_text(file))
        return pd.read_csv(file, dtype=str, skipinitialspace=True, encoding="utf-8-sig", **options)
    except pd.errors.EmptyDataError:
        raise InputError(f"{file} is empty. Expected a CSV with a row a frame") from None
    except UnicodeDecodeError:
        raise InputError(_no_text(file)) from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{file} cannot be read as CSV: {reason}") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _no_text(file: Path) -> str:
    return f"{file} is not UTF-8 text; expected a CSV with commas between its columns"


def _read_table(file: Path) -> pd.DataFrame:
    if not file.exists():
        raise MissingFileError(
            f"There is no steering CSV {file}. Name another with --steering, or check the path"
        )
    table = read_table(file)
    table.columns = [str(column).strip().lower() for column in table.columns]
    return table


def _some(columns: pd.Index) -> str:
    """The names of the first columns, and how many more there are."""
    more = len(columns) - SHOWN_COLUMNS
    names = ", ".join(map(str, columns[:SHOWN_COLUMNS]))
    return names + (f" and {more} more" if more > 0 else "")


def _find(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def _numbers(file: Path, table: pd.DataFrame, column: str) -> np.ndarray:
    import pandas as pd

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
    in_range = (numbers >= 0) & (numbers <= LARGEST_FRAME)
    wrong = ~(in_range & (numbers == np.floor(numbers)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{file}, row {row + HEADER_ROWS + 1}, column {column}: expected a whole number "
            f"from 0 to {LARGEST_FRAME}. Received: {table[column].iloc[row]!r}"
        )
    return numbers.astype(np.int64)


def _times(file: Path, table: pd.DataFrame) -> np.ndarray | None:
    for column, seconds in TIME_COLUMNS.items():
        if column in table.columns:
            times_s = _numbers(file, table, column) * seconds
            return times_s - times_s[np.isfinite(times_s)][:1].sum()
    return None
