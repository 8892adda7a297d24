"""`history.csv`: a row per epoch of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from drive.results.table import EXACT, columns_of, number, open_table, read_rows, whole


@dataclass(frozen=True, slots=True)
class EpochResult:
    """A row of `history.csv`; `seconds` is the duration of the epoch."""

    epoch: int = whole()
    loss: float = number(EXACT)
    val_loss: float = number(EXACT)
    learning_rate: float = number(EXACT)
    seconds: float = number(EXACT)


def write_history(path: Path, history: Sequence[EpochResult]) -> None:
    """Write `history.csv`, whole or not at all."""
    with open_table(path, columns_of(EpochResult)) as write:
        for epoch in history:
            write(astuple(epoch))


def read_history(path: Path) -> list[EpochResult]:
    """Read `history.csv`."""
    return read_rows(path, EpochResult)
