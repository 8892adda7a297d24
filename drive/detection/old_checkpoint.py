"""Trainings of the detector that version 0.1 left unfinished, so that they can resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.results.history import read_history
from drive.results.names import HISTORY
from drive.training.state import STATE, read_state, save_state

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]
    import keras

    from drive.detection.train import DetectorCourse

CHECKPOINT, SETTINGS = "checkpoint.weights.h5", "training.json"
EPOCHS_DONE = "drive_epochs"
RENAMED = {"frozen": "freeze", "pictures": "images"}  # settings with other names today


def stopped_config(folder: str) -> dict[str, Any]:
    """Return the options of the training in a folder, which version 0.1 did not record."""
    if (Path(folder) / CHECKPOINT).is_file() and not (Path(folder) / STATE).is_file():
        raise InputError(
            f"{folder}: version 0.1 of drive began this training and did not record its options. "
            "Name the DATASET and the options that it had beside --resume"
        )
    config: dict[str, Any] = read_state(folder).about["notes"].get("config", {})
    return config


def convert_old_checkpoint(folder: Path, course: DetectorCourse) -> None:
    """Write the state that version 0.1 left in a folder in the present form, if there is one."""
    checkpoint = folder / CHECKPOINT
    if (folder / STATE).is_file() or not checkpoint.is_file():
        return
    import h5py  # comes with keras

    before = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    settings = {RENAMED.get(name, name): value for name, value in before.items()}
    try:
        with h5py.File(checkpoint) as file:
            done = int(file.attrs[EPOCHS_DONE])
            model = course.compiled(frozen=max(0, done - 1) < settings["frozen_epochs"])
            _load(model, checkpoint, file["optimizer/vars"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{checkpoint}: not a valid checkpoint of train-detector ({error})"
        ) from error
    history = read_history(folder / HISTORY)[:done]
    save_state(model, folder, history, {"settings": settings, "notes": {}})


def _load(model: keras.Model, checkpoint: Path, values: h5py.Group) -> None:
    """Load the weights and the optimiser, which had no variable for the learning rate."""
    optimizer = model.optimizer
    model.optimizer = None
    model.load_weights(checkpoint)
    model.optimizer = optimizer
    kept = [each for each in optimizer.variables if each.path.split("/")[-1] != "learning_rate"]
    for number, variable in enumerate(kept):
        variable.assign(values[str(number)][()])
