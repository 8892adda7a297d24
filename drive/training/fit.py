"""The epoch loop of both networks: steps, validation, best epoch, early stopping, resume.

After every epoch the whole state is on disk, so that a training killed at any time can resume.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from drive.core.errors import DivergedError
from drive.core.progress import Progress, no_progress
from drive.results.history import EpochResult, read_history
from drive.results.names import HISTORY
from drive.runtime.keras_file import load_model
from drive.training.batches import Batch, Batches
from drive.training.state import STATE, read_state, save_state
from drive.training.tensorboard import EventLog

CURE = (
    "The training diverged: try a tenth of the --learning-rate (--find-lr suggests one), and "
    "check the data with check-data"
)

DROPS_AN_EPOCH = 1_000_000
"""Random draws that are kept apart for an epoch: more than it has steps."""

OnEpoch = Callable[[EpochResult], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """What a training returns; `model` has the averaged weights of the best epoch.

    `final` was trained again, on the validation data too; None without such a training.
    """

    model: keras.Model
    history: list[EpochResult]
    stopped_early: bool = False
    final: keras.Model | None = None

    @property
    def network(self) -> keras.Model:
        """The network to keep."""
        return self.final or self.model

    @property
    def best(self) -> EpochResult:
        """The epoch whose weights `model` has; the last one if there is no validation loss."""
        return best_epoch(self.history)


class Course(Protocol):
    """What a network brings to its training; `best` is the file of the best epoch in its folder."""

    epochs: int
    frozen_epochs: int
    patience: int
    best: str

    @property
    def batches(self) -> Batches:
        """The batches to train on."""

    def compiled(self, frozen: bool) -> keras.Model:
        """Return the model of a phase, compiled, with an optimiser that averages the weights."""

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0 over all epochs."""

    def validation_loss(self, model: keras.Model) -> float | None:
        """Return the loss on held-out data; None if there is none: the last epoch is the best."""

    def save_best(self, model: keras.Model, path: Path) -> None:
        """Write the model; its weights are the averaged ones."""


def fit(
    course: Course,
    folder: Path,
    about: Mapping[str, Any],
    *,
    resume: bool = False,
    probe: Batch | None = None,
    progress: Progress = no_progress,
    on_epoch: OnEpoch | None = None,
) -> TrainingResult:
    """Train; write `history.csv`, the state and the best epoch into `folder`.

    Args:
        about: what the state says of this training besides its history; JSON.
        resume: continue from the state in `folder`.
        probe: batch whose gradients TensorBoard shows; None: write no event files.
        on_epoch: called after each epoch, its state on disk; what it raises ends the training.

    Raises:
        InputError: there is nothing to resume, or TensorFlow is missing for `probe`.
        DivergedError: the loss, or the validation loss, is not finite.
    """
    history: list[EpochResult] = list(read_state(folder).history) if resume else []
    log = EventLog(folder, len(history) + 1, probe) if probe is not None else None
    frozen = max(0, len(history) - 1) < course.frozen_epochs
    model = course.compiled(frozen)
    if resume:
        model.load_weights(folder / STATE)
    save_state(model, folder, history, about)
    steps = len(course.batches)
    while len(history) < course.epochs and not stops(history, course):
        began = time.perf_counter()
        epoch = len(history)
        if frozen and epoch >= course.frozen_epochs:
            frozen = False
            model = course.compiled(frozen)
        rates = [course.rate(epoch * steps + step) for step in range(steps)]
        seed_dropout(model, epoch)
        batches = progress(course.batches.epoch(epoch), steps, _title(history, course))
        loss = train_epoch(model, batches, rates)
        with averaged_weights(model):
            val_loss = _validate(model, history, course, folder)
        seconds, rate = time.perf_counter() - began, math.fsum(rates) / steps
        history.append(EpochResult(epoch + 1, loss, val_loss, rate, seconds))
        if log:
            log.write_epoch(model, history[-1])
        save_state(model, folder, history, about)
        if on_epoch:
            on_epoch(history[-1])
    if log:
        log.close()
    return TrainingResult(load_model(folder / course.best), history, stops(history, course))


