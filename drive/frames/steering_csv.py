"""The steering CSV: one row a frame, columns by name, errors that name file, row and value.

Angles leave this file in degrees, positive to the right, whatever the unit in the file. Knows
nothing of the video that the rows belong to.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drive.errors import InputError, MissingFileError
from drive.frames.camera import Camera
from drive.frames.car import Car

FRAME_COLUMNS = ("frame", "frame_index")
ANGLE_COLUMNS = ("wheel", "angle", "steering")
SPEED_COLUMNS = ("speed",)
TIME_COLUMNS = {"ts_micro": 1e-6, "time_s": 1.0}
"""Each column that holds a time, with what turns its values into seconds."""

UNITS = ("degrees", "radians", "normalised")
DIRECTIONS = ("right", "left")
HEADER_ROWS = 1
WIDEST_LAG_S = 10.0

CONFIG_FILE = "recording.toml"


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """What `recording.toml` says about the angles of a recording.

    Attributes:
        unit: `degrees`, `radians` or `normalised` (-1..1 of `full_scale_deg`).
        positive: the side, `right` or `left`, to which a positive angle turns.
        full_scale_deg: degrees that a normalised 1.0 stands for.
        lag_s: seconds by which the angles trail the pictures; the angle of a frame at time t is
            the one recorded at t + lag_s.
        camera: where the camera sits; the table `[camera]`.
        car: what the angles mean for the car; the table `[car]`.
    """

    unit: str = "degrees"
    positive: str = "right"
    full_scale_deg: float = 25.0
    lag_s: float = 0.0
    camera: Camera = field(default_factory=Camera)
    car: Car = field(default_factory=Car)

    def with_overrides(self, **overrides: Any) -> RecordingConfig:
        """This configuration with the values that are not None put in, checked."""
        given = {key: value for key, value in overrides.items() if value is not None}
        return _checked(replace(self, **given), "The options")

    def to_degrees(self, angles: np.ndarray) -> np.ndarray:
        """Turn angles as recorded into float32 degrees, positive to the right."""
        scale = {
            "degrees": 1.0,
            "radians": math.degrees(1.0),
            "normalised": self.full_scale_deg,
        }[self.unit]
        sign = 1.0 if self.positive == "right" else -1.0
        return (np.asarray(angles, dtype=np.float64) * scale * sign).astype(np.float32)


def read_config(folder: str | Path, default: RecordingConfig | None = None) -> RecordingConfig:
    """Read `recording.toml` in `folder`; the default (degrees, positive right) without one.

    Tables in it (a camera's place, marked stretches) belong to others and are left alone.

    Raises:
        InputError: it is no TOML, or holds an unknown key or a value out of range.
    """
    path = Path(folder) / CONFIG_FILE
    config = default or RecordingConfig()
    if not path.exists():
        return config
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no readable TOML: {error}") from None
    known = [field.name for field in fields(RecordingConfig)]
    values = {key: value for key, value in content.items() if not isinstance(value, (dict, list))}
    for key in values:
        if key not in known:
            raise InputError(f"{path}: unknown key {key!r}. Expected one of: {', '.join(known)}")
    return _checked(replace(config, **values), str(path))


def _checked(config: RecordingConfig, where: str) -> RecordingConfig:
    if config.unit not in UNITS:
        raise InputError(f"{where}: unit is one of {', '.join(UNITS)}. Received: {config.unit!r}")
    if config.positive not in DIRECTIONS:
        raise InputError(f"{where}: positive is right or left. Received: {config.positive!r}")
    for name in ("full_scale_deg", "lag_s"):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
            raise InputError(f"{where}: {name} is a number. Received: {value!r}")
    if abs(config.lag_s) > WIDEST_LAG_S:
        raise InputError(
            f"{where}: lag_s is within {WIDEST_LAG_S:g} seconds. Received: {config.lag_s!r}"
        )
    if config.full_scale_deg <= 0:
        raise InputError(
            f"{where}: full_scale_deg is greater than 0. Received: {config.full_scale_deg!r}"
        )
    return config


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
