"""A steering network that was trained: its errors and its files.

Shared by the trainings of one network and of an ensemble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from drive.tasks._run import Run
from drive.tasks._training_report import LOSS_UNIT, note_steering, warn_of_uselessness

if TYPE_CHECKING:
    import numpy as np

    from drive.results.run_folder import RunFolder
    from drive.steering.evaluate import Predictions, TrainingMetrics
    from drive.steering.split import Split
    from drive.steering.training_settings import TrainingSettings
    from drive.training.fit import TrainingResult

LOSS_AXIS = f"mean squared error [{LOSS_UNIT}]"


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network (or an ensemble) that was trained, its errors and its files.

    Attributes:
        epochs, stopped_early, best_epoch, val_loss: of the training; None for an ensemble.
        metrics: errors of the best epoch.
        model, onnx: the network in both formats.
        history: `history.csv`; None for an ensemble.
        predictions: `predictions.csv`, predicted and recorded angles.
        loss, steering_distribution, steering_over_time: plots.
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
    import numpy as np

    from drive.results.names import HISTORY, PREDICTIONS
    from drive.results.steering import write_predictions
    from drive.steering.dataset import Samples, TrainingBatches
    from drive.steering.evaluate import by_recording, evaluate_split
    from drive.steering.model_file import KERAS_FILE, describe, save_trained
    from drive.steering.network import fold_batch_norm
    from drive.steering.target import describe_target
    from drive.steering.train import predictions_for

    training, network = Samples(split.training), fold_batch_norm(result.model)
    names = [part.recording.name for part in split.training]
    metadata = describe(network, settings.variant, crop, training.angle_deg, names)
    metadata |= describe_target(split.training)
    model = folder.file(KERAS_FILE)
    onnx = save_trained(network, model, metadata)
    validated, tested = (predictions_for(network, part) for part in (split.validation, split.test))
    metrics = evaluate_split(validated, tested, float(metadata["training_mean_deg"]))
    batches = TrainingBatches(training, settings.batch, settings.seed, balance=settings.balance)
    series = {
        "training data": training.angle_deg,
        "training data, balanced": training.angle_deg[batches.chosen(0)],
        "validation data": np.concatenate([each.truth_deg for each in validated]),
        "predictions on it": np.concatenate([each.angle_deg for each in validated]),
    }
    plots = _plots(folder, result, settings, series, tested or validated)
    shown, parts = (tested, split.test) if tested else (validated, split.validation)
    write_predictions(folder.file(PREDICTIONS), by_recording(shown))
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
        **plots,
    )


def _plots(
    folder: RunFolder,
    result: TrainingResult,
    settings: TrainingSettings,
    series: Mapping[str, np.ndarray],
    shown: Sequence[Predictions],
) -> dict[str, Path]:
    from drive.drawing.plots import (
        plot_loss,
        plot_steering_distribution,
        plot_steering_over_time,
    )
    from drive.results.names import LOSS_PLOT, STEERING_DISTRIBUTION, STEERING_OVER_TIME
    from drive.steering.evaluate import in_one_row

    names = {
        "loss": LOSS_PLOT,
        "steering_distribution": STEERING_DISTRIBUTION,
        "steering_over_time": STEERING_OVER_TIME,
    }
    paths = {plot: folder.file(name) for plot, name in names.items()}
    plot_loss(
        result.history,
        paths["loss"],
        loss_axis=LOSS_AXIS,
        training_name="training, augmented images" if settings.augment else "training",
    )
    plot_steering_distribution(paths["steering_distribution"], series)
    plot_steering_over_time(paths["steering_over_time"], *in_one_row(shown))
    return paths


def _tell(result: TrainingResult, metrics: TrainingMetrics, folder: RunFolder, run: Run) -> None:
    from drive.steering.evaluate import as_table

    early = " (stopped early)" if result.stopped_early else ""
    run.message(f"best epoch {result.best.epoch} of {len(result.history)}{early}")
    run.message(as_table(metrics.as_json()))
    warn_of_uselessness(metrics.validation, run)
    if metrics.validation.hardly_varies:
        run.warn(metrics.validation.flat_text)
    run.message(f"model, history and plots -> {folder.path}")
