"""Tables of a run folder: the fields of a dataclass are the columns of a CSV.

Writes whole files or none. Knows no table in particular.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from drive.core.errors import InputError
from drive.core.files import atomic
from drive.core.texts import as_written
from drive.core.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from _typeshed import DataclassInstance

Table = TypeVar("Table", bound="DataclassInstance")
WriteRow = Callable[[Iterable[object]], None]
Values: TypeAlias = "tuple[dict[str, list[str]], dict[str, np.ndarray]]"

KEY = "column"
POSITIVE_ZERO = 0.0  # added, it turns -0.0 into 0.0
TIME_DIGITS = 6
EXACT = 99  # as many digits as a number has
SHOWN_COLUMNS, LONGEST_NAME = 10, 20
LAST_FRAME = 10_000_000
"""Four days of video: a larger number is a mistake, and would fill the memory with frames."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a CSV; `digits` are decimals, 0 for whole numbers, None for text."""

    name: str
    digits: int | None
    required: bool = True
    field: str = ""

    def cell(self, value: object) -> str | int | float:
        """Return what is written of a value: nothing for None and NaN, never a negative zero."""
        if value is None or value != value:
            return ""
        if self.digits is None:
            return str(value)
        number = float(cast(float, value))
        return round(number, self.digits) + POSITIVE_ZERO if self.digits else int(number)


def text(name: str = "", optional: bool = False) -> Any:
    """Declare a column of text; its values are a list."""
    return _declared(Column(name, None, required=not optional))


def whole(optional: bool = False) -> Any:
    """Declare a column of whole numbers, int64; empty cells are 0."""
    return number(0, optional)


def number(digits: int, optional: bool = False) -> Any:
    """Declare a column of numbers, float64; empty cells are NaN, a missing optional one is None."""
    return _declared(Column("", digits, required=not optional))


def _declared(column: Column) -> Any:
    default = dataclasses.MISSING if column.required else None
    return dataclasses.field(default=default, metadata={KEY: column})


@cache
def columns_of(table: type[DataclassInstance]) -> tuple[Column, ...]:
    """Return the columns of a dataclass; every field must declare one."""
    columns = []
    for each in dataclasses.fields(table):
        if (column := each.metadata.get(KEY)) is None:
            raise TypeError(
                f"{table.__name__}.{each.name} must be declared with text(), whole() or number()"
            )
        name = column.name or each.name
        columns.append(dataclasses.replace(column, name=name, field=each.name))
    return tuple(columns)


@contextmanager
def open_table(path: Path, columns: Sequence[Column]) -> Iterator[WriteRow]:
    """Open a CSV for writing; the file appears when the block ends without an error."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([column.name for column in columns])

        def write(values: Iterable[object]) -> None:
            rows.writerow([each.cell(one) for each, one in zip(columns, values, strict=True)])

        yield write


def write_table(path: Path, table: DataclassInstance) -> None:
    """Write a table; missing optional columns (None) are left out."""
    columns = _present(table)
    with open_table(path, columns) as write:
        for row in zip(*(getattr(table, column.field) for column in columns), strict=True):
            write(row)


def _present(table: DataclassInstance) -> list[Column]:
    return [each for each in columns_of(type(table)) if getattr(table, each.field) is not None]


RECORDING = Column("recording", None, field="recording")


def write_by_recording(path: Path, tables: Mapping[str, DataclassInstance]) -> None:
    """Write the tables of several recordings into one, with a column `recording` in front."""
    columns = _present(next(iter(tables.values())))
    with open_table(path, [RECORDING, *columns]) as write:
        for name, table in tables.items():
            for row in zip(*(getattr(table, column.field) for column in columns), strict=True):
                write((name, *row))


def read_table(path: Path, table: type[Table]) -> Table:
    """Read a table."""
    words, numbers = _read(path, columns_of(table))
    return table(**words, **numbers)


def read_by_recording(path: Path, table: type[Table]) -> dict[str, Table]:
    """Read what `write_by_recording` wrote: the table of each recording, by its name."""
    import numpy as np

    words, numbers = _read(path, (RECORDING, *columns_of(table)))
    names = np.array(words[RECORDING.field], dtype=object)
    return {
        name: table(**{field: values[names == name] for field, values in numbers.items()})
        for name in dict.fromkeys(words[RECORDING.field])
    }


def read_rows(path: Path, row: type[Table]) -> list[Table]:
    """Read a table of numbers as a list of its rows."""
    import numpy as np

    _, numbers = _read(path, columns_of(row))
    return [row(*values) for values in zip(*map(np.ndarray.tolist, numbers.values()), strict=True)]


def _read(path: Path, columns: Sequence[Column]) -> Values:
    """The columns that the file has, by their fields."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = _checked_header(path, next(rows, []), columns)
            there = [column for column in columns if column.name in header]
            return _values(path, rows, header, there)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; expected a CSV") from error
    except csv.Error as error:
        raise InputError(
            f"{path}, line {rows.line_num}: not a valid row of a CSV: {error}"
        ) from error


