"""A folder of the Udacity simulator: `driving_log.csv` and the pictures in `IMG/`.

Knows the log's columns and the time in the pictures' names; gives the same rows as a steering
CSV. The log's steering is -1..1 of 25 degrees, positive to the right.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.recordings.camera import Camera
from drive.recordings.recording_config import RecordingConfig
from drive.recordings.steering_csv import read_table
from drive.recordings.vehicle import Car

if TYPE_CHECKING:
    import pandas as pd

LOG = "driving_log.csv"
IMAGES = "IMG"
COLUMNS = ("center", "left", "right", "steering", "throttle", "brake", "speed")
CONFIG = RecordingConfig(
    unit="normalised",
    positive="right",
    full_scale_deg=25.0,
    camera=Camera(side_m=0.8),
    car=Car(speed_unit="mph"),
)
"""How the simulator records: normalised to its full lock of 25 degrees, speed in miles an hour. The
front picture redrawn from 0.8 m to the side is most like the side camera's (a camera of 70 degrees
1.2 m above the road, its horizon at 0.4; docs/decisions/steering.md)."""

STAMP = re.compile(r"(\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}_)(\d{1,6})$")
MICROSECOND_DIGITS = 6
NO_PICTURE = "no picture"


def is_udacity_folder(path: Path) -> bool:
    """Whether `path` holds a simulator log."""
    return (path / LOG).is_file()


def read_log(folder: Path) -> pd.DataFrame:
    """Read the log of a Udacity simulator folder.

    Returns:
        Columns `image` (Path of the centre camera's picture), `angle` (as recorded), `time_s`
        (seconds after the first row) and `speed` (as recorded), in the log's order.

    Raises:
        InputError: the log has other columns or a cell that is no number.
    """
    import pandas as pd

    file, table = folder / LOG, _read_table(folder / LOG)
    images = _images(folder, table["center"])
    return pd.DataFrame(
        {
            "image": images,
            "angle": _numbers(file, table["steering"]),
            "time_s": _times(file, images),
            "speed": _numbers(file, table["speed"]),
        }
    )


def side_images(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The pictures of the left and right cameras, row by row of the log; some may not exist.

    Raises:
        InputError: the log has other columns.
    """
    table = _read_table(folder / LOG)
    return {side: tuple(_images(folder, table[side])) for side in ("left", "right")}


def _read_table(file: Path) -> pd.DataFrame:
    """The log as text, with the names of its columns."""
    table = read_table(file, header=None)
    if table.shape[1] != len(COLUMNS):
        raise InputError(
            f"{file} has {table.shape[1]} columns. Expected {len(COLUMNS)}: {', '.join(COLUMNS)}"
        )
    table.columns = list(COLUMNS)
    if table["steering"].iloc[0] == "steering":
        table = table.iloc[1:].reset_index(drop=True)
    return table


def _images(folder: Path, cells: pd.Series) -> list[Path]:
    """Pictures by the names in the log, which have the paths of the machine that recorded them."""
    names = cells.fillna(NO_PICTURE)
    return [folder / IMAGES / PureWindowsPath(name).name for name in names]


def _numbers(file: Path, cells: pd.Series) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        row = int(np.argmax(numbers.isna().to_numpy()))
        raise InputError(
            f"{file}, line {row + 1} of the data, {cells.name}: expected a number. "
            f"Received: {cells.iloc[row]!r}"
        )
    return numbers.to_numpy(dtype=np.float64)


def _times(file: Path, images: list[Path]) -> np.ndarray:
    """Seconds after the first picture, from names such as center_2016_12_01_13_30_48_287.jpg."""
    stamps = []
    for row, image in enumerate(images):
        match = STAMP.search(image.stem)
        if match is None:
            raise InputError(
                f"{file}, line {row + 1} of the data: expected a picture named like "
                f"center_2016_12_01_13_30_48_287.jpg. Received: {image.name}"
            )
        fraction = match[2].ljust(MICROSECOND_DIGITS, "0")
        stamps.append(datetime.strptime(match[1] + fraction, "%Y_%m_%d_%H_%M_%S_%f"))
    return np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])
