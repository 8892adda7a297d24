"""The tables of a run folder as arrays. Knows the columns, not what they are for."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.errors import InputError

BOX = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A table with a row a frame: `steering.csv`, or a recording's rows of `simulation.csv`.

    Attributes:
        frame: (N,) int64 frame numbers.
        time_s: (N,) seconds.
        columns: the other numbers by name, (N,) each; NaN where a cell is empty.
    """

    frame: np.ndarray
    time_s: np.ndarray
    columns: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """`detections.csv`, (N,) each.

    Attributes:
        source: name of the video or the picture.
        frame: frame numbers.
        time_s: seconds.
        track: track numbers, 0 where there is none.
        label: classes.
        score: 0 to 1.
        box: (N, 4) x1, y1, x2, y2 in pixels of the source.
    """

    source: list[str]
    frame: np.ndarray
    time_s: np.ndarray
    track: np.ndarray
    label: list[str]
    score: np.ndarray
    box: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


def read_series(path: Path, by: str | None = None) -> dict[str, Series]:
    """Read a table with a row a frame.

    Args:
        path: of the CSV.
        by: the column that names the recording of a row; None where all are of one, named "".

    Raises:
        InputError: it is no such table.
    """
    header, columns = _columns(path, ("frame", "time_s", *((by,) if by else ())))
    names = columns[by] if by else [""] * len(columns["frame"])
    numbers = {name: _numbers(path, columns[name]) for name in header if name != by}
    found = {}
    labels = np.array(names, dtype=object)
    for name in dict.fromkeys(names):
        rows = labels == name
        own = {key: values[rows] for key, values in numbers.items()}
        frame, time_s = own.pop("frame").astype(np.int64), own.pop("time_s")
        found[name] = Series(frame, time_s, own)
    return found


def read_boxes(path: Path) -> Boxes:
    """Read `detections.csv`.

    Raises:
        InputError: it is no such table.
    """
    _, columns = _columns(path, ("source", "frame", "time_s", "track_id", "class", "score", *BOX))
    return Boxes(
        columns["source"],
        _numbers(path, columns["frame"]).astype(np.int64),
        _numbers(path, columns["time_s"]),
        np.nan_to_num(_numbers(path, columns["track_id"])).astype(np.int64),
        columns["class"],
        _numbers(path, columns["score"]),
        np.stack([_numbers(path, columns[name]) for name in BOX], axis=1),
    )


def _columns(path: Path, needed: tuple[str, ...]) -> tuple[list[str], dict[str, list[str]]]:
    """The header and the cells of each column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            cells = list(zip(*rows, strict=True)) or [()] * len(header)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from error
    if missing := [name for name in needed if name not in header]:
        raise InputError(f"{path}: a column {missing[0]} expected. Received: {', '.join(header)}")
    return header, {name: list(each) for name, each in zip(header, cells, strict=True)}


def _numbers(path: Path, cells: list[str]) -> np.ndarray:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: a number expected. {error}") from error
