"""The history of a training, `history.csv`: a row an epoch.

Knows the columns; nothing of networks, nor what the loss is a loss of.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from drive.core.errors import InputError
from drive.core.files import atomic


@dataclass(frozen=True, slots=True)
class EpochResult:
    """A row of `history.csv`; `seconds` is what the epoch took."""

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float
    seconds: float


COLUMNS = tuple(field.name for field in fields(EpochResult))
EXPECTED = f"Expected the history of a training, with a row an epoch: {', '.join(COLUMNS)}"


def write_history(path: Path, history: Sequence[EpochResult]) -> None:
    """Write `history.csv`, whole or not at all."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, COLUMNS)
        rows.writeheader()
        rows.writerows(asdict(row) for row in history)


def read_history(path: Path) -> list[EpochResult]:
    """Read `history.csv` back.

    Raises:
        InputError: the file is missing, or a row is not a row of ours.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not rows.fieldnames:
                raise InputError(f"{path} is empty. {EXPECTED}")
            if missing := [name for name in COLUMNS if name not in rows.fieldnames]:
                raise InputError(f"{path} has no column {missing[0]}. {EXPECTED}")
            return [
                EpochResult(int(row["epoch"]), *(float(row[name]) for name in COLUMNS[1:]))
                for row in rows
            ]
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8. {EXPECTED}") from error
    except (csv.Error, ValueError, TypeError) as error:
        raise InputError(
            f"{path}, line {rows.line_num}, is damaged or cut short. {EXPECTED}"
        ) from error
