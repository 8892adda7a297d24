"""Training of tiny-yolo-drive: epochs, learning rate, averaged weights, checkpoints, history.

Knows batches, the loss and Keras; not where the data comes from and not the command line.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from drive.core.errors import DriveError, InputError
from drive.core.files import atomic
from drive.core.progress import Progress, no_progress
from drive.detection.batches import Batch, TrainingBatches, plain_batches
from drive.detection.dataset import LabelledImages
from drive.detection.loss import detection_loss
from drive.detection.tiny_yolo_drive import ANCHORS, STRIDES
from drive.detection.training_settings import TrainingSettings
from drive.results.history import EpochResult, read_history, write_history

TRAINING_SIZES = ((416, 416), (320, 512), (288, 640))
"""Height and width of the batches: about the same number of pixels, from pictures to roads."""

CHECKPOINT = "checkpoint.weights.h5"  # everything to go on with: weights, averages, optimiser
BEST = "detector.keras"  # averaged weights of the epoch with the least validation loss
BACKBONE_LAYERS = 7
HISTORY = "history.csv"
SETTINGS = "training.json"
EPOCHS_DONE = "drive_epochs"  # attribute of the checkpoint; it tells the phase, too
AVERAGED_PARTS = 4  # a running average spans at most a quarter of its phase: a longer one would
# hold on to what the phase began with


class TrainingModel(keras.Model):
    """The network with the detection loss; its targets are those of a `Batch`."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="training")
        self.network = network
        self.anchors = {stride: ANCHORS[stride] for stride in STRIDES}

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the raw heads."""
        return self.network(images, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the detection loss; `y` is the targets of each head."""
        return detection_loss(y_pred, y, self.anchors)


