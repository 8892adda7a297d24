"""A search for settings as the page shows it: its trials, the best of them, its picture.

Knows the files that `tune-steering` writes; nothing of how it searches.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.core.files import leads_out
from drive.pages.damage import LEADS_OUT

STUDY, TABLE, PICTURE, TRIALS = "study.db", "trials.csv", "search.png", "trials"
ABOUT = ("trial", "outcome", "val_loss", "best_epoch", "epochs", "seconds")
"""Columns of the table that say what became of a trial; the others are what was searched."""

COMPLETE = "complete"


def is_search(folder: Path) -> bool:
    """Whether a search has begun in a folder."""
    return any((folder / name).is_file() for name in (STUDY, TABLE))


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial of the search in `folder` keeps its history and its network."""
    return folder / TRIALS / f"{number:03d}"


def read_search(folder: Path, record: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The search in a folder as JSON, of the finished trials; None where there is none.

    Args:
        folder: of the run.
        record: what its `run.json` says, where it is known.

    Raises:
        InputError: its table is damaged, or a link out of the folder.
    """
    if not is_search(folder):
        return None
    path = folder / TABLE
    if leads_out(path, folder):
        raise InputError(f"{path} {LEADS_OUT}")
    names, rows = _read(path) if path.is_file() else ([], [])
    found = [row for row in rows if row["outcome"] == COMPLETE and row["val_loss"] is not None]
    best = min(found, key=lambda row: float(row["val_loss"]), default=None)
    asked = (record or {}).get("trials")
    return {
        "asked": asked if isinstance(asked, int) else None,
        "names": names,
        "trials": rows,
        "best": best["trial"] if best else None,
        "picture": PICTURE if (folder / PICTURE).is_file() else None,
    }


def _read(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """What was searched, and the trials."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            names = [name for name in table.fieldnames or () if name not in ABOUT]
            return names, [_trial(row, names) for row in table]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path} is cut short or not the table of a search's trials: a row has columns "
            f"{','.join(ABOUT)} and what was searched"
        ) from error


def _trial(row: Mapping[str, str], names: list[str]) -> dict[str, Any]:
    loss = float(row["val_loss"] or "nan")
    return {
        **{name: int(row[name]) for name in ("trial", "best_epoch", "epochs")},
        "outcome": row["outcome"],
        "val_loss": loss if math.isfinite(loss) else None,
        "seconds": float(row["seconds"]),
        "values": {name: _value(row[name]) for name in names},
        "src": None,
    }


def _value(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
