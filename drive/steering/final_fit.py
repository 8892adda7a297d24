"""The training that comes last: on all frames, once the validation has shown how long is best."""

from __future__ import annotations

from pathlib import Path

from drive.results.names import CHECKPOINT
from drive.steering.state import read_state
from drive.steering.training_settings import TrainingSettings
from drive.training.fit import TrainingResult
from drive.training.state import STATE

FINAL = f"{CHECKPOINT}/final"
"""Its folder, in that of the training."""

LEAST_SHARE = 0.5
"""Share of the planned epochs that it has at least. An earlier best epoch is mostly chance: the
validation shows minutes of road (docs/decisions/steering.md)."""


def final_epochs(result: TrainingResult, settings: TrainingSettings) -> int:
    """Return the number of epochs of the final training: as many as were best."""
    return max(result.best.epoch, round(LEAST_SHARE * settings.planned_epochs), 1)


def can_continue(folder: Path, settings: TrainingSettings) -> bool:
    """Return whether a final training of the same length was begun in `folder`."""
    return (folder / STATE).is_file() and read_state(folder)[0].epochs == settings.epochs
