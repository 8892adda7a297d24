"""Training of the steering network: epochs, early stopping, the best epoch, resuming after a kill.

After every epoch the whole state is on disk (`drive.steering.state`), so a training that is killed
at any moment goes on from its last finished epoch. Knows batches and Keras; not where the data
comes from, nor plots.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from drive.core.errors import DivergedError
from drive.core.progress import Progress, no_progress
from drive.results.history import EpochResult, read_history
from drive.steering.backbone import (
    build_transfer,
    find_weights,
    freeze,
    is_frozen,
    load_backbone,
    rate_factors,
    thaw,
)
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.depth_rate import DepthAdadelta, DepthAdam
from drive.steering.evaluate import Answers
from drive.steering.model_file import load_model, save_model
from drive.steering.network import build_network
from drive.steering.schedule import learning_rates
from drive.steering.split import Part, Split
from drive.steering.state import HISTORY, fingerprint, resume_state, save_state
from drive.steering.tensorboard import EventLog, fixed_batch, load_tensorflow
from drive.steering.training_settings import RANDOM, TrainingSettings

BEST = "checkpoint/best.keras"
FEWEST_AVERAGED_STEPS = 10
SMALLEST_SCALE_DEG = 0.1

CURE = (
    "The training diverged: try a tenth of the --learning-rate (--find-lr suggests one), and look "
    "at the recordings with check-data"
)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """What came out: the averaged weights of the best epoch, and the way there."""

    model: keras.Model
    history: list[EpochResult]
    stopped_early: bool

    @property
    def best(self) -> EpochResult:
        """The epoch with the least validation loss, whose weights `model` has."""
        return min(self.history, key=lambda row: row.val_loss)


def train_steering(
    split: Split,
    folder: Path,
    settings: TrainingSettings,
    *,
    start: keras.Model | None = None,
    resume: bool = False,
    notes: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> TrainingResult:
    """Train a network.

    Writes `history.csv` and the folder `checkpoint` (state and best epoch) into `folder`.

    Args:
        split: frames to learn from, and frames that choose the best epoch.
        folder: of the results.
        settings: how to train; resumed, only `epochs` and `patience` may differ from before.
        start: a network to go on from; None for random weights.
        resume: go on from the state in `folder`.
        notes: what the caller wants back from `read_state` when it resumes; JSON.
        progress: shows each epoch.
        on_epoch: called with each finished epoch, its state on disk; what it raises ends all.

    Raises:
        InputError: nothing to resume, other settings or other frames than before, no frames.
        DivergedError: the loss, or the validation loss, is no longer a number.
    """
    keras.utils.set_random_seed(settings.seed)
    training, validation = Samples(split.training), Samples(split.validation)
    batches = training_batches(training, settings)
    if settings.tensorboard:
        load_tensorflow()
    about = {**(notes or {}), "frames": fingerprint(split)}
    if resume:
        model, history = resume_state(folder, settings, about)
    else:
        model = ready_network(settings, training.angle_deg, len(batches), start)
        history = []
        save_state(model, folder, settings, history, about)
    rate_at = scheduled_rates(settings, len(batches))
    log = None
    if settings.tensorboard:
        log = EventLog(folder, len(history) + 1, fixed_batch(training))
    while len(history) < settings.epochs and not _should_stop(history, settings):
        began = time.perf_counter()
        epoch = len(history)
        if _thaws(model, epoch, settings):
            compile_network(model, settings, len(batches))
        label = f"epoch {epoch + 1}/{settings.epochs}"
        rates = [rate_at(epoch * len(batches) + i) for i in range(len(batches))]
        loss = train_epoch(model, progress(batches.epoch(epoch), len(batches), label), rates)
        with averaged_weights(model):
            val_loss = mean_squared_error(model, validation)
            if not math.isfinite(val_loss):
                raise DivergedError(f"No finite validation loss in epoch {epoch + 1}. {CURE}")
            if val_loss < min((row.val_loss for row in history), default=math.inf):
                save_model(model, folder / BEST, {})
        seconds = time.perf_counter() - began
        rate = math.fsum(rates) / len(rates)
        history.append(EpochResult(epoch + 1, loss, val_loss, rate, seconds))
        if log:
            log.write_epoch(model, history[-1])
        save_state(model, folder, settings, history, about)
        if on_epoch:
            on_epoch(history[-1])
    if log:
        log.close()
    return TrainingResult(load_model(folder / BEST), history, _should_stop(history, settings))


def kept_result(folder: Path) -> TrainingResult | None:
    """What a training that diverged leaves in its folder; None where no epoch ended well before."""
    history = read_history(folder / HISTORY)
    if not history:
        return None
    return TrainingResult(load_model(folder / BEST), history, stopped_early=False)


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let the model hold the running average of its weights inside the block.

    From step to step the answers on an unseen road drift as a whole to one side and back, by more
    than a degree; the average over an epoch's steps drifts far less (docs/decisions/steering.md).
    """
    current = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        model.set_weights(current)


def training_batches(samples: Samples, settings: TrainingSettings) -> TrainingBatches:
    """The batches that `settings` ask for."""
    return TrainingBatches(
        samples,
        settings.batch,
        settings.seed,
        balance=settings.balance,
        vary=settings.augment,
        move=settings.viewpoints,
        mirror=settings.mirror,
        looks=settings.looks,
        return_s=settings.return_s,
        fps=settings.fps,
    )


