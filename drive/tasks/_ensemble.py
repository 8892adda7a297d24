"""`train-steering --ensemble N`: one training after the other, then their networks in one file.

Knows folders and files of an ensemble; how one member is trained and written, `train_steering`
hands in. A stopped ensemble goes on with the member in which it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.tasks._common import Context
from drive.tasks._training_report import note_steering, warn_of_uselessness

if TYPE_CHECKING:
    from drive.results.run_folder import RunFolder
    from drive.steering.evaluate import Answers
    from drive.steering.split import Part, Split
    from drive.steering.train import TrainingResult
    from drive.steering.training_settings import TrainingSettings

Train = Callable[["RunFolder", "TrainingSettings", bool], "TrainingResult"]
Write = Callable[["TrainingResult", "TrainingSettings", "RunFolder"], dict[str, Any]]


def state_home(folder: str) -> Path:
    """Where the state lies that says how a training was begun: a member's folder of an ensemble."""
    from drive.steering.ensemble import member_folder
    from drive.training.state import STATE

    home = Path(folder)
    first = member_folder(home, 1)
    return first if (first / STATE).is_file() and not (home / STATE).is_file() else home


def train_members(
    split: Split,
    settings: TrainingSettings,
    members: int,
    folder: RunFolder,
    context: Context,
    train: Train,
    write: Write,
) -> dict[str, Any]:
    """Train and write each member in its own folder, then the ensemble.

    Args:
        split: the frames, the same for all.
        settings: of the training; each member has its own seed.
        members: how many.
        folder: of the run.
        context: of the command.
        train: trains one in a folder, going on with what is there if told so.
        write: writes what a training gives into its folder.
    """
    from drive.results.run_folder import RunFolder
    from drive.steering.ensemble import member_folder, member_settings
    from drive.training.state import STATE

    if context.args.weights:
        context.warn(
            "every member begins with the same weights: they will hardly lie apart, and their "
            "spread says little. Leave --weights out"
        )
    results, written = [], []
    for number, own in enumerate(member_settings(settings, members), start=1):
        home = RunFolder(member_folder(folder.path, number), folder.overwrite)
        context.message(f"member {number} of {members}, seed {own.seed}")
        begun = bool(context.args.resume) and (home.path / STATE).is_file()
        with context.record.stage("train"):
            results.append(train(home, own, begun))
        with context.record.stage("write"):
            written.append(write(results[-1], own, home))
    with context.record.stage("write"):
        return _write_ensemble(split, results, written, settings, folder, context)


def _write_ensemble(
    split: Split,
    results: Sequence[TrainingResult],
    written: Sequence[dict[str, Any]],
    settings: TrainingSettings,
    folder: RunFolder,
    context: Context,
) -> dict[str, Any]:
    import numpy as np

    from drive.drawing.plots import plot_steering_distribution, plot_steering_over_time
    from drive.results.names import PREDICTIONS, STEERING_DISTRIBUTION, STEERING_OVER_TIME
    from drive.results.steering import write_predictions
    from drive.runtime.keras_file import read_notes
    from drive.steering.ensemble import as_line, describe_ensemble, merge_trained
    from drive.steering.evaluate import as_table, by_recording, evaluate, in_one_row
    from drive.steering.model_file import KERAS_FILE, save_trained
    from drive.steering.network import fold_batch_norm

    metadata = describe_ensemble(read_notes(written[0]["model"]), len(results))
    model = folder.file(KERAS_FILE)
    onnx = save_trained(merge_trained([result.model for result in results]), model, metadata)
    mean_deg = float(metadata["training_mean_deg"])
    answers = _together(results, split.validation)
    tested = _together(results, split.test)
    metrics = {"validation": evaluate(answers, mean_deg)}
    if tested:
        metrics["test"] = evaluate(tested, mean_deg)
    write_predictions(folder.file(PREDICTIONS), by_recording(tested or answers))
    over_time = folder.file(STEERING_OVER_TIME)
    distribution = folder.file(STEERING_DISTRIBUTION)
    times, angles, truths = in_one_row(tested or answers)
    spread = np.concatenate([drive.spread_deg for drive in tested or answers])
    plot_steering_over_time(over_time, times, angles, truths, spread_deg=spread)
    series = {"human": truths, "ensemble": angles}
    plot_steering_distribution(distribution, series)
    first = fold_batch_norm(results[0].model)
    shown, parts = (tested, split.test) if tested else (answers, split.validation)
    note_steering(context, folder.path, settings, first, parts, shown, series)
    context.message(as_table(metrics))
    warn_of_uselessness(metrics["validation"], context)
    for name, each in metrics.items():
        if each.ensemble:
            context.message(f"{name}: {as_line(each.rmse_deg, each.ensemble)}")
    context.message(f"ensemble and its members -> {folder.path}")
    return {
        "members": list(written),
        **metrics,
        "model": model,
        "onnx": onnx,
        "predictions": folder.path / PREDICTIONS,
        "steering_over_time": over_time,
        "steering_distribution": distribution,
    }


def _together(results: Sequence[TrainingResult], parts: list[Part]) -> list[Answers]:
    from drive.steering.ensemble import combine
    from drive.steering.train import answers_for

    return combine([answers_for(result.model, parts) for result in results])
