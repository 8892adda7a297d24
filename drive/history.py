"""The history of a training, `history.csv`: a row an epoch.

Knows the columns; nothing of networks, nor what the loss is a loss of.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from drive.errors import InputError
from drive.files import atomic


@dataclass(frozen=True, slots=True)
class EpochResult:
    """A row of `history.csv`; `seconds` is what the epoch took."""

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float
    seconds: float


COLUMNS = tuple(field.name for field in fields(EpochResult))


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
            return [
                EpochResult(int(row["epoch"]), *(float(row[name]) for name in COLUMNS[1:]))
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: the history of a training expected, {','.join(COLUMNS)}; received: {error!r}"
        ) from error
