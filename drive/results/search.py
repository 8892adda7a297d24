"""`trials.csv` of a search for settings: a row per finished trial, then what was searched."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drive.core.errors import InputError
from drive.results.names import STUDY, TRIAL_FOLDERS, TRIALS
from drive.results.table import Column, open_table

ABOUT = ("trial", "outcome", "val_loss", "best_epoch", "epochs", "seconds")
"""Columns that say what became of a trial; the others are what was searched."""

COMPLETE = "complete"
SECONDS_DIGITS = 3

Value = float | str | bool


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A finished trial: "complete", "pruned" (most others were better at that epoch) or "diverged".

    `val_loss` is the smallest of its epochs, in degrees squared; NaN if it diverged in the first.
    """

    number: int
    outcome: str
    val_loss: float
    best_epoch: int
    epochs: int
    seconds: float
    values: Mapping[str, Value]


def is_search(folder: Path) -> bool:
    """Return whether a search has begun in a folder."""
    return any((folder / name).is_file() for name in (STUDY, TRIALS))


def trial_folder(folder: Path, number: int) -> Path:
    """Return where a trial of the search in `folder` keeps its history and its network."""
    return folder / TRIAL_FOLDERS / f"{number:03d}"


def best_trial(trials: Sequence[TrialResult]) -> TrialResult | None:
    """Return the complete trial with the smallest loss; None if none is complete."""
    complete = [t for t in trials if t.outcome == COMPLETE and math.isfinite(t.val_loss)]
    return min(complete, key=lambda trial: trial.val_loss, default=None)


def write_trials(path: Path, trials: Sequence[TrialResult], names: Sequence[str]) -> None:
    """Write `trials.csv`, whole or not at all."""
    with open_table(path, [Column(name, None) for name in (*ABOUT, *names)]) as write:
        for trial in trials:
            loss = trial.val_loss if math.isfinite(trial.val_loss) else ""
            about = (trial.number, trial.outcome, loss, trial.best_epoch, trial.epochs)
            values = [trial.values[name] for name in names]
            write([*about, round(trial.seconds, SECONDS_DIGITS), *values])


def read_trials(path: Path) -> list[TrialResult]:
    """Read `trials.csv`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_trial(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path} is damaged or cut short; expected the columns {', '.join(ABOUT)} and what "
            "was searched"
        ) from error


def _trial(row: Mapping[str, str]) -> TrialResult:
    loss = float(row["val_loss"] or "nan")
    return TrialResult(
        number=int(row["trial"]),
        outcome=row["outcome"],
        val_loss=loss if math.isfinite(loss) else math.nan,
        best_epoch=int(row["best_epoch"]),
        epochs=int(row["epochs"]),
        seconds=float(row["seconds"]),
        values={name: _value(text) for name, text in row.items() if name not in ABOUT},
    )


def _value(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
