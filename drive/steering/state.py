"""What a training of the steering network is asked, and the one file from which it can go on.

`checkpoint/state.keras` holds weights, averages, optimiser, settings and history after the last
finished epoch, and is replaced in one step. Knows files and settings; takes no step of training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError, as_option
from drive.results.history import EpochResult, write_history
from drive.steering.augment import LOOKS
from drive.steering.backbone import BACKBONES, IMAGENET
from drive.steering.model_file import load_model, read_notes, save_model
from drive.steering.network import VARIANTS
from drive.steering.schedule import SCHEDULES
from drive.steering.split import Split

if TYPE_CHECKING:
    import keras

STATE = "checkpoint/state.keras"
HISTORY = "history.csv"

LEARNING_RATES = {"adam": 5e-4, "adadelta": 1.0}
"""Each optimiser with its learning rate: for Adam half the usual one, for Adadelta the published
one (Keras' own default for Adadelta, 0.001, hardly moves)."""

BATCH_NORM_RATES = {"adam": 1e-3}
"""The rates that batch normalisation bears, where they are others."""

CHANGEABLE = ("epochs", "patience", "tensorboard")

LEAST = {
    "epochs": 1,
    "batch": 1,
    "patience": 0,
    "seed": 0,
    "restart_epochs": 1,
    "warm_up": 0,
    "freeze_epochs": 0,
}
RANGES = {
    "dropout": (0.0, 1.0),
    "l2": (0.0, math.inf),
    "restart_factor": (1.0, math.inf),
    "return_s": (0.1, 60.0),
    "fps": (0.0, math.inf),
}


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: passes over the (balanced) training frames, at most.
        batch: frames in a step.
        optimizer: one of `LEARNING_RATES`.
        learning_rate: None for the optimiser's own.
        patience: epochs without a better validation loss after which training stops; 0: never.
        variant: of the network, one of `VARIANTS`.
        balance: thin straight driving.
        augment: flip, brighten, darken and shade training pictures.
        seed: of weights, batches and variations.
        dropout: share of the values that each step leaves out behind the convolutions and the
            hidden dense layers but the last; 0: none.
        batch_norm: normalise over the batch between each convolution and its activation.
        l2: weight of the sum of squared kernels in the loss that training lowers; 0: none.
        schedule: of the learning rate, one of `drive.steering.schedule.SCHEDULES`.
        restart_epochs: length of the first cycle of the schedule `restarts`.
        restart_factor: how many times longer each further cycle is than the one before.
        warm_up: steps over which the learning rate rises from nothing at the beginning, at most a
            tenth of all; 0: none.
        tensorboard: write event files for TensorBoard.
        viewpoints: move the cameras of training pictures, with the angle that leads back.
        mirror: mirror half the training pictures; not for a car that keeps to one side of the road.
        looks: how far their light, colours and texture vary, one of `drive.steering.augment.LOOKS`.
        return_s: seconds in which the angle of a moved camera leads back to the path.
        fps: frames of a second that an epoch uses, others in each epoch; 0: all.
        backbone: pretrained network under a steering head, one of `drive.steering.backbone`'s;
            None: the network that `variant` names.
        backbone_weights: of it: a path, `imagenet` or `none`.
        freeze_epochs: epochs at the beginning in which the head alone learns.
        depth_rate: rate of the backbone's last block as a share of the head's, and of each earlier
            block as a share of the next one's.
    """

    epochs: int = 40
    batch: int = 32
    optimizer: str = "adam"
    learning_rate: float | None = None
    patience: int = 12
    variant: str = "published"
    balance: bool = True
    augment: bool = True
    seed: int = 0
    dropout: float = 0.0
    batch_norm: bool = False
    l2: float = 0.0
    schedule: str = "constant"
    restart_epochs: int = 10
    restart_factor: float = 2.0
    warm_up: int = 0
    tensorboard: bool = False
    viewpoints: bool = True
    mirror: bool = False
    looks: str = "mild"
    return_s: float = 2.0
    fps: float = 0.0
    backbone: str | None = None
    backbone_weights: str = IMAGENET
    freeze_epochs: int = 5
    depth_rate: float = 0.3

    @property
    def rate(self) -> float:
        """The learning rate: the given one, or what suits the optimiser and the network."""
        usual = LEARNING_RATES | (BATCH_NORM_RATES if self.batch_norm else {})
        return self.learning_rate or usual[self.optimizer]

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise InputError(
                    f"{as_option(name)} is a whole number from {least}. "
                    f"Received: {getattr(self, name)}"
                )
        for name, (low, below) in RANGES.items():
            if not low <= getattr(self, name) < below:
                end = f" to below {below:g}" if math.isfinite(below) else ""
                raise InputError(
                    f"{as_option(name)} is a number from {low:g}{end}. "
                    f"Received: {getattr(self, name)}"
                )
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise InputError(f"--learning-rate is above 0. Received: {self.learning_rate}")
        if self.backbone and self.batch_norm:
            raise InputError(
                f"--batch-norm is for the networks {' and '.join(VARIANTS)}; a backbone comes as "
                f"it was trained. Received: --batch-norm with --backbone {self.backbone}"
            )
        if not 0 < self.depth_rate <= 1:
            raise InputError(f"--depth-rate is above 0, up to 1. Received: {self.depth_rate}")
        choices = {
            "optimizer": tuple(LEARNING_RATES),
            "variant": VARIANTS,
            "schedule": SCHEDULES,
            "looks": tuple(LOOKS),
            "backbone": (None, *BACKBONES),
        }
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in known:
                names = ", ".join(map(str, known))
                raise InputError(f"{as_option(name)} is one of {names}. Received: {value!r}")


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
    return TrainingSettings(**state["settings"]), state["notes"]


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
