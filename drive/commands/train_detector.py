"""`train-detector`: train or fine-tune the car detector on labelled images."""

from __future__ import annotations

import argparse
import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import RESUME_HINT, Context
from drive.errors import InputError

if TYPE_CHECKING:
    import keras

    from drive.cars.dataset import LabelledImages
    from drive.cars.training_settings import TrainingSettings
    from drive.history import EpochResult
    from drive.runs import RunFolder

HELP = "Train or fine-tune the car detector on labelled images."
EXAMPLE = "train-detector my_images --epochs 10 --out outputs/my_detector"

MODEL = "detector.onnx"
USE = "python run.py detect VIDEO --weights {}/" + MODEL
LOSS_PLOT = "loss.png"
DARKNET_ARRAYS = ".npz"
AFTER_INTERRUPT = RESUME_HINT


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "datasets",
        nargs="*",
        metavar="DATASET",
        help="folder with labels.csv, data.yaml or Annotations/; a quarter of its pictures is "
        "held out for evaluate-detector --split test, a twelfth chooses epoch and thresholds",
    )
    parser.add_argument(
        "--extra",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="data sets of which every picture trains; one named twice counts twice",
    )
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument(
        "--learning-rate", type=float, default=1.5e-4, metavar="R", help="highest; default: 1.5e-4"
    )
    parser.add_argument(
        "--freeze",
        type=int,
        default=3,
        metavar="N",
        help="the first N of 7 backbone convolutions keep their weights; default: 3",
    )
    parser.add_argument(
        "--resume", metavar="DIR", help="go on with a training that was stopped, in its folder"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Read, train, export with thresholds, plot."""
    from drive.engine.quiet import load_keras

    load_keras()
    resume = bool(args.resume)
    if resume:
        args.out, args.overwrite = args.resume, True
    settings = _settings(args)
    with context.record.stage("read"):
        training, validation = _datasets(args, context)
    context.message(
        f"{len(training.images)} pictures train, {len(validation.images)} choose the best epoch"
    )
    if not validation.images:
        context.warn("too few pictures to keep some apart: the last epoch is taken as the best")
    folder = context.run_folder()
    network, thresholds = _start(args.weights)
    _check_free(folder, resume)
    with context.record.stage("train"):
        history = _train(network, training, validation, folder, settings, resume, context)
    with context.record.stage("export"):
        results = _export(network, validation, thresholds, folder, context)
    _plot(history, folder)
    context.message(f"model, history and plots -> {folder.path}; use it: {USE.format(folder.path)}")
    losses = [row.val_loss for row in history if isfinite(row.val_loss)]
    return {
        "epochs": len(history),
        "val_loss": min(losses, default=None),
        **results,
        "model": folder.path / MODEL,
    }


def _settings(args: argparse.Namespace) -> TrainingSettings:
    from drive.cars.training_settings import TrainingSettings

    return TrainingSettings(
        epochs=args.epochs,
        batch=args.batch,
        learning_rate=args.learning_rate,
        frozen=args.freeze,
        seed=args.seed,
    )


def _datasets(args: argparse.Namespace, context: Context) -> tuple[LabelledImages, LabelledImages]:
    """Return what trains and what chooses the epoch and the thresholds."""
    from drive.cars.dataset import concatenate, read_dataset
    from drive.cars.dataset_formats import label_file
    from drive.cars.split import split_dataset

    if not args.datasets and not args.extra:
        raise InputError("train-detector needs a DATASET or --extra DATASET; received: neither")
    training, validation = [], []
    for path in [*args.extra, *args.datasets]:
        context.record.add_input(label_file(Path(path)))
    for path in args.extra:
        training.append(read_dataset(path))
        context.message(f"{path}: {training[-1].summary()}")
    for path in args.datasets:
        dataset = read_dataset(path)
        context.message(f"{path}: {dataset.summary()}")
        parts = split_dataset(dataset, context.progress)
        training.append(dataset.select(part == "train" for part in parts))
        validation.append(dataset.select(part == "validation" for part in parts))
    together = concatenate(training)
    context.record.counts.update(together.counts)
    return together, concatenate(validation or [together.select(False for _ in together.images)])


def _check_free(folder: RunFolder, resume: bool) -> None:
    """Refuse to overwrite the results of an earlier training before hours are spent."""
    from drive.cars.train import BEST, CHECKPOINT, HISTORY

    if not resume:
        for name in (BEST, CHECKPOINT, HISTORY, MODEL, LOSS_PLOT):
            folder.file(name)


def _start(weights: str | None) -> tuple[keras.Model, dict[str, float]]:
    """Return the network with the weights to begin from, and the thresholds that came with them."""
    from drive.cars.detector import DEFAULT_WEIGHTS
    from drive.cars.tiny_yolo_drive import build_tiny_yolo_drive, load_darknet_weights
    from drive.engine.onnx_file import load_onnx_weights, read_metadata

    network = build_tiny_yolo_drive()
    path = Path(weights or DEFAULT_WEIGHTS)
    if path.suffix == DARKNET_ARRAYS:
        load_darknet_weights(network, path)
        return network, {}
    load_onnx_weights(network, path)
    return network, json.loads(read_metadata(path).get("thresholds", "{}"))


def _train(
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    folder: RunFolder,
    settings: TrainingSettings,
    resume: bool,
    context: Context,
) -> list[EpochResult]:
    from drive.cars.train import train_detector

    return train_detector(
        network, training, validation, folder.path, settings, resume, context.progress
    )


def _export(
    network: keras.Model,
    validation: LabelledImages,
    thresholds: dict[str, float],
    folder: RunFolder,
    context: Context,
) -> dict[str, Any]:
    """Write the ONNX file; return thresholds and what validation says."""
    from drive.cars.evaluate import as_table
    from drive.cars.export import export_detector

    path = folder.path / MODEL
    thresholds, measured = export_detector(network, path, validation, thresholds, context.progress)
    if measured is None:
        return {"thresholds": thresholds}
    context.message(as_table({"validation": measured}))
    return {"thresholds": thresholds, "validation": measured.metrics()}


def _plot(history: list[EpochResult], folder: RunFolder) -> None:
    from dataclasses import asdict

    from drive.render.plots import plot_loss

    plot_loss([asdict(row) for row in history], folder.path / LOSS_PLOT)
