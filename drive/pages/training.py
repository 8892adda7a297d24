"""A training as the page shows it: losses, angles, predictions, pictures of frames and layers.

`Notes` are what a training leaves for its report besides its tables, in `report_files/`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from drive.core.files import atomic
from drive.pages.columns import CLOCK, column
from drive.pages.damage import Damage
from drive.pages.json_files import NOTES_FORM, read_json
from drive.pages.tables import read_series
from drive.results.history import EpochResult, read_history
from drive.results.run_folder import write_json

HISTORY, PREDICTIONS = "history.csv", "predictions.csv"
FILES, NOTES = "report_files", "notes.json"
PREDICTION_COLUMNS = ("recording", "frame", "time_s", "angle_deg", "truth_deg")
BINS = 61
DRAWN_PREDICTIONS = 20_000
ANGLE_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class NotedPicture:
    """A picture in `report_files/`: its name there, and what stands beside it."""

    name: str
    title: str
    note: str = ""


@dataclass(slots=True)
class Notes:
    """What a training leaves for its report.

    Attributes:
        epochs: how many were asked for.
        loss_unit: of the loss, where it has one.
        loss_note: why the training loss and the validation loss are not alike, where it is known.
        edges: of the bins in which the angles are counted.
        shares: of the angles in each bin, by what they are angles of.
        worst: the frames with the largest errors.
        layers: what the first layers look for, and what they see.
    """

    epochs: int | None = None
    loss_unit: str = ""
    loss_note: str = ""
    edges: list[float] = field(default_factory=list)
    shares: dict[str, list[float]] = field(default_factory=dict)
    worst: list[NotedPicture] = field(default_factory=list)
    layers: list[NotedPicture] = field(default_factory=list)

    def count(self, series: Mapping[str, np.ndarray]) -> None:
        """Take the distributions of these angles, in bins that are even about 0."""
        angles = np.concatenate([each[np.isfinite(each)] for each in series.values()])
        widest = math.ceil(float(np.abs(angles).max(initial=0.0))) or 1
        self.edges = np.linspace(-widest, widest, BINS + 1).round(4).tolist()
        for name, each in series.items():
            counts, _ = np.histogram(each, np.array(self.edges))
            self.shares[name] = (counts / max(1, counts.sum())).round(6).tolist()

    def write(self, folder: Path) -> None:
        """Write them beside the pictures."""
        (folder / FILES).mkdir(exist_ok=True)
        write_json(folder / FILES / NOTES, asdict(self))


def write_predictions(path: Path, drives: Mapping[str, tuple[np.ndarray, ...]]) -> None:
    """Write `predictions.csv`: what the network answers on frames that did not teach it.

    Args:
        path: of the file.
        drives: frame numbers, seconds, the model's and the human's degrees by recording.
    """
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(PREDICTION_COLUMNS)
        for name, columns in drives.items():
            for frame, time_s, angle, truth in zip(*columns, strict=True):
                rows.writerow([name, int(frame), f"{time_s:.6f}", f"{angle:.4f}", f"{truth:.4f}"])


def read_training(folder: Path, damage: Damage) -> dict[str, Any] | None:
    """The training in a folder as JSON; None where none was begun there.

    Args:
        folder: of the run.
        damage: is told of the files that cannot be read; their parts are left out.
    """
    homes = {"": folder} | {
        home.name: home for home in sorted(folder.glob("member*"), key=_number) if home.is_dir()
    }
    paths = {name: path for name, home in homes.items() if damage.holds(path := home / HISTORY)}
    found = {name: damage.read(HISTORY, None, read_history, path) for name, path in paths.items()}
    histories = [
        {"name": name, "rows": [_row(row) for row in rows]}
        for name, rows in found.items()
        if rows is not None
    ]
    notes = damage.read(NOTES, None, _read_notes, folder, damage)
    if not paths and notes is None:
        return None
    notes = notes or {}
    predictions = folder / PREDICTIONS
    return {
        "epochs": notes.get("epochs"),
        "histories": histories,
        "loss_unit": notes.get("loss_unit", ""),
        "loss_note": notes.get("loss_note", ""),
        "distribution": damage.read(NOTES, None, _distribution, notes),
        "predictions": damage.read(PREDICTIONS, None, _predictions, predictions)
        if damage.holds(predictions)
        else None,
        "worst": damage.read(NOTES, [], _pictures, notes.get("worst", [])),
        "layers": damage.read(NOTES, [], _pictures, notes.get("layers", [])),
        "updated": max((_changed(home / HISTORY) for home in homes.values()), default=0.0),
    }


def _distribution(notes: Mapping[str, Any]) -> dict[str, Any] | None:
    """How often each angle occurs; None where that was not noted."""
    shares = notes.get("shares")
    if not shares:
        return None
    series = [{"name": name, "shares": list(each)} for name, each in shares.items()]
    return {"edges": list(notes["edges"]), "series": series}


def _row(row: EpochResult) -> list[float | None]:
    """The row's numbers in their order; None for what is none."""
    return [value if math.isfinite(value) else None for value in asdict(row).values()]


def _number(home: Path) -> int:
    digits = "".join(filter(str.isdigit, home.name))
    return int(digits or 0)


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0


def _read_notes(folder: Path, damage: Damage) -> dict[str, Any] | None:
    path = folder / FILES / NOTES
    return read_json(path, NOTES_FORM, damage.tell, folder) if path.is_file() else None


def _pictures(noted: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {"src": f"{FILES}/{quote(one['name'])}", "title": one["title"], "note": one["note"]}
        for one in noted
    ]


def _predictions(path: Path) -> dict[str, Any]:
    """The rows of `predictions.csv`, evenly thinned where there are many, errors kept."""
    drives = read_series(path, by="recording")
    names = list(drives)
    together = {
        key: np.concatenate([each.columns[key] for each in drives.values()])
        for key in ("angle_deg", "truth_deg")
    }
    name = np.repeat(np.arange(len(names)), [len(each.frame) for each in drives.values()])
    frame = np.concatenate([each.frame for each in drives.values()])
    time_s = np.concatenate([each.time_s for each in drives.values()])
    error = np.abs(together["angle_deg"] - together["truth_deg"])
    keep = np.arange(len(error))
    if len(keep) > DRAWN_PREDICTIONS:
        even = keep[:: -(-2 * len(keep) // DRAWN_PREDICTIONS)]
        worst = np.argsort(-error)[: DRAWN_PREDICTIONS // 2]
        keep = np.union1d(even, worst)
    return {
        "angle": column(together["angle_deg"][keep], ANGLE_STEP),
        "truth": column(together["truth_deg"][keep], ANGLE_STEP),
        "names": names,
        "name": column(name[keep], 1),
        "frame": column(frame[keep], 1),
        "time": column(time_s[keep], CLOCK),
    }
