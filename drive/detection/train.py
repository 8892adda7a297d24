"""Training of tiny-yolo-drive: its batches, its loss, its optimiser, its two phases.

Necks and heads train first, on a frozen backbone that new heads could spoil. Each phase has its
own warm-up, cosine and average; the second begins with the averaged weights of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from drive.core.progress import Progress, no_progress
from drive.detection.batches import Batch, TrainingBatches, plain_batches
from drive.detection.dataset import LabelledImages
from drive.detection.loss import Tensor, detection_loss
from drive.detection.old_checkpoint import convert_old_checkpoint
from drive.detection.schedule import sample
from drive.detection.tiny_yolo_drive import ANCHORS, STRIDES
from drive.detection.training_settings import BACKBONE_LAYERS, TrainingSettings
from drive.results.names import DETECTOR_KERAS
from drive.runtime.keras_file import save_model
from drive.training.fit import OnEpoch, TrainingResult, fit
from drive.training.state import check_unchanged, read_state
from drive.training.tensorboard import load_tensorflow

TRAINING_SIZES = ((416, 416), (320, 512), (288, 640))  # (height, width) of the batches
BEST = DETECTOR_KERAS

CHANGEABLE = tuple(TrainingSettings.resumable())

WARM_UP_SHARE = 0.05  # of a phase's steps, in which the learning rate rises from 0
FINAL_SHARE = 0.02  # of the learning rate, left at the end of a phase
FROZEN_RATE = 4.0  # learning rate of the frozen phase, as a multiple of the setting
WEIGHT_DECAY = 1e-4
AVERAGE = 0.998  # highest momentum of the running average of the weights
AVERAGED_PARTS = 4  # the average spans at most this fraction of a phase
LARGEST_GRADIENT = 10.0  # norm to clip at: a batch with one odd box must not undo an epoch


@keras.saving.register_keras_serializable(package="drive")
class TrainingModel(keras.Model):
    """The network with the detection loss; its targets are those of a `Batch`."""

    def __init__(self, network: keras.Model, **settings: Any) -> None:
        super().__init__(**{"name": "training", **settings})
        self.network = network
        self.anchors = {stride: ANCHORS[stride] for stride in STRIDES}

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Return the raw heads."""
        return self.network(images, training=training)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Return the detection loss; `y` is the targets of each head."""
        return detection_loss(y_pred, y, self.anchors)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {"network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the model of a config, with random weights."""
        model = cls(keras.saving.deserialize_keras_object(config["network"]))
        model.build((None, None, None, 3))
        return model


@dataclass(frozen=True, slots=True)
class _Phase:
    """A part of the training: its steps, its highest learning rate, its frozen convolutions."""

    steps: int
    highest_rate: float
    frozen_layers: int

    def schedule(self) -> keras.optimizers.schedules.CosineDecay:
        """Return Keras' own cosine: another rounding changed the losses of epoch 3 by 0.7 %."""
        warm_up = round(self.steps * WARM_UP_SHARE)
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warm_up else self.highest_rate,
            max(1, self.steps - warm_up),
            alpha=FINAL_SHARE,
            warmup_target=self.highest_rate if warm_up else None,
            warmup_steps=warm_up,
        )


