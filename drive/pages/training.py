"""A training, and a search for settings, as the page shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from urllib.parse import quote

import numpy as np

from drive.pages import data
from drive.pages.columns import CLOCK, column
from drive.results.history import EpochResult
from drive.results.names import NOTES_FOLDER, SEARCH_PLOT
from drive.results.run_results import RunResults
from drive.results.search import TrialResult
from drive.results.steering import Steering
from drive.results.training_notes import NotedImage, Notes

DRAWN_PREDICTIONS = 20_000
ANGLE_STEP = 1e-4
CONSTANT_ANGLES = {"zero": "always straight ahead", "mean": "mean angle"}


def training_of(run: RunResults) -> data.Training | None:
    """Return the training in a run folder; None if none was begun there."""
    notes, files = run.notes, run.history_files
    if not files and notes is None:
        return None
    notes = notes or Notes()
    histories = run.histories.items()
    return {
        "epochs": notes.epochs,
        "histories": [{"name": name, "rows": _rows(rows)} for name, rows in histories],
        "levels": _levels(run),
        "loss_unit": notes.loss_unit,
        "loss_note": notes.loss_note,
        "distribution": _distribution(notes),
        "predictions": _predictions(run.predictions) if run.predictions else None,
        "worst": _images(notes.worst),
        "layers": _images(notes.layers),
        "updated": max((path.stat().st_mtime for path in files.values()), default=0.0),
    }


def search_of(run: RunResults) -> data.Search | None:
    """Return the search in a run folder; None if there is none."""
    search = run.search
    if search is None:
        return None
    return {
        "asked": search.asked,
        "names": search.searched,
        "trials": [_trial(trial) for trial in search.trials],
        "best": search.best.number if search.best else None,
        "image": SEARCH_PLOT if (run.folder / SEARCH_PLOT).is_file() else None,
    }


def _trial(trial: TrialResult) -> data.Trial:
    return {
        "trial": trial.number,
        "outcome": trial.outcome,
        "val_loss": _finite(trial.val_loss),
        "best_epoch": trial.best_epoch,
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "values": dict(trial.values),
        "src": None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _levels(run: RunResults) -> list[data.Level]:
    """What a constant angle reaches on the validation data; empty of a detector."""
    errors = run.numbers.validation.baselines if run.numbers.validation else {}
    known = {name: errors.get(key) for key, name in CONSTANT_ANGLES.items()}
    return [
        {"name": name, "loss": error**2}
        for name, error in known.items()
        if isinstance(error, int | float)
    ]


def _rows(history: Sequence[EpochResult]) -> list[list[float | None]]:
    return [[_finite(value) for value in astuple(row)] for row in history]


def _distribution(notes: Notes) -> data.Distribution | None:
    """How often each angle occurs; None if that was not noted."""
    if not notes.shares:
        return None
    series: list[data.Share] = [
        {"name": name, "shares": list(shares)} for name, shares in notes.shares.items()
    ]
    return {"edges": list(notes.edges), "series": series}


def _images(noted: Sequence[NotedImage]) -> list[data.Image]:
    return [
        {"src": f"{NOTES_FOLDER}/{quote(one.name)}", "title": one.title, "note": one.note}
        for one in noted
    ]


def _predictions(recordings: Mapping[str, Steering]) -> data.Predictions:
    """All rows; if there are many, an even subsample and the largest errors."""
    tables = list(recordings.values())
    angle, truth, frame, time_s = (
        np.concatenate([getattr(table, name) for table in tables])
        for name in ("angle_deg", "truth_deg", "frame", "time_s")
    )
    name = np.repeat(np.arange(len(tables)), [len(table.frame) for table in tables])
    keep = np.arange(len(angle))
    if len(keep) > DRAWN_PREDICTIONS:
        even = keep[:: -(-2 * len(keep) // DRAWN_PREDICTIONS)]
        worst = np.argsort(-np.abs(angle - truth))[: DRAWN_PREDICTIONS // 2]
        keep = np.union1d(even, worst)
    return {
        "angle": column(angle[keep], ANGLE_STEP),
        "truth": column(truth[keep], ANGLE_STEP),
        "names": list(recordings),
        "name": column(name[keep], 1),
        "frame": column(frame[keep], 1),
        "time": column(time_s[keep], CLOCK),
    }
