"""What the state of a steering training says: its settings, its frames and the caller's notes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from drive.core.errors import InputError
from drive.core.options import fields_of
from drive.steering.split import Split
from drive.steering.training_settings import LengthOptions, TrainingSettings
from drive.training import state

CHANGEABLE = tuple(each.name for each in fields_of(LengthOptions))


def read_state(folder: str | Path) -> tuple[TrainingSettings, dict[str, Any]]:
    """Return the settings and notes of a training in `folder`, finished or not."""
    about = state.read_state(folder).about
    return TrainingSettings.from_state(about["settings"]), about["notes"]


def check_resumable(folder: Path, settings: TrainingSettings, frames: list[list[Any]]) -> None:
    """Check that a training can resume with these settings and frames."""
    before, noted = read_state(folder)
    state.check_unchanged(folder, asdict(before), asdict(settings), CHANGEABLE)
    if noted["frames"] != frames:
        raise InputError(
            f"{folder}: the recordings, their excluded ranges or their split have changed since "
            "this training began. Start a new one"
        )


def fingerprint(split: Split) -> list[list[Any]]:
    """Return which frames of which recordings train (true) and validate, for comparison."""
    return [
        [part.recording.digest, trains, len(part), int(part.rows[0]), int(part.rows[-1])]
        + [side.recording.digest for side in part.recording.sides]
        + [[mark.start_s, mark.end_s] for mark in part.recording.bad]
        for trains, parts in ((True, split.training), (False, split.validation))
        for part in parts
    ]