class DetectorCourse:
    """What `drive.training.fit` trains: the detector, from the weights of `network`.

    `validation` selects the best epoch and may be empty.
    """

    best = BEST

    def __init__(
        self,
        network: keras.Model,
        training: LabelledImages,
        validation: LabelledImages,
        settings: TrainingSettings,
    ) -> None:
        self.network, self.validation, self.settings = network, validation, settings
        self.epochs, self.patience = settings.epochs, settings.patience
        self.frozen_epochs = settings.frozen
        self.training = training
        self.batches = TrainingBatches(
            training, ANCHORS, TRAINING_SIZES, settings.batch, settings.seed
        )
        self._frozen_steps = self.frozen_epochs * len(self.batches)
        self._schedules = {frozen: self._phase(frozen).schedule() for frozen in (True, False)}
        self._model: TrainingModel | None = None

    def compiled(self, frozen: bool) -> TrainingModel:
        """Return the model of a phase; the second begins with the averages of the first."""
        if self._model:
            self._model.optimizer.finalize_variable_values(self._model.trainable_variables)
        phase = self._phase(frozen)
        for number in range(1, BACKBONE_LAYERS + 1):
            self.network.get_layer(f"conv{number}").trainable = number > phase.frozen_layers
        self._model = TrainingModel(self.network)
        optimizer = keras.optimizers.AdamW(
            phase.highest_rate,
            weight_decay=WEIGHT_DECAY,
            global_clipnorm=LARGEST_GRADIENT,
            use_ema=True,
            ema_momentum=min(AVERAGE, max(0.0, 1 - AVERAGED_PARTS / max(1, phase.steps))),
        )
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        self._model.compile(optimizer, jit_compile=False)  # XLA took 1.5 times as long
        self._model.build((None, None, None, 3))
        optimizer.build(self._model.trainable_variables)
        return self._model

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0 over all epochs."""
        frozen = step < self._frozen_steps
        own_step = step if frozen else step - self._frozen_steps
        return float(keras.ops.convert_to_numpy(self._schedules[frozen](own_step)))

    def validation_loss(self, model: keras.Model) -> float | None:
        """Return the mean loss over the validation images as detection sees them."""
        losses, counts = [], []
        for batch in plain_batches(self.validation, ANCHORS, TRAINING_SIZES, self.settings.batch):
            losses.append(float(model.test_on_batch(batch.images, batch.targets)))
            counts.append(len(batch.images))
        return float(np.average(losses, weights=counts)) if losses else None

    def save_best(self, model: TrainingModel, path: Path) -> None:
        """Write the network without the loss."""
        save_model(model.network, path, {})

    def probe(self) -> Batch:
        """Return evenly spaced training images, unaugmented, for TensorBoard."""
        images = sample(self.training, self.batches.batch)
        return next(plain_batches(images, ANCHORS, TRAINING_SIZES, self.batches.batch))

    def _phase(self, frozen: bool) -> _Phase:
        if frozen:
            rate = self.settings.learning_rate * FROZEN_RATE
            return _Phase(self._frozen_steps, rate, BACKBONE_LAYERS)
        steps = self.epochs * len(self.batches) - self._frozen_steps
        return _Phase(steps, self.settings.learning_rate, self.settings.freeze)


def train_detector(  # noqa: PLR0913
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    folder: Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    on_epoch: OnEpoch | None = None,
) -> TrainingResult:
    """Train a network; write `detector.keras` (best epoch), `history.csv` and `checkpoint/`.

    Args:
        network: of `build_tiny_yolo_drive`, with the weights to begin from.
        validation: selects the best epoch; if empty, the last epoch is the best.
        settings: how to train; to resume, only those in `CHANGEABLE` may differ from before.
        resume: continue from the state in `folder`, of this version or version 0.1.
        notes: what `read_state` returns to a caller that resumes; JSON.
        on_epoch: called after each epoch, its state on disk; what it raises ends the training.

    Raises:
        InputError: nothing to resume, other settings or images than before, or no images.
        DivergedError: the loss, or the validation loss, is not finite.
    """
    if settings.tensorboard:
        load_tensorflow()
    course = DetectorCourse(network, training, validation, settings)
    now = {**settings.settings(), "classes": list(training.classes), "images": len(training.images)}
    about = {"settings": now, "notes": dict(notes or {})}
    if resume:
        convert_old_checkpoint(folder, course)
        check_unchanged(folder, read_state(folder).about["settings"], now, CHANGEABLE)
    probe = course.probe() if settings.tensorboard else None
    return fit(
        course, folder, about, resume=resume, probe=probe, progress=progress, on_epoch=on_epoch
    )
