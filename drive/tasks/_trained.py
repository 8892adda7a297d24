"""A steering network that was trained (alone or in an ensemble): its errors and its files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.drawing.plots import plot_loss
from drive.results.names import HISTORY, LOSS_PLOT, PREDICTIONS
from drive.results.run_folder import RunFolder
from drive.results.table import write_by_recording
from drive.results.verdict import Verdict
from drive.steering.dataset import PLAIN_BATCH, Samples, TrainingBatches
from drive.steering.evaluate import (
    TrainingMetrics,
    as_table,
    by_recording,
    evaluate_split,
    explained_share,
    in_one_row,
)
from drive.steering.evidence import training_evidence
from drive.steering.model_file import KERAS_FILE, describe, describe_quality, save_trained
from drive.steering.network import fold_batch_norm
from drive.steering.split import Split
from drive.steering.target import describe_target
from drive.steering.train import predictions_for
from drive.steering.training_settings import TrainingSettings
from drive.steering.verdict import judge_training
from drive.tasks._run import Run
from drive.tasks._steering import plot_angles
from drive.tasks._training_report import LOSS_UNIT, note_steering
from drive.training.fit import TrainingResult

if TYPE_CHECKING:
    import keras

PROBED_FRAMES = 512
"""Training frames that tell whether the network has learnt them: a second of work."""

LEVELS = (("always straight ahead", "zero"), ("mean angle", "mean"))
LOSS_AXIS = f"mean squared error [{LOSS_UNIT}]"


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network (or an ensemble) that was trained, its errors and its files.

    Of an ensemble, the fields of a single training and `history` and `loss` are None.
    """

    epochs: int | None = None
    stopped_early: bool | None = None
    best_epoch: int | None = None
    val_loss: float | None = None
    metrics: TrainingMetrics
    verdict: Verdict
    model: Path
    onnx: Path
    history: Path | None = None
    predictions: Path
    loss: Path | None = None
    steering_distribution: Path
    steering_over_time: Path

    def as_json(self) -> dict[str, object]:
        """Return what is known, with the metrics by name."""
        known: dict[str, object] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "metrics":
                known |= value.as_json()
            elif value is not None:
                known[each.name] = value
        return known


def write_trained(
    split: Split,
    result: TrainingResult,
    settings: TrainingSettings,
    crop: str,
    folder: RunFolder,
    run: Run,
    learnable: float | None = None,
) -> TrainedNetwork:
    """Write the network to keep, the predictions and its plots.

    `learnable` is the share that a linear model explains of the training data, cross-validated.
    """
    training, network = Samples(split.training), fold_batch_norm(result.network)
    seen = split.final if result.final else split.training
    names = list(dict.fromkeys(part.recording.name for part in seen))
    metadata = describe(network, settings.variant, crop, training.angle_deg, names)
    metadata |= describe_target(split.training)
    judged = fold_batch_norm(result.model)  # has not seen the validation data
    validated = predictions_for(judged, split.validation)
    tested = predictions_for(network, split.test)
    metrics = evaluate_split(validated, tested, float(metadata["training_mean_deg"]))
    epochs = None if settings.solved else len(result.history)
    own_share = _explained_in_training(judged, training)
    known = training_evidence(split.training, own_share, epochs, learnable)
    verdict = judge_training(metrics, validated, tested, known)
    metadata |= describe_quality(metrics, known, verdict)
    model = folder.file(KERAS_FILE)
    onnx = save_trained(network, model, metadata)
    balanced = training.angle_deg[TrainingBatches(training, replace(settings, fps=0.0)).chosen(0)]
    series = {
        "training data": training.angle_deg,
        **({"training data, balanced": balanced} if settings.balance else {}),
        "validation data": np.concatenate([each.truth_deg for each in validated]),
        "predictions on it": np.concatenate([each.angle_deg for each in validated]),
    }
    shown, parts = (tested, split.test) if tested else (validated, split.validation)
    loss = folder.file(LOSS_PLOT)
    learning = "training, augmented images" if settings.augment else "training"
    straight = {name: getattr(metrics.validation.baselines, key) ** 2 for name, key in LEVELS}
    plot_loss(result.history, loss, loss_axis=LOSS_AXIS, training_name=learning, levels=straight)
    plots = plot_angles(folder, series, *in_one_row(shown))
    write_by_recording(folder.file(PREDICTIONS), by_recording(shown))
    note_steering(run, folder.path, settings, network, parts, shown, series)
    _tell(result, metrics, folder, run)
    return TrainedNetwork(
        epochs=len(result.history),
        stopped_early=result.stopped_early,
        best_epoch=result.best.epoch,
        val_loss=result.best.val_loss,
        metrics=metrics,
        verdict=verdict,
        model=model,
        onnx=onnx,
        history=folder.path / HISTORY,
        predictions=folder.path / PREDICTIONS,
        loss=loss,
        **plots,
    )


def _explained_in_training(network: keras.Model, training: Samples) -> float | None:
    """Return the share that a network explains of its training frames, by evenly spaced ones."""
    spaced = np.unique(np.linspace(0, len(training) - 1, PROBED_FRAMES).astype(np.int64))
    parts = np.array_split(spaced, -(-len(spaced) // PLAIN_BATCH))
    angle = np.concatenate(
        [network.predict_on_batch(training.batch(part).images).reshape(-1) for part in parts]
    )
    truth = training.angle_deg[spaced].astype(np.float64)
    rmse_deg = float(np.sqrt(np.mean((angle - truth) ** 2)))
    return explained_share(rmse_deg, float(np.std(truth)))


def _tell(result: TrainingResult, metrics: TrainingMetrics, folder: RunFolder, run: Run) -> None:
    early = " (stopped early)" if result.stopped_early else ""
    run.message(f"best epoch {result.best.epoch} of {len(result.history)}{early}")
    run.message(as_table(metrics.as_json()))
    run.message(f"model, history and plots -> {folder.path}")