def best_epoch(history: Sequence[EpochResult]) -> EpochResult:
    """Return the epoch with the lowest validation loss; the last one if there is no such loss."""
    measured = [row for row in history if not math.isnan(row.val_loss)]
    return min(measured, key=lambda row: row.val_loss) if measured else history[-1]


def kept_result(
    folder: Path, best: str, error: DivergedError
) -> tuple[TrainingResult, DivergedError]:
    """Return what a training finished before `error`, and the error to end with after its export.

    Raises:
        DivergedError: `error`, if no epoch was finished.
    """
    history = read_history(folder / HISTORY)
    if not history:
        raise error
    result = TrainingResult(load_model(folder / best), history)
    return result, DivergedError(
        f"{folder}: the loss is not finite in epoch {len(history) + 1}; epoch "
        f"{result.best.epoch}, the best before it, is kept and exported. {CURE}"
    )


def stops(history: Sequence[EpochResult], course: Course) -> bool:
    """Return whether `patience` epochs have passed since the best one, or since the thaw."""
    if not history or not course.patience:
        return False
    since = max(best_epoch(history).epoch - 1, course.frozen_epochs)
    return len(history) - 1 - since >= course.patience


def train_epoch(model: keras.Model, batches: Iterable[Batch], rates: Sequence[float]) -> float:
    """Take one step per batch, each at its rate; return the mean loss per image."""
    losses, counts, rate = [], [], math.nan
    for batch, wanted in zip(batches, rates, strict=True):
        if wanted != rate:
            model.optimizer.learning_rate = rate = wanted
        losses.append(float(model.train_on_batch(batch.images, batch.targets)))
        counts.append(len(batch.images))
        if not math.isfinite(losses[-1]):
            raise DivergedError(
                f"The loss is not finite at step {len(losses)} of the epoch. {CURE}"
            )
    return float(np.average(losses, weights=counts))


def seed_dropout(model: keras.Model, epoch: int) -> None:
    """Let what is dropped depend on the epoch alone: a resumed training drops the same."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([number + 1, epoch * DROPS_AN_EPOCH], np.uint32))


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let the model hold the running average of its weights inside the block.

    Predictions on an unseen road drift much less with it (docs/decisions/steering.md).
    """
    variables = model.trainable_variables
    current = [keras.ops.convert_to_numpy(variable) for variable in variables]
    model.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, current, strict=True):
            variable.assign(value)


def _validate(
    model: keras.Model, history: Sequence[EpochResult], course: Course, folder: Path
) -> float:
    """Return the validation loss, NaN without held-out data; save the model if it is the best."""
    loss = course.validation_loss(model)
    if loss is not None and not math.isfinite(loss):
        raise DivergedError(
            f"The validation loss is not finite in epoch {len(history) + 1}. {CURE}"
        )
    if loss is None or loss < min((row.val_loss for row in history), default=math.inf):
        course.save_best(model, folder / course.best)
    return math.nan if loss is None else loss


def _title(history: Sequence[EpochResult], course: Course) -> str:
    frozen = ", backbone frozen" if len(history) < course.frozen_epochs else ""
    return f"epoch {len(history) + 1}/{course.epochs}{frozen}{_to_go(history, course)}"


def _to_go(history: Sequence[EpochResult], course: Course) -> str:
    if not history:
        return ""

    def seconds(epoch: int) -> float:
        frozen = epoch < course.frozen_epochs
        alike = [row for row in history if (row.epoch <= course.frozen_epochs) == frozen]
        return (alike or history)[-1].seconds

    left_s = math.fsum(map(seconds, range(len(history), course.epochs)))
    return f", {max(1, math.ceil(left_s / 60))} min to go"