def ready_network(
    settings: TrainingSettings,
    angle_deg: np.ndarray,
    steps_per_epoch: int,
    start: keras.Model | None = None,
) -> keras.Model:
    """The network as it begins to train, with its optimiser: `start`, or a new one."""
    model = start or new_network(settings, angle_deg)
    if settings.backbone:
        freeze(model, settings.backbone)
        _thaws(model, 0, settings)
    compile_network(model, settings, steps_per_epoch)
    return model


def new_network(settings: TrainingSettings, angle_deg: np.ndarray) -> keras.Model:
    """Build the network that `settings` ask for, for training frames with these angles."""
    model = _build(settings, target_scale_deg(angle_deg))
    if settings.backbone:
        path = find_weights(settings.backbone, settings.backbone_weights)
        if path:
            load_backbone(model, settings.backbone, path)
    return model


def rebuild_network(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """The same network with the same weights, but the dropout and L2 that `settings` ask for."""
    network = _build(settings, float(model.get_layer("degrees").scale))
    network.set_weights(model.get_weights())
    return network


def _build(settings: TrainingSettings, scale_deg: float) -> keras.Model:
    how: dict[str, Any] = {"dropout": settings.dropout, "l2": settings.l2}
    if settings.backbone:
        return build_transfer(settings.backbone, scale_deg, **how)
    return build_network(settings.variant, scale_deg, batch_norm=bool(settings.batch_norm), **how)


def scheduled_rates(settings: TrainingSettings, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate of each step, counted from 0 over all epochs."""
    return learning_rates(
        settings.schedule,
        settings.rate,
        steps_per_epoch,
        settings.epochs,
        restart_epochs=settings.restart_epochs,
        restart_factor=settings.restart_factor,
        warm_up=settings.warm_up,
    )


def target_scale_deg(angle_deg: np.ndarray) -> float:
    """Degrees that 1.0 of the network's last dense layer stands for: the spread of the angles."""
    return max(SMALLEST_SCALE_DEG, float(np.std(angle_deg, dtype=np.float64)))


def predict_samples(model: keras.Model, samples: Samples) -> np.ndarray:
    """(N,) float32 degrees of the model for every frame, in order."""
    answers = [model.predict_on_batch(b.images).reshape(-1) for b in samples.plain_batches()]
    return np.concatenate(answers) if answers else np.zeros(0, np.float32)


def mean_squared_error(model: keras.Model, samples: Samples) -> float:
    """Mean squared error over all frames, degrees squared."""
    error = predict_samples(model, samples).astype(np.float64) - samples.angle_deg
    return float(np.mean(error**2))


def answers_for(model: keras.Model, parts: Sequence[Part]) -> list[Answers]:
    """The model's angles for some parts of drives, beside the truth."""
    return [
        Answers(
            part.drive.name,
            part.drive.frame_index[part.rows],
            part.drive.time_s[part.rows],
            predict_samples(model, Samples([part])),
            part.angle_deg,
        )
        for part in parts
    ]


def train_epoch(model: keras.Model, batches: Any, rates: Sequence[float]) -> float:
    """Take one step a batch, each at its rate; return the mean loss over the epoch's frames."""
    losses, counts, rate = [], [], math.nan
    for batch, wanted in zip(batches, rates, strict=True):
        if wanted != rate:
            model.optimizer.learning_rate = rate = wanted
        losses.append(float(model.train_on_batch(batch.images, batch.angle_deg[:, None])))
        counts.append(len(batch.images))
        if not math.isfinite(losses[-1]):
            raise DivergedError(f"The loss is no number at step {len(losses)} of the epoch. {CURE}")
    return float(np.average(losses, weights=counts))


def _should_stop(history: Sequence[EpochResult], settings: TrainingSettings) -> bool:
    """Whether `patience` epochs have passed since the best one, or since the backbone's thaw."""
    if not history or not settings.patience:
        return False
    since = int(np.argmin([row.val_loss for row in history]))
    if settings.backbone:
        since = max(since, settings.frozen_epochs)
    return len(history) - 1 - since >= settings.patience


def _thaws(model: keras.Model, epoch: int, settings: TrainingSettings) -> bool:
    """Let the backbone learn from the epoch on in which it shall; say if that changed anything."""
    name = settings.backbone
    if name is None or epoch < settings.frozen_epochs or not is_frozen(model, name):
        return False
    thaw(model, name, pretrained=settings.backbone_weights != RANDOM)
    return True


def compile_network(model: keras.Model, settings: TrainingSettings, steps_per_epoch: int) -> None:
    """Give the model an optimiser that also averages the weights over about one epoch of steps."""
    kinds = {"adam": keras.optimizers.Adam, "adadelta": keras.optimizers.Adadelta}
    more: dict[str, Any] = {}
    if settings.backbone:
        kinds = {"adam": DepthAdam, "adadelta": DepthAdadelta}
        more["rate_factors"] = rate_factors(model, settings.backbone, settings.depth_rate)
    momentum = 1 - 1 / max(FEWEST_AVERAGED_STEPS, steps_per_epoch)
    optimizer = kinds[settings.optimizer](
        settings.rate, use_ema=True, ema_momentum=momentum, **more
    )
    model.compile(optimizer, loss="mse", jit_compile=False)  # XLA is slower here on a processor
    optimizer.build(model.trainable_variables)
