"""Training of tiny-yolo-drive: epochs, learning rate, averaged weights, checkpoints, history.

Knows batches, the loss and Keras; not where the data comes from and not the command line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from drive.cars.batches import Batch, TrainingBatches, plain_batches
from drive.cars.dataset import LabelledImages
from drive.cars.loss import detection_loss
from drive.cars.tiny_yolo_drive import ANCHORS, STRIDES
from drive.cars.training_settings import TrainingSettings
from drive.errors import DriveError, InputError
from drive.files import atomic
from drive.history import EpochResult, read_history, write_history
from drive.progress import Progress, no_progress

TRAINING_SIZES = ((416, 416), (320, 512), (256, 640))
"""Height and width of the batches: about the same number of pixels, from pictures to roads."""

CHECKPOINT = "checkpoint.weights.h5"  # everything to go on with: weights, averages, optimiser
BEST = "detector.keras"  # averaged weights of the epoch with the least validation loss
BACKBONE_LAYERS = 7
HISTORY = "history.csv"
SETTINGS = "training.json"


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
        """Return the detection loss; `y` is the targets of each head, then the truth."""
        *targets, truth = y
        return detection_loss(y_pred, targets, truth, self.anchors)


def train_detector(
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    folder: Path,
    settings: TrainingSettings,
    resume: bool = False,
    progress: Progress = no_progress,
) -> list[EpochResult]:
    """Train a network and leave the averaged weights of the best epoch in it.

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

    Returns:
        The history, earlier parts included.

    Raises:
        InputError: there is no checkpoint to resume from, or it was made with other settings.
        DriveError: the loss is no longer a number.
    """
    batches = TrainingBatches(training, ANCHORS, TRAINING_SIZES, settings.batch, settings.seed)
    model = _compiled(network, settings, len(batches))
    history = _resume(model, folder, settings, len(batches)) if resume else []
    _write_settings(folder, settings)
    for epoch in range(len(history), settings.epochs):
        start = time.perf_counter()
        steps = progress(batches.epoch(epoch), len(batches), f"epoch {epoch + 1}/{settings.epochs}")
        loss = _train_epoch(model, steps)
        with averaged_weights(model):
            val_loss = _validation_loss(model, validation, settings.batch)
            if not history or not val_loss >= min(row.val_loss for row in history):
                with atomic(folder / BEST) as part:
                    network.save(part)
        seconds = time.perf_counter() - start
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        history.append(EpochResult(epoch + 1, loss, val_loss, rate, seconds))
        write_history(folder / HISTORY, history)
        _save_checkpoint(model, folder / CHECKPOINT)  # last: it decides how far a resumed one is
    network.set_weights(keras.saving.load_model(folder / BEST, compile=False).get_weights())
    return history


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
    network: keras.Model, settings: TrainingSettings, steps_per_epoch: int
) -> TrainingModel:
    for number in range(1, BACKBONE_LAYERS + 1):
        network.get_layer(f"conv{number}").trainable = number > settings.frozen
    model = TrainingModel(network)
    steps = settings.epochs * steps_per_epoch
    warm_up = round(steps * settings.warm_up_share)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm_up else settings.learning_rate,
        max(1, steps - warm_up),
        alpha=settings.final_share,
        warmup_target=settings.learning_rate if warm_up else None,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=settings.weight_decay,
        global_clipnorm=10.0,  # a batch with one strange box must not undo an epoch
        use_ema=True,
        ema_momentum=settings.average,
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
    return [*batch.targets, batch.truth]


def _resume(
    model: TrainingModel, folder: Path, settings: TrainingSettings, steps_per_epoch: int
) -> list[EpochResult]:
    """Load the checkpoint; return the history that belongs to it."""
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        raise InputError(f"nothing to resume: no {CHECKPOINT} in the folder; received: {folder}")
    before = _read_settings(folder)
    if before != asdict(settings):
        raise InputError(
            f"{folder}: a training goes on with the settings it began with; expected {before}; "
            f"received: {asdict(settings)}"
        )
    model.load_weights(checkpoint)
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    return read_history(folder / HISTORY)[: steps // steps_per_epoch]


def _save_checkpoint(model: TrainingModel, path: Path) -> None:
    """Write weights, averages and optimiser, whole or not at all (Keras insists on the suffix)."""
    part = path.with_name(f"part.{path.name}")
    model.save_weights(part)
    part.replace(path)


def _write_settings(folder: Path, settings: TrainingSettings) -> None:
    with atomic(folder / SETTINGS) as part:
        part.write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def _read_settings(folder: Path) -> Mapping[str, Any]:
    return json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
