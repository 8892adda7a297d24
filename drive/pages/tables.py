"""The tables of a run folder as arrays. Knows the columns, not what they are for."""

from __future__ import annotations

import csv
import math
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drive.core.errors import InputError
from drive.core.texts import as_written
from drive.core.wording import counted

BOX = ("x1", "y1", "x2", "y2")
SHOWN_COLUMNS, LONGEST_NAME = 10, 20
LAST_FRAME = 10_000_000
"""Four days of video: a larger number is a mistake, and would fill the memory with frames."""


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
    texts, numbers = _read(path, ("frame", "time_s"), (by,) if by else ())
    count = len(numbers["frame"])
    names = np.array(texts[by], dtype=object) if by else np.full(count, "", dtype=object)
    found = {}
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        own = {key: values[rows] for key, values in numbers.items()}
        frame, time_s = own.pop("frame").astype(np.int64), own.pop("time_s")
        found[name] = Series(frame, time_s, own)
    return found


def read_boxes(path: Path) -> Boxes:
    """Read `detections.csv`.

    Raises:
        InputError: it is no such table.
    """
    needed = ("frame", "time_s", "track_id", "score", *BOX)
    texts, numbers = _read(path, needed, ("source", "class"))
    return Boxes(
        texts["source"],
        numbers["frame"].astype(np.int64),
        numbers["time_s"],
        np.nan_to_num(numbers["track_id"]).astype(np.int64),
        texts["class"],
        numbers["score"],
        np.stack([numbers[name] for name in BOX], axis=1),
    )


def _read(
    path: Path, needed: tuple[str, ...], texts: tuple[str, ...]
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """The columns of words, each word kept once, and all others as (N,) float64; row by row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if not header:
                raise InputError(
                    f"{path} is empty. Expected a table with columns {_listed(needed)}"
                )
            if not all(name.isprintable() for name in header):
                raise InputError(
                    f"{path} is no table: it is damaged. Expected columns {_listed(needed)}"
                )
            if missing := [name for name in (*needed, *texts) if name not in header]:
                raise InputError(
                    f"{path}: a column {missing[0]} expected. Received: {_listed(header)}"
                )
            words: dict[str, list[str]] = {name: [] for name in texts}
            numbers = {name: array("d") for name in header if name not in texts}
            add_word = [(header.index(name), found.append) for name, found in words.items()]
            add = [(header.index(name), found.append) for name, found in numbers.items()]
            for row in rows:
                for place, append in add:
                    cell = row[place]
                    append(float(cell) if cell else math.nan)
                for place, append_word in add_word:
                    append_word(sys.intern(row[place]))
    except InputError:
        raise
    except IndexError as error:
        raise InputError(
            f"{path}, line {rows.line_num}: {counted(len(header), 'cell')} expected. "
            f"Received: {len(row)}. Is the file cut short?"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; expected a CSV") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}, is no row of a CSV: {error}") from error
    except ValueError as error:
        raise InputError(
            f"{path}, line {rows.line_num}: a number expected. Received: {_shown(cell)}"
        ) from error
    columns = {name: np.array(values, dtype=np.float64) for name, values in numbers.items()}
    _check_range(path, "frame", columns["frame"], 0, LAST_FRAME)
    _check_range(path, "time_s", columns["time_s"], -sys.float_info.max, sys.float_info.max)
    return words, columns


def _shown(cell: str) -> str:
    return as_written(cell) if cell.isprintable() else "what is no text"


def _listed(names: Sequence[str]) -> str:
    """The first names of columns, shortened: of what is no table they may be long."""
    more = ", ..." if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(name[:LONGEST_NAME] for name in names[:SHOWN_COLUMNS]) + more


def _check_range(path: Path, name: str, values: np.ndarray, least: float, most: float) -> None:
    wrong = np.flatnonzero(~((values >= least) & (values <= most)))
    if len(wrong):
        raise InputError(
            f"{path}, row {wrong[0] + 1}: {name} is no number that it can be. "
            f"Received: {values[wrong[0]]:g}"
        )
