"""Read a folder of the Udacity simulator: `driving_log.csv` and the images in `IMG/`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.types import FloatArray
from drive.recordings.camera import Camera
from drive.recordings.image_folder import ImageFolder, check_images
from drive.recordings.recording_config import RecordingConfig
from drive.recordings.steering_csv import read_numbers, read_table
from drive.recordings.vehicle import Car

if TYPE_CHECKING:
    import pandas as pd

LOG = "driving_log.csv"
IMAGES = "IMG"
COLUMNS = ("center", "left", "right", "steering", "throttle", "brake", "speed")
CONFIG = RecordingConfig(
    "normalised", full_scale_deg=25.0, camera=Camera(side_m=0.8), car=Car(speed_unit="mph")
)
"""How the simulator records: normalised to 25 degrees, speed in miles per hour. A front image moved
0.8 m to the side is most similar to the side camera's (a camera of 70 degrees 1.2 m above the road,
its horizon at 0.4; docs/decisions/steering.md)."""

FIRST_NUMBER = COLUMNS.index("steering")
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
DECIMALS = ". Write numbers with a decimal point; a comma separates columns"
STAMP = re.compile(r"(\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}_)(\d{1,6})$")


def is_udacity_folder(path: Path) -> bool:
    """Return whether a folder holds a simulator log."""
    return (path / LOG).is_file()


def read_log(folder: Path) -> ImageFolder:
    """Read the log: the images of the centre camera, whose names hold the times, and the angles.

    Raises:
        InputError: the log is invalid, or none of the images exists.
    """
    file, table = folder / LOG, _read_table(folder / LOG)
    images = tuple(_images(folder, table["center"]))
    angle = read_numbers(file, table["steering"], header_rows=0, empty=False)
    speed = read_numbers(file, table["speed"], header_rows=0, empty=False)
    times_s = _times(file, images)
    check_images(folder, images)
    return ImageFolder(file, images, angle, times_s, speed, CONFIG)


def side_images(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the images of the left and right cameras, row by row; some may not exist."""
    table = _read_table(folder / LOG)
    return {side: tuple(_images(folder, table[side])) for side in ("left", "right")}


def _read_table(file: Path) -> pd.DataFrame:
    table = _with_decimal_commas(file)
    if table is None:
        table = _read_cells(file)
    table.columns = list(COLUMNS)
    if table["steering"].iloc[0] == "steering":
        table = table.iloc[1:].reset_index(drop=True)
    return table


def _read_cells(file: Path) -> pd.DataFrame:
    try:
        table = read_table(file, header=False)
    except InputError as error:
        raise InputError(f"{error}{DECIMALS}" if "Expected" in str(error) else str(error)) from None
    if table.shape[1] != len(COLUMNS):
        raise InputError(
            f"{file} must have {len(COLUMNS)} columns, {', '.join(COLUMNS)}; got {table.shape[1]}"
            f"{DECIMALS if table.shape[1] > len(COLUMNS) else ''}"
        )
    return table


def _with_decimal_commas(file: Path) -> pd.DataFrame | None:
    """Return the cells of a log with numbers like 0,05 and a space between columns, else None."""
    import pandas as pd

    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split(", ") for line in lines if line.strip()]
    numbers = [number for row in rows for number in row[FIRST_NUMBER:]]
    if not rows or {len(row) for row in rows} != {len(COLUMNS)}:
        return None
    if not any(DECIMAL_COMMA.fullmatch(number) for number in numbers):
        return None
    points = [
        row[:FIRST_NUMBER] + [cell.replace(",", ".") for cell in row[FIRST_NUMBER:]] for row in rows
    ]
    return pd.DataFrame(points, dtype=str)


def _images(folder: Path, cells: pd.Series[str]) -> list[Path]:
    """Return paths by the names in the log, which has paths of the recording machine."""
    return [folder / IMAGES / PureWindowsPath(name).name for name in cells.fillna("no image")]


def _times(file: Path, images: Sequence[Path]) -> FloatArray:
    """Return seconds after the first image; names are like center_2016_12_01_13_30_48_287.jpg."""
    stamps = []
    for row, image in enumerate(images):
        match = STAMP.search(image.stem)
        if match is None:
            raise InputError(
                f"{file}, row {row + 1}: the image must have a name like "
                f"center_2016_12_01_13_30_48_287.jpg; got {image.name}"
            )
        stamps.append(datetime.strptime(match[0], "%Y_%m_%d_%H_%M_%S_%f"))
    return np.array([(stamp - stamps[0]).total_seconds() for stamp in stamps])