def train_detector(
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    folder: Path,
    settings: TrainingSettings,
    resume: bool = False,
    progress: Progress = no_progress,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> list[EpochResult]:
    """Train a network and leave the averaged weights of the best epoch in it.

    With `frozen_epochs`, necks and heads train alone first. Each phase has its own warm-up, cosine
    and average; the second begins with the averaged weights of the first.

    Writes `detector.keras` (best epoch), `checkpoint.weights.h5` (last epoch), `history.csv` and
    `training.json` into `folder`, after every epoch.

    Args:
        network: of `build_tiny_yolo_drive`, with the weights to begin from.
        training: pictures to learn from.
        validation: pictures that choose the best epoch; without any, the last epoch is the best.
        folder: of the results.
        settings: how to train.
        resume: go on from the checkpoint in `folder`.
        progress: shows each epoch.
        on_epoch: called with each finished epoch, its state on disk; what it raises ends all.

    Returns:
        The history, earlier parts included.

    Raises:
        InputError: there is no checkpoint to resume from, or it was made with other settings.
        DriveError: the loss is no longer a number.
    """
    batches = TrainingBatches(training, ANCHORS, TRAINING_SIZES, settings.batch, settings.seed)
    written = asdict(settings) | {
        "classes": list(training.classes),
        "pictures": len(training.images),
    }
    done = _checkpointed_epochs(folder, written) if resume else 0
    phase = _phase_of(max(done - 1, 0), settings)
    model = _compiled(network, settings, phase, len(batches))
    history: list[EpochResult] = []
    if resume:
        model.load_weights(folder / CHECKPOINT)
        history = read_history(folder / HISTORY)[:done]
    _write_settings(folder, written)
    for epoch in range(done, settings.epochs):
        if _phase_of(epoch, settings) != phase:
            phase = _phase_of(epoch, settings)
            model.optimizer.finalize_variable_values(model.trainable_variables)
            model = _compiled(network, settings, phase, len(batches))
        start = time.perf_counter()
        title = f"epoch {epoch + 1}/{settings.epochs}{phase.note}{_to_go(history, settings)}"
        loss = _train_epoch(model, progress(batches.epoch(epoch), len(batches), title))
        with averaged_weights(model):
            val_loss = _validation_loss(model, validation, settings.batch)
            if not history or not val_loss >= min(row.val_loss for row in history):
                with atomic(folder / BEST) as part:
                    network.save(part)
        seconds = time.perf_counter() - start
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        history.append(EpochResult(epoch + 1, loss, val_loss, rate, seconds))
        write_history(folder / HISTORY, history)
        _save_checkpoint(model, folder / CHECKPOINT, epoch + 1)  # last: resuming believes it
        if on_epoch:
            on_epoch(history[-1])
    network.set_weights(keras.saving.load_model(folder / BEST, compile=False).get_weights())
    return history


@dataclass(frozen=True, slots=True)
class _Phase:
    """A part of the training with its own learning rates and its own trained layers.

    Attributes:
        epochs: of this part.
        rate: highest learning rate.
        frozen: the first so many layers of the backbone keep their weights.
        note: what the progress says about it.
    """

    epochs: int
    rate: float
    frozen: int
    note: str = ""


def _phase_of(epoch: int, settings: TrainingSettings) -> _Phase:
    """Return the phase of an epoch, counted from 0: the backbone frozen, then unfrozen."""
    if epoch < settings.frozen_epochs:
        rate = settings.learning_rate * settings.frozen_rate
        return _Phase(settings.frozen_epochs, rate, BACKBONE_LAYERS, ", backbone frozen")
    return _Phase(settings.epochs - settings.frozen_epochs, settings.learning_rate, settings.frozen)


def _to_go(history: Sequence[EpochResult], settings: TrainingSettings) -> str:
    """Say how many minutes are left, as far as the epochs before tell."""
    if not history:
        return ""
    left_s = sum(
        next(
            (r.seconds for r in reversed(history) if _alike(r.epoch - 1, epoch, settings)),
            history[-1].seconds,
        )
        for epoch in range(len(history), settings.epochs)
    )
    return f", {max(1, math.ceil(left_s / 60))} min to go"


def _alike(a: int, b: int, settings: TrainingSettings) -> bool:
    return _phase_of(a, settings) == _phase_of(b, settings)


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let the model hold the running average of its weights inside the block."""
    current = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, current, strict=True):
            variable.assign(value)


def _compiled(
    network: keras.Model, settings: TrainingSettings, phase: _Phase, steps_per_epoch: int
) -> TrainingModel:
    for number in range(1, BACKBONE_LAYERS + 1):
        network.get_layer(f"conv{number}").trainable = number > phase.frozen
    model = TrainingModel(network)
    steps = phase.epochs * steps_per_epoch
    warm_up = round(steps * settings.warm_up_share)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm_up else phase.rate,
        max(1, steps - warm_up),
        alpha=settings.final_share,
        warmup_target=phase.rate if warm_up else None,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=settings.weight_decay,
        global_clipnorm=10.0,  # a batch with one strange box must not undo an epoch
        use_ema=True,
        ema_momentum=min(settings.average, max(0.0, 1 - AVERAGED_PARTS / max(1, steps))),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, jit_compile=False)  # XLA took 1.5 times as long (decisions/detector)
    model.build((None, None, None, 3))
    optimizer.build(model.trainable_variables)
    return model


def _train_epoch(model: TrainingModel, batches: Any) -> float:
    """Return the mean loss of one epoch."""
    losses = []
    for batch in batches:
        losses.append(float(model.train_on_batch(batch.images, _targets(batch))))
        if not np.isfinite(losses[-1]):
            raise DriveError(
                f"the loss is no longer a number at step {len(losses)} of the epoch; "
                "train with a smaller --learning-rate"
            )
    return float(np.mean(losses))


def _validation_loss(model: TrainingModel, dataset: LabelledImages, batch: int) -> float:
    """Return the mean loss over pictures as detection sees them; NaN without any."""
    losses, counts = [], []
    for group in plain_batches(dataset, ANCHORS, TRAINING_SIZES, batch):
        losses.append(float(model.test_on_batch(group.images, _targets(group))))
        counts.append(len(group.images))
    return float(np.average(losses, weights=counts)) if losses else float("nan")


def _targets(batch: Batch) -> list[np.ndarray]:
    return batch.targets


def _checkpointed_epochs(folder: Path, settings: Mapping[str, Any]) -> int:
    """Return the finished epochs that the checkpoint says; check that it is of this training."""
    import h5py  # type: ignore[import-untyped]  # comes with keras

    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        raise InputError(f"nothing to resume: no {CHECKPOINT} in the folder; received: {folder}")
    before = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    changed = [name for name, value in settings.items() if before.get(name) != value]
    if changed:
        raise InputError(
            f"{folder}: a training goes on with the settings it began with; expected "
            f"{ {name: before.get(name) for name in changed} }; "
            f"received: { {name: settings[name] for name in changed} }"
        )
    try:
        with h5py.File(checkpoint) as file:
            return int(file.attrs[EPOCHS_DONE])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{checkpoint}: a checkpoint of train-detector expected; received: {error}"
        ) from error


def _save_checkpoint(model: TrainingModel, path: Path, epochs: int) -> None:
    """Write weights, averages, optimiser and how many epochs are done, whole or not at all."""
    import h5py

    part = path.with_name(f"part.{path.name}")  # Keras insists on the suffix
    model.save_weights(part)
    with h5py.File(part, "a") as file:
        file.attrs[EPOCHS_DONE] = epochs
    part.replace(path)


def _write_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    with atomic(folder / SETTINGS) as part:
        part.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
