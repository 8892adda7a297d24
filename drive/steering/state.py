"""What a training of the steering network is asked, and the one file from which it can go on.

`checkpoint/state.keras` holds weights, averages, optimiser, settings and history after the last
finished epoch, and is replaced in one step. Knows files and settings; takes no step of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError, as_option
from drive.core.options import fields_of
from drive.results.history import EpochResult, write_history
from drive.steering.model_file import load_model, read_notes, save_model
from drive.steering.split import Split
from drive.steering.training_settings import LengthOptions, TrainingSettings

if TYPE_CHECKING:
    import keras

STATE = "checkpoint/state.keras"
HISTORY = "history.csv"

CHANGEABLE = tuple(each.name for each in fields_of(LengthOptions))


def read_state(folder: str | Path) -> tuple[TrainingSettings, dict[str, Any]]:
    """What an unfinished (or finished) training in `folder` was asked: settings and notes.

    Raises:
        InputError: there is none.
    """
    path = Path(folder) / STATE
    if not path.is_file():
        raise InputError(
            f"There is no training to resume in {folder}: none was stopped there, or it had not "
            "come to its first epoch. Begin it anew, without --resume"
        )
    state = read_notes(path)
    return TrainingSettings.from_state(state["settings"]), state["notes"]


def save_state(
    model: keras.Model,
    folder: Path,
    settings: TrainingSettings,
    history: Sequence[EpochResult],
    notes: Mapping[str, Any],
) -> None:
    """Write the state after an epoch, and `history.csv` beside it."""
    rows = [asdict(row) for row in history]
    state = {"settings": asdict(settings), "history": rows, "notes": dict(notes)}
    save_model(model, folder / STATE, state)
    write_history(folder / HISTORY, history)


def resume_state(
    folder: Path, settings: TrainingSettings, notes: Mapping[str, Any]
) -> tuple[keras.Model, list[EpochResult]]:
    """Load the model with its optimiser, and the history that belongs to it.

    Args:
        folder: of the stopped training.
        settings: as before, except for those in `CHANGEABLE`.
        notes: with the `fingerprint` of the frames as `frames`.

    Raises:
        InputError: there is none, or the settings or the frames are not those of before.
    """
    before, noted = read_state(folder)
    allowed = {name: getattr(settings, name) for name in CHANGEABLE}
    if replace(before, **allowed) != settings:
        raise InputError(
            f"{folder}: a training goes on with the settings it began with, except "
            f"{', '.join(map(as_option, CHANGEABLE))}. Expected {before}. Received: {settings}"
        )
    if noted["frames"] != notes["frames"]:
        raise InputError(
            f"{folder}: the recordings, their marks or their split have changed since this "
            "training began. Begin a new one"
        )
    rows = read_notes(folder / STATE)["history"]
    history = [EpochResult(**row) for row in rows]
    write_history(folder / HISTORY, history)  # a kill may have come between state and history
    return load_model(folder / STATE, compiled=True), history


def fingerprint(split: Split) -> list[list[Any]]:
    """Which frames of which drives train (true) and validate, for comparison."""
    return [
        [part.drive.digest, trains, len(part), int(part.rows[0]), int(part.rows[-1])]
        + [side.drive.digest for side in part.drive.sides]
        + [[mark.start_s, mark.end_s] for mark in part.drive.bad]
        for trains, parts in ((True, split.training), (False, split.validation))
        for part in parts
    ]