def _checked_header(path: Path, header: list[str], columns: Sequence[Column]) -> list[str]:
    needed = [column.name for column in columns if column.required]
    if not header:
        raise InputError(f"{path} is empty; expected a table with the columns {_listed(needed)}")
    if not all(name.isprintable() for name in header):
        raise InputError(f"{path} is damaged; expected a table with the columns {_listed(needed)}")
    if missing := [name for name in needed if name not in header]:
        raise InputError(f"{path}: missing column {missing[0]}; got {_listed(header)}")
    return header


def _values(
    path: Path, rows: Iterable[list[str]], header: list[str], columns: Sequence[Column]
) -> Values:
    """Text as lists, each word kept once; numbers as arrays. Row by row."""
    words: dict[str, list[str]] = {each.field: [] for each in columns if each.digits is None}
    numbers = {each.field: array("d") for each in columns if each.digits is not None}
    places = {each.field: header.index(each.name) for each in columns}
    add_word = [(places[field], found.append) for field, found in words.items()]
    add = [(places[field], found.append) for field, found in numbers.items()]
    for count, row in enumerate(rows, 1):
        try:
            for place, append in add:
                cell = row[place]
                append(float(cell) if cell else math.nan)
            for place, append_word in add_word:
                append_word(sys.intern(row[place]))
        except IndexError:
            raise InputError(
                f"{path}, row {count}: expected {counted(len(header), 'cell')}; got {len(row)}. "
                "Is the file cut short?"
            ) from None
        except ValueError:
            raise InputError(
                f"{path}, row {count}: {header[place]} must be a number; got {_shown(cell)}"
            ) from None
    arrays = {
        each.field: _checked(path, each, numbers[each.field])
        for each in columns
        if each.digits is not None
    }
    return words, arrays


def _checked(path: Path, column: Column, found: array[float]) -> np.ndarray:
    import numpy as np

    values = np.array(found, dtype=np.float64)
    if column.name == "frame":
        _check_range(path, "frame", values, 0, LAST_FRAME)
    if column.name == "time_s":
        _check_range(path, "time_s", values, -sys.float_info.max, sys.float_info.max)
    return values if column.digits else np.nan_to_num(values).astype(np.int64)


def _check_range(path: Path, name: str, values: np.ndarray, least: float, most: float) -> None:
    wrong = ~((values >= least) & (values <= most))
    if wrong.any():
        row = int(wrong.argmax())
        limits = f"from 0 to {LAST_FRAME}" if name == "frame" else "a finite number"
        raise InputError(f"{path}, row {row + 1}: {name} must be {limits}; got {values[row]:g}")


def _shown(cell: str) -> str:
    return as_written(cell) if cell.isprintable() else "unprintable characters"


def _listed(names: Sequence[str]) -> str:
    """The first names of columns, shortened: in a damaged file they may be long."""
    more = ", ..." if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(name[:LONGEST_NAME] for name in names[:SHOWN_COLUMNS]) + more
