"""What is special to the training of the steering network; `drive.training.fit` has the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from drive.core.progress import Progress, no_progress
from drive.results.names import CHECKPOINT
from drive.runtime.keras_file import load_model, save_model
from drive.steering import backbone
from drive.steering.dataset import Batch, Samples, TrainingBatches
from drive.steering.depth_rate import DepthAdadelta, DepthAdam
from drive.steering.evaluate import Predictions
from drive.steering.network import build_network
from drive.steering.split import Part, Split
from drive.steering.start import convolution_rates, load_convolutions
from drive.steering.state import check_resumable, fingerprint
from drive.steering.training_settings import RANDOM, SHIPPED_START, TrainingSettings
from drive.training.fit import OnEpoch, fit
from drive.training.fit import TrainingResult as TrainingResult
from drive.training.schedule import learning_rates
from drive.training.state import STATE
from drive.training.tensorboard import load_tensorflow

BEST = f"{CHECKPOINT}/best.keras"
FEWEST_AVERAGED_STEPS = 10
SMALLEST_SCALE_DEG = 0.1
CLIP_NORM = 2.0
"""Norm to which gradients are clipped, of a loss in squared standard deviations of the angles."""

PROBE_FRAMES = 128
"""Frames of the batch whose gradients TensorBoard shows."""


class SteeringCourse:
    """What `drive.training.fit` trains: the steering network on the frames of a split."""

    best = BEST

    def __init__(
        self, split: Split, settings: TrainingSettings, start: keras.Model | None = None
    ) -> None:
        self.samples, self.validation = Samples(split.training), Samples(split.validation)
        self.batches = TrainingBatches(self.samples, settings)
        settings = settings.for_frames(len(self.batches.chosen(0)))
        self.settings, self.epochs = settings, settings.planned_epochs
        self.patience = settings.patience or 0
        self.frozen_epochs = settings.frozen_epochs if settings.backbone else 0
        self.network = start or new_network(settings, self.samples.angle_deg)
        self.rate = learning_rates(
            settings.schedule,
            settings.rate,
            len(self.batches),
            self.epochs,
            restart_epochs=settings.restart_epochs,
            restart_factor=settings.restart_factor,
            warm_up=settings.warm_up,
        )

    def compiled(self, frozen: bool) -> keras.Model:
        """Return the network, ready to train; if `frozen`, only the layers above the backbone."""
        settings = self.settings
        if settings.backbone and frozen:
            backbone.freeze(self.network, settings.backbone)
        elif settings.backbone:
            backbone.thaw(
                self.network, settings.backbone, pretrained=settings.backbone_weights != RANDOM
            )
        compile_network(self.network, settings, len(self.batches))
        return self.network

    def validation_loss(self, model: keras.Model) -> float | None:
        """Return the mean squared error on the validation frames, in degrees squared."""
        return mean_squared_error(model, self.validation) if len(self.validation) else None

    def save_best(self, model: keras.Model, path: Path) -> None:
        """Write the network."""
        save_model(model, path, {})

    def probe(self) -> Batch:
        """Return evenly spaced training frames, unaugmented, for TensorBoard."""
        spaced = np.linspace(0, len(self.samples) - 1, PROBE_FRAMES).astype(np.int64)
        return self.samples.batch(np.unique(spaced))


def train_steering(
    split: Split,
    folder: Path,
    settings: TrainingSettings,
    *,
    start: keras.Model | None = None,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    on_epoch: OnEpoch | None = None,
) -> TrainingResult:
    """Train a network; write `history.csv` and `checkpoint/` (state and best epoch).

    To resume, only settings in `CHANGEABLE` may differ. `notes`, as JSON, come back from
    `read_state`. `on_epoch` is called when an epoch is on disk; what it raises ends the training.
    """
    keras.utils.set_random_seed(settings.seed)
    if settings.tensorboard:
        load_tensorflow()
    frames = fingerprint(split)
    about = {"settings": asdict(settings), "notes": {**(notes or {}), "frames": frames}}
    if resume:
        check_resumable(folder, settings, frames)
        start = load_model(folder / STATE)
    course = SteeringCourse(split, settings, start)
    probe = course.probe() if settings.tensorboard else None
    return fit(
        course, folder, about, resume=resume, probe=probe, progress=progress, on_epoch=on_epoch
    )


def new_network(settings: TrainingSettings, angle_deg: np.ndarray) -> keras.Model:
    """Build the network of `settings` for training frames with these angles."""
    model = _build(settings, target_scale_deg(angle_deg))
    if settings.backbone:
        path = backbone.find_weights(settings.backbone, settings.backbone_weights)
        if path:
            backbone.load_backbone(model, settings.backbone, path)
    elif settings.start == SHIPPED_START:
        load_convolutions(model)
    return model


def rebuild_network(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """Return the network with the same weights, but the dropout and L2 of `settings`."""
    network = _build(settings, float(model.get_layer("degrees").scale))
    network.set_weights(model.get_weights())
    return network


def _build(settings: TrainingSettings, scale_deg: float) -> keras.Model:
    how: dict[str, Any] = {"dropout": settings.dropout, "l2": settings.l2}
    if settings.backbone:
        return backbone.build_transfer(settings.backbone, scale_deg, **how)
    return build_network(settings.variant, scale_deg, batch_norm=bool(settings.batch_norm), **how)


def target_scale_deg(angle_deg: np.ndarray) -> float:
    """Return the degrees that 1.0 of the last dense layer means: the spread of the angles."""
    return max(SMALLEST_SCALE_DEG, float(np.std(angle_deg, dtype=np.float64)))


def predict_samples(model: keras.Model, samples: Samples) -> np.ndarray:
    """Return (N,) float32 degrees of the model for every frame, in order."""
    angles = [model.predict_on_batch(b.images).reshape(-1) for b in samples.plain_batches()]
    return np.concatenate(angles) if angles else np.zeros(0, np.float32)


def mean_squared_error(model: keras.Model, samples: Samples) -> float:
    """Return the mean squared error over all frames, in degrees squared."""
    error = predict_samples(model, samples).astype(np.float64) - samples.angle_deg
    return float(np.mean(error**2))


def predictions_for(model: keras.Model, parts: Sequence[Part]) -> list[Predictions]:
    """Return the model's angles for parts of recordings, beside the recorded ones."""
    found = []
    for part in parts:
        one, angle_deg = part.recording, predict_samples(model, Samples([part]))
        frames = one.frame_index[part.rows], one.time_s[part.rows]
        found.append(Predictions(one.name, *frames, angle_deg, part.angle_deg))
    return found


