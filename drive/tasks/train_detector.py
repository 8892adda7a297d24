"""`train-detector`: train or fine-tune the car detector on labelled images."""

from __future__ import annotations

import argparse
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.tasks._common import Context, add_report_option, resumable
from drive.tasks._training_report import LOSS_NOTE, begin_report, note_detector

if TYPE_CHECKING:
    import keras

    from drive.detection.dataset import LabelledImages, UnsortedImages
    from drive.detection.evaluate import Evaluation
    from drive.detection.export import Exported
    from drive.detection.training_settings import TrainingSettings
    from drive.results.history import EpochResult
    from drive.results.run_folder import RunFolder

HELP = "Train or fine-tune the car detector on labelled images, for any classes."
EXAMPLE = "train-detector my_images --out outputs/my_detector"

MODEL = "detector.onnx"
INT8_MODEL = "detector-int8.onnx"
USE = "python run.py detect VIDEO --weights {}/" + MODEL
INT8 = "int8"
LOSS_PLOT = "loss.png"
CURVES = "precision_recall.png"
SHEET = "predictions.png"
DARKNET_ARRAYS = ".npz"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "datasets",
        nargs="*",
        metavar="DATASET",
        help="folder with labels.csv, data.yaml or Annotations/; of 100 pictures and more, a "
        "quarter is held out for evaluate-detector --split test and a twelfth chooses epoch and "
        "thresholds; of fewer, a seventh chooses and the rest trains",
    )
    parser.add_argument(
        "--extra",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="data sets of which every picture trains; one named twice counts twice",
    )
    parser.add_argument(
        "--classes",
        metavar="cone,car,...",
        help="what to find (default: the classes of data.yaml, or of the boxes; all of the "
        "weights' classes where the pictures show nothing else)",
    )
    parser.add_argument(
        "--hold-out",
        action=argparse.BooleanOptionalAction,
        help="whether a quarter of the pictures is kept for evaluate-detector --split test "
        "(default: from 100 pictures)",
    )
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument(
        "--frozen-epochs",
        type=int,
        metavar="N",
        help="epochs at the beginning in which the backbone keeps its weights (default: a quarter)",
    )
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=1.5e-4,
        metavar="R",
        help="highest, of the whole network; four times that while the backbone is frozen "
        "(default: 1.5e-4)",
    )
    parser.add_argument(
        "--freeze",
        type=int,
        default=3,
        metavar="N",
        help="the first N of 7 backbone convolutions keep their weights always; default: 3",
    )
    parser.add_argument(
        "--no-int8", action="store_true", help=f"write {MODEL} alone, not {INT8_MODEL}"
    )
    add_report_option(parser)
    parser.add_argument(
        "--resume", metavar="DIR", help="go on with a training that was stopped, in its folder"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Read, train, export with thresholds, measure, draw."""
    from drive.runtime.quiet import load_keras

    load_keras()  # before what imports it
    from drive.detection.schedule import repeated
    from drive.detection.train import CHECKPOINT

    resume = bool(args.resume)
    if resume:
        args.out, args.overwrite = args.resume, True
    start = _start_file(args.weights)
    settings = _settings(args, start)
    with context.record.stage("read"):
        training, validation = _datasets(args, start, context)
    turns = repeated(training, settings.batch)
    _announce(training, validation, turns, settings, context)
    folder = context.run_folder()
    _check_free(folder, resume)
    context.record.add_input(start)
    network = _start(start, training, args.seed)
    state = folder.path / CHECKPOINT
    with context.record.stage("train"), resumable(folder.path, "finished epochs", state):
        history = _train(network, turns, validation, folder, settings, resume, context)
    with context.record.stage("export"):
        exported = _export(network, validation, start, folder, context)
        int8 = None if args.no_int8 else _export_int8(training, folder, context)
    with context.record.stage("measure"):
        results = _report(exported, training, validation, start, int8, folder, context)
    _plot(history, folder)
    note_detector(
        context,
        folder.path,
        settings.epochs,
        network,
        validation if validation.images else training,
    )
    context.message(
        f"model, history, curves and {SHEET} -> {folder.path}; use it: {USE.format(folder.path)}"
    )
    losses = [row.val_loss for row in history if isfinite(row.val_loss)]
    return {
        "epochs": len(history),
        "classes": list(training.classes),
        "val_loss": min(losses, default=None),
        **results,
        "model": folder.path / MODEL,
        **({"int8": int8} if int8 else {}),
    }


def _start_file(weights: str | None) -> Path:
    """Return the weights to begin from."""
    from drive.detection.detector import DEFAULT_WEIGHTS

    return Path(weights or DEFAULT_WEIGHTS)


def _known_classes(start: Path) -> tuple[str, ...]:
    """Return the classes that the weights to begin from know."""
    from drive.detection.dataset import CLASSES
    from drive.detection.transfer import weights_classes

    return CLASSES if start.suffix == DARKNET_ARRAYS else weights_classes(start)


def _settings(args: argparse.Namespace, start: Path) -> TrainingSettings:
    from drive.detection.schedule import frozen_epochs
    from drive.detection.training_settings import TrainingSettings

    frozen = 0 if start.suffix == DARKNET_ARRAYS else frozen_epochs(args.epochs)
    return TrainingSettings(
        epochs=args.epochs,
        batch=args.batch,
        learning_rate=args.learning_rate,
        frozen_epochs=frozen if args.frozen_epochs is None else args.frozen_epochs,
        frozen=args.freeze,
        seed=args.seed,
    )


def _datasets(
    args: argparse.Namespace, start: Path, context: Context
) -> tuple[LabelledImages, LabelledImages]:
    """Return what trains and what chooses the epoch and the thresholds."""
    from drive.detection.class_list import choose_classes, describe_classes, parse_classes
    from drive.detection.dataset import concatenate, open_dataset
    from drive.detection.dataset_formats import label_file

    if not args.datasets and not args.extra:
        raise InputError("train-detector needs a DATASET or --extra DATASET; received: neither")
    for path in [*args.extra, *args.datasets]:
        context.record.add_input(label_file(Path(path)))
    unsorted = {path: open_dataset(path) for path in [*args.extra, *args.datasets]}
    known = _known_classes(start)
    classes = (
        choose_classes(list(unsorted.values()), known)
        if args.classes is None
        else parse_classes(args.classes)
    )
    context.message(describe_classes(classes, known, list(unsorted.values())))
    training, validation = [], []
    for path in args.extra:
        training.append(unsorted[path].with_classes(classes))
        context.message(f"{path}: {training[-1].summary()}")
    for path in args.datasets:
        parts = _parts(unsorted[path], classes, args.hold_out, context)
        training.append(parts[0])
        validation.append(parts[1])
    together = concatenate(training)
    context.record.counts.update(together.counts)
    return together, concatenate(validation or [together.select(False for _ in together.images)])


def _parts(
    unsorted: UnsortedImages, classes: tuple[str, ...], hold_out: bool | None, context: Context
) -> tuple[LabelledImages, LabelledImages]:
    """Return of one data set what trains and what chooses; say what is held out."""
    from drive.detection.split import FEW_PICTURES, split_dataset, split_few

    dataset = unsorted.with_classes(classes)
    few = len(dataset.images) < FEW_PICTURES
    holds_out = not few if hold_out is None else hold_out
    parts = (split_dataset if holds_out else split_few)(dataset, context.progress)
    counts = {part: parts.count(part) for part in ("train", "validation", "test")}
    text = f"{unsorted.path}: {dataset.summary()}; {counts['train']} train"
    text += f", {counts['validation']} choose"
    if holds_out:
        text += f", {counts['test']} are held out (evaluate-detector --split test)"
    else:
        text += ", none is held out for measuring (--hold-out keeps a quarter)"
    context.message(text)
    return (
        dataset.select(part == "train" for part in parts),
        dataset.select(part == "validation" for part in parts),
    )


def _announce(
    training: LabelledImages,
    validation: LabelledImages,
    turns: LabelledImages,
    settings: TrainingSettings,
    context: Context,
) -> None:
    """Say what is about to happen, in numbers, and what cannot be learnt."""
    from drive.detection.schedule import steps_an_epoch, unlearnt

    steps = steps_an_epoch(turns, settings.batch)
    times = len(turns.images) // max(1, len(training.images))
    often = f", each {times} times an epoch" if times > 1 else ""
    frozen = settings.frozen_epochs
    context.message(
        f"{counted(len(training.images), 'picture')} to learn from{often}, "
        f"{len(validation.images)} to choose the best epoch by; "
        f"{counted(settings.epochs, 'epoch')} of {counted(steps, 'step')} of "
        f"{counted(settings.batch, 'picture')}, {settings.epochs * steps} in all"
        + (f"; in the first {frozen} the backbone keeps its weights" if frozen else "")
    )
    if not validation.images:
        context.warn("no picture is kept apart: the last epoch is taken as the best")
    if missing := unlearnt(training, _known_classes(_start_file(context.args.weights))):
        context.warn(f"no box of {', '.join(missing)} trains: it will not be found")


def _check_free(folder: RunFolder, resume: bool) -> None:
    """Refuse to overwrite the results of an earlier training before hours are spent."""
    from drive.detection.train import BEST, CHECKPOINT, HISTORY

    if not resume:
        for name in (BEST, CHECKPOINT, HISTORY, MODEL, INT8_MODEL, LOSS_PLOT, CURVES, SHEET):
            folder.file(name)


def _start(start: Path, training: LabelledImages, seed: int) -> keras.Model:
    """Return the network for the classes of `training`, with the weights to begin from."""
    from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive
    from drive.detection.transfer import start_from_onnx

    if start.suffix == DARKNET_ARRAYS:
        from drive.detection.darknet_start import start_from_darknet
        from drive.detection.schedule import start_pictures

        return start_from_darknet(start, start_pictures(training), training.classes)
    network = build_tiny_yolo_drive(len(training.classes))
    start_from_onnx(network, start, training.classes, seed)
    return network


def _train(
    network: keras.Model,
    training: LabelledImages,
    validation: LabelledImages,
    folder: RunFolder,
    settings: TrainingSettings,
    resume: bool,
    context: Context,
) -> list[EpochResult]:
    from drive.detection.train import train_detector

    return train_detector(
        network,
        training,
        validation,
        folder.path,
        settings,
        resume,
        context.progress,
        begin_report(context, settings.epochs, loss_note=LOSS_NOTE.format(made="augmented")),
    )


def _export(
    network: keras.Model,
    validation: LabelledImages,
    start: Path,
    folder: RunFolder,
    context: Context,
) -> Exported:
    """Write the ONNX file with its thresholds."""
    from drive.detection.export import export_detector
    from drive.detection.transfer import weights_thresholds

    known = {}
    if start.suffix != DARKNET_ARRAYS:
        known = weights_thresholds(start, validation.classes)
    return export_detector(network, folder.path / MODEL, validation, known, context.progress)


def _export_int8(training: LabelledImages, folder: RunFolder, context: Context) -> Path:
    """Write the int8 form beside the float one, calibrated on pictures that trained."""
    from drive.detection.int8 import evenly, quantise_detector

    path = folder.path / INT8_MODEL
    pictures = evenly(training.images, progress=context.progress)
    quantise_detector(folder.path / MODEL, path, pictures)
    return path


def _report(
    exported: Exported,
    training: LabelledImages,
    validation: LabelledImages,
    start: Path,
    int8: Path | None,
    folder: RunFolder,
    context: Context,
) -> dict[str, Any]:
    """Measure before and after, draw the curves and the sheet; return what was measured."""
    from drive.detection.evaluate import as_table
    from drive.detection.export import measure
    from drive.detection.schedule import sample

    results: dict[str, Any] = {"thresholds": exported.thresholds}
    measured, found, shown, what = exported.measured, exported.found, validation, "validation"
    if measured is None:
        shown, what = sample(training), "training"
        measured, found = measure(folder.path / MODEL, shown, context.progress)
        context.warn(
            f"no labelled picture was kept apart: {CURVES} and {SHEET} show pictures that trained"
        )
    else:
        files = {"before": None if start.suffix == DARKNET_ARRAYS else start, INT8: int8}
        rows = {"after": measured}
        for name, path in files.items():
            result = measure(path, shown, context.progress)[0] if path else None
            rows |= {name: result} if result else {}
        context.message(as_table({n: rows[n] for n in ("before", "after", INT8) if n in rows}))
        results["validation"] = measured.metrics()
        results |= {f"validation_{n}": rows[n].metrics() for n in files if n in rows}
        _warn_where_worse(results, len(shown.images), context)
    _draw(measured, shown, found, exported.thresholds, what, folder)
    return results


def _warn_where_worse(results: dict[str, Any], pictures: int, context: Context) -> None:
    after, before = (results.get(name) or {} for name in ("validation", "validation_before"))
    if set(before.get("ap50", ())) != set(after.get("ap50", ())):
        return  # of other classes: no comparison
    if before and after["map50"] < before["map50"]:
        context.warn(
            f"mean AP50 fell from {before['map50']:.3f} to {after['map50']:.3f} on "
            f"{counted(pictures, 'validation picture')}: train on more pictures, or longer, or "
            "keep the weights of before"
        )


def _draw(
    measured: Evaluation | None,
    shown: LabelledImages,
    found: list,
    thresholds: dict[str, float],
    what: str,
    folder: RunFolder,
) -> None:
    """Draw the precision-recall curves and the sheet of examples."""
    from drive.detection.examples import choose_examples
    from drive.drawing.plots import plot_precision_recall
    from drive.drawing.prediction_sheet import SheetPicture, write_prediction_sheet

    note = "" if what == "validation" else f", {what} pictures"
    curves = {
        f"{name}{note}": (of_class.recall, of_class.precision, of_class.ap50)
        for name, of_class in (measured.classes if measured else {}).items()
    }
    plot_precision_recall(folder.path / CURVES, curves)
    examples = choose_examples(shown, found, thresholds)
    typical = sum(example.typical for example in examples)
    title = f"{len(examples)} of {len(shown.images)} {what} pictures"
    title += (
        f": the {len(examples) - typical} worst, then {typical} typical ones"
        if typical
        else ", worst first"
    )
    write_prediction_sheet(
        folder.path / SHEET,
        title,
        (SheetPicture(one.image.read(), one.caption, one.truth, one.found) for one in examples),
    )


def _plot(history: list[EpochResult], folder: RunFolder) -> None:
    from dataclasses import asdict

    from drive.drawing.plots import plot_loss

    rows, name = [asdict(row) for row in history], "training, augmented pictures"
    plot_loss(rows, folder.path / LOSS_PLOT, training_name=name)
