"""Read the steering CSV: columns by name, angles and speeds as recorded."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError, MissingFileError
from drive.core.types import BoolArray, FloatArray, IntArray
from drive.core.wording import some

if TYPE_CHECKING:
    import pandas as pd  # takes 0.2 s, which videos without labels do not need

FRAME_COLUMNS = ("frame", "frame_index")
ANGLE_COLUMNS = ("wheel", "angle", "steering")
SPEED_COLUMN = "speed"
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}  # in seconds
TIME_COLUMNS = {"ts_micro": "us", "time_s": "s"}  # columns with times, and their usual units
LARGEST_FRAME = 1_000_000_000  # a year at 30 frames per second
HEADER_ROWS = 1
BINARY_HEAD = 4096
"""Number of bytes at the start of a file that are searched for zeros, which text does not have."""

SHOWN_COLUMNS = 10


@dataclass(frozen=True, slots=True, eq=False)
class SteeringRows:
    """The rows of a steering CSV, in file order."""

    path: Path
    frame_index: IntArray
    angle: FloatArray  # as recorded; NaN if the cell is empty or not finite
    time_s: FloatArray | None  # after the first row; None without a time column
    speed: FloatArray | None  # in the recording's unit; None without such a column
    numbered: bool = True  # the file has a frame column; otherwise frames are rows
    start_s: float = 0.0  # time of the first row, as recorded
    time_unit: str | None = None  # of the time column
    columns: tuple[str, ...] = ()  # names in lower case


def read_steering_csv(path: str | Path, time_unit: str | None = None) -> SteeringRows:
    """Read a steering CSV; an `InputError` names the row and the value that is wrong.

    `time_unit` is one of `TIME_UNITS`, or None for that of the column's name.
    """
    file = Path(path)
    table = _read_table(file)
    angle_column = _find(table, ANGLE_COLUMNS)
    if angle_column is None:
        hint = " (separate them by commas)" if ";" in str(table.columns[0]) else ""
        raise InputError(
            f"{file} must have a steering angle, a column named {', '.join(ANGLE_COLUMNS)}; "
            f"got {some(table.columns.tolist(), SHOWN_COLUMNS)}{hint}"
        )
    if table.empty:
        raise InputError(f"{file} has no rows; expected one row per frame")
    frame_column = _find(table, FRAME_COLUMNS)
    time_column = _find(table, tuple(TIME_COLUMNS))
    unit = time_unit or TIME_COLUMNS[time_column] if time_column else None
    times = _times(file, table[time_column]) if time_column else None
    start = 0.0 if times is None else float(times[np.isfinite(times)][0])
    seconds = TIME_UNITS[unit] if unit else 1.0
    return SteeringRows(
        path=file,
        frame_index=_frames(file, table, frame_column),
        angle=read_numbers(file, table[angle_column]),
        time_s=None if times is None else (times - start) * seconds,
        speed=read_numbers(file, table[SPEED_COLUMN]) if SPEED_COLUMN in table else None,
        numbered=frame_column is not None,
        start_s=start * seconds,
        time_unit=unit,
        columns=tuple(table.columns),
    )


def read_table(file: Path, header: bool = True) -> pd.DataFrame:
    """Read the cells of a UTF-8 CSV as text; the first row holds the column names if `header`."""
    import pandas as pd

    try:
        with file.open("rb") as head:
            if b"\0" in head.read(BINARY_HEAD):
                raise InputError(_not_text(file))
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                file,
                header=0 if header else None,
                index_col=False,  # a comma at the end of rows does not move their values
                dtype=str,
                skipinitialspace=True,
                encoding="utf-8-sig",
            )
    except pd.errors.ParserWarning:
        raise InputError(
            f"{file}: rows have more values than the first row has names; name every column"
        ) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{file} is empty; expected a CSV with one row per frame") from None
    except UnicodeDecodeError:
        raise InputError(_not_text(file)) from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{file} cannot be read as CSV: {reason}") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _not_text(file: Path) -> str:
    return f"{file} is not UTF-8 text; expected a CSV with commas between its columns"


def _read_table(file: Path) -> pd.DataFrame:
    if not file.exists():
        raise MissingFileError(
            f"there is no steering CSV {file}; check the path, or name another with --steering"
        )
    table = read_table(file)
    table.columns = [str(column).strip().lower() for column in table.columns]
    return table


def _find(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def read_numbers(
    file: Path, cells: pd.Series[str], header_rows: int = HEADER_ROWS, empty: bool = True
) -> FloatArray:
    """Return a column of numbers; NaN if not finite, or if a cell is empty and may be so."""
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    filled = cells.notna().to_numpy() if empty else True
    _check(np.isnan(numbers) & filled, file, cells, header_rows, "a number")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _check(
    wrong: BoolArray, file: Path, cells: pd.Series[str], header_rows: int, expected: str
) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{file}, row {row + header_rows + 1}: {cells.name} must be {expected}; "
            f"got {cells.iloc[row]!r}"
        )


def _frames(file: Path, table: pd.DataFrame, column: str | None) -> IntArray:
    """Return frame numbers; those of the rows if there is no such column."""
    if column is None:
        return np.arange(len(table), dtype=np.int64)
    numbers = read_numbers(file, table[column])
    right = (numbers >= 0) & (numbers <= LARGEST_FRAME) & (numbers == np.floor(numbers))
    _check(~right, file, table[column], HEADER_ROWS, f"a whole number from 0 to {LARGEST_FRAME}")
    return numbers.astype(np.int64)


def _times(file: Path, cells: pd.Series[str]) -> FloatArray:
    """Return times in the unit of the column; NaN for some of them."""
    times = read_numbers(file, cells)
    if not np.isfinite(times).any():
        raise InputError(f"{file}: the column {cells.name} is empty; fill it or remove it")
    return times