def compile_network(model: keras.Model, settings: TrainingSettings, steps_per_epoch: int) -> None:
    """Give the model an optimiser that averages the weights over about one epoch of steps."""
    kinds = {"adam": keras.optimizers.Adam, "adadelta": keras.optimizers.Adadelta}
    more: dict[str, Any] = {"weight_decay": settings.weight_decay or None}
    if settings.clip:
        more["global_clipnorm"] = CLIP_NORM * float(model.get_layer("degrees").scale) ** 2
    factors = _rate_factors(model, settings)
    if factors:
        kinds = {"adam": DepthAdam, "adadelta": DepthAdadelta}
        more["rate_factors"] = factors
    momentum = 1 - 1 / max(FEWEST_AVERAGED_STEPS, steps_per_epoch)
    optimizer = kinds[settings.optimizer](
        settings.rate, use_ema=True, ema_momentum=momentum, **more
    )
    model.compile(optimizer, loss="mse", jit_compile=False)  # XLA is slower here on a CPU
    optimizer.build(model.trainable_variables)


def _rate_factors(model: keras.Model, settings: TrainingSettings) -> dict[str, float]:
    """Return the factor of the learning rate of pretrained layers, by name."""
    if settings.backbone:
        return backbone.rate_factors(model, settings.backbone, settings.depth_rate)
    return convolution_rates(model) if settings.start == SHIPPED_START else {}
