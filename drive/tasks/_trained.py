"""A steering network that was trained (alone or in an ensemble): its errors and its files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from drive.drawing.plots import plot_loss
from drive.results.names import HISTORY, LOSS_PLOT, PREDICTIONS
from drive.results.run_folder import RunFolder
from drive.results.table import write_by_recording
from drive.steering.dataset import Samples, TrainingBatches
from drive.steering.evaluate import (
    TrainingMetrics,
    as_table,
    by_recording,
    evaluate_split,
    in_one_row,
)
from drive.steering.model_file import KERAS_FILE, describe, save_trained
from drive.steering.network import fold_batch_norm
from drive.steering.split import Split
from drive.steering.target import describe_target
from drive.steering.train import predictions_for
from drive.steering.training_settings import TrainingSettings
from drive.tasks._run import Run
from drive.tasks._steering import plot_angles
from drive.tasks._training_report import LOSS_UNIT, note_steering, warn_of_uselessness
from drive.training.fit import TrainingResult

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
) -> TrainedNetwork:
    """Write the network of the best epoch, its predictions and its plots."""
    training, network = Samples(split.training), fold_batch_norm(result.model)
    names = [part.recording.name for part in split.training]
    metadata = describe(network, settings.variant, crop, training.angle_deg, names)
    metadata |= describe_target(split.training)
    model = folder.file(KERAS_FILE)
    onnx = save_trained(network, model, metadata)
    judged = fold_batch_norm(result.model)  # has not seen the validation data
    validated = predictions_for(judged, split.validation)
    tested = predictions_for(network, split.test)
    metrics = evaluate_split(validated, tested, float(metadata["training_mean_deg"]))
    batches = TrainingBatches(training, replace(settings, fps=0.0))
    series = {
        "training data": training.angle_deg,
        "training data, balanced": training.angle_deg[batches.chosen(0)],
        "validation data": np.concatenate([each.truth_deg for each in validated]),
        "predictions on it": np.concatenate([each.angle_deg for each in validated]),
    }
    shown, parts = (tested, split.test) if tested else (validated, split.validation)
    loss = folder.file(LOSS_PLOT)
    learning = "training, augmented images" if settings.augment else "training"
    plot_loss(result.history, loss, loss_axis=LOSS_AXIS, training_name=learning)
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
        model=model,
        onnx=onnx,
        history=folder.path / HISTORY,
        predictions=folder.path / PREDICTIONS,
        loss=loss,
        **plots,
    )


def _tell(result: TrainingResult, metrics: TrainingMetrics, folder: RunFolder, run: Run) -> None:
    early = " (stopped early)" if result.stopped_early else ""
    run.message(f"best epoch {result.best.epoch} of {len(result.history)}{early}")
    run.message(as_table(metrics.as_json()))
    warn_of_uselessness(metrics.validation, run)
    if metrics.validation.hardly_varies:
        run.warn(metrics.validation.flat_text)
    run.message(f"model, history and plots -> {folder.path}")
