"""The training that comes last, on all frames; the one before has shown what it is worth."""

from __future__ import annotations

from pathlib import Path

from drive.results.names import CHECKPOINT
from drive.steering.state import read_state
from drive.steering.training_settings import TrainingSettings
from drive.training.state import STATE

FINAL = f"{CHECKPOINT}/final"
"""Its folder, in that of the training."""


def can_continue(folder: Path, settings: TrainingSettings) -> bool:
    """Return whether a final training of the same length was begun in `folder`."""
    return (folder / STATE).is_file() and read_state(folder)[0].epochs == settings.epochs
