"""`train-steering --ensemble N`: one training after the other, then their networks in one file.

How one member is trained and written, `train_steering` hands in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from drive.results.names import PREDICTIONS
from drive.results.run_folder import RunFolder
from drive.results.table import write_by_recording
from drive.runtime.keras_file import read_notes
from drive.steering.ensemble import (
    as_line,
    combine,
    describe_ensemble,
    member_folder,
    member_settings,
    merge_trained,
)
from drive.steering.evaluate import Predictions, as_table, by_recording, evaluate_split, in_one_row
from drive.steering.evidence import read_evidence, training_evidence
from drive.steering.model_file import KERAS_FILE, describe_quality, save_trained
from drive.steering.network import fold_batch_norm
from drive.steering.split import Part, Split
from drive.steering.train import predictions_for
from drive.steering.training_settings import TrainingSettings
from drive.steering.verdict import judge_training
from drive.tasks._run import Run
from drive.tasks._steering import plot_angles
from drive.tasks._trained import TrainedNetwork
from drive.tasks._training_report import note_steering
from drive.training.fit import TrainingResult
from drive.training.state import STATE

Train = Callable[["RunFolder", "TrainingSettings", bool], "TrainingResult"]
Write = Callable[["TrainingResult", "TrainingSettings", "RunFolder"], TrainedNetwork]


def train_members(
    split: Split,
    settings: TrainingSettings,
    members: int,
    resume: bool,
    run: Run,
    train: Train,
    write: Write,
) -> tuple[TrainedNetwork, tuple[TrainedNetwork, ...]]:
    """Train and write each member in its own folder, then the ensemble.

    With `resume`, the folders that have a state continue from it.
    """
    results, written, folder = [], [], run.folder
    for number, own in enumerate(member_settings(settings, members), start=1):
        home = RunFolder(member_folder(folder.path, number), folder.overwrite)
        run.message(f"member {number} of {members}, seed {own.seed}")
        with run.record.stage("train"):
            results.append(train(home, own, resume and (home.path / STATE).is_file()))
        with run.record.stage("write"):
            written.append(write(results[-1], own, home))
    with run.record.stage("write"):
        return _write_ensemble(split, results, written, settings, run), tuple(written)


def _write_ensemble(
    split: Split,
    results: Sequence[TrainingResult],
    written: Sequence[TrainedNetwork],
    settings: TrainingSettings,
    run: Run,
) -> TrainedNetwork:
    folder = run.folder
    metadata = describe_ensemble(read_notes(written[0].model), len(results))
    networks = [result.network for result in results]
    validated = _together([result.model for result in results], split.validation)
    tested = _together(networks, split.test)
    metrics = evaluate_split(validated, tested, float(metadata["training_mean_deg"]))
    member = read_evidence(metadata, None)
    own = (member.explained_in_training, member.epochs, member.learnable)
    known = training_evidence(split.training, *own)
    verdict = judge_training(metrics, validated, tested, known)
    metadata |= describe_quality(metrics, known, verdict)
    model = folder.file(KERAS_FILE)
    onnx = save_trained(merge_trained(networks), model, metadata)
    shown, parts = (tested, split.test) if tested else (validated, split.validation)
    write_by_recording(folder.file(PREDICTIONS), by_recording(shown))
    times, angles, truths = in_one_row(shown)
    spread = np.concatenate([each.spread_deg for each in shown])
    series = {"recorded": truths, "ensemble": angles}
    plots = plot_angles(folder, series, times, angles, truths, spread_deg=spread)
    first = fold_batch_norm(networks[0])
    note_steering(run, folder.path, settings, first, parts, shown, series)
    run.message(as_table(metrics.as_json()))
    for name, each in metrics.as_json().items():
        if each.ensemble:
            run.message(f"{name}: {as_line(each.rmse_deg, each.ensemble)}")
    run.message(f"ensemble and its members -> {folder.path}")
    return TrainedNetwork(
        metrics=metrics,
        verdict=verdict,
        model=model,
        onnx=onnx,
        predictions=folder.path / PREDICTIONS,
        **plots,
    )


def _together(networks: Sequence[keras.Model], parts: list[Part]) -> list[Predictions]:
    return combine([predictions_for(network, parts) for network in networks])
