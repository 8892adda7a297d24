"""`train-steering`: train the steering network on recordings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import DivergedError, InputError, WeightsError
from drive.tasks._common import (
    Context,
    add_recording_options,
    add_report_option,
    resumable,
)
from drive.tasks._ensemble import state_home, train_members
from drive.tasks._rate_search import search_rate
from drive.tasks._training_data import add_data_options, add_recordings, asked_data, read_split
from drive.tasks._training_report import (
    LOSS_UNIT,
    begin_report,
    note_steering,
    steering_loss_note,
    warn_of_uselessness,
)
from drive.tasks._training_settings import (
    add_learning_options,
    add_transfer_options,
    add_variation_options,
    asked_settings,
)
from drive.tasks._view_sheet import write_augmented_views

if TYPE_CHECKING:
    from drive.results.run_folder import RunFolder
    from drive.steering.split import Split
    from drive.steering.train import TrainingResult
    from drive.steering.training_settings import TrainingSettings

HELP = "Train the steering network on recordings: model.keras, model.onnx, history and plots."
EXAMPLE = "train-steering data/sample --epochs 10"

RESUMABLE = ("resume", "epochs", "patience", "tensorboard", "cache", "no_report")
"""What may be given with `--resume`; all else is as the stopped training was asked."""

LOSS_AXIS = f"mean squared error [{LOSS_UNIT}]"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    add_recordings(parser)
    data = parser.add_argument_group("data")
    add_data_options(data)
    add_variation_options(data)
    learning = parser.add_argument_group("learning")
    learning.add_argument("--epochs", type=int, metavar="N", help="at most (default: 40)")
    add_learning_options(learning)
    learning.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="stop after N epochs without a better validation loss; 0: never (default: 12)",
    )
    learning.add_argument(
        "--find-lr",
        action="store_true",
        help="train nothing: let the learning rate grow over one epoch (or --epochs), at least "
        "300 steps, until the loss climbs; suggest a tenth of the rate with the least loss",
    )
    learning.add_argument(
        "--tensorboard",
        action="store_true",
        help="write losses and histograms of weights and gradients for TensorBoard, each epoch",
    )
    learning.add_argument(
        "--ensemble",
        type=int,
        metavar="N",
        help="train N networks from different seeds, each in its own folder; the model is their "
        "mean, and says how far they lie apart",
    )
    learning.add_argument(
        "--resume", metavar="DIR", help="go on with a training that was stopped, in its folder"
    )
    add_report_option(parser)
    add_transfer_options(parser)
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Read, split, train; then write the model of the best epoch and what to look at."""
    from drive.steering.ensemble import member_folder
    from drive.training.state import STATE

    settings, data, folder = _resumed(args, context) if args.resume else _fresh(args, context)
    states = [home / STATE for home in (folder.path, member_folder(folder.path, 1))]
    with resumable(folder.path, "finished epochs", *states):
        return _search_or_train(args, settings, data, folder, context)


def _search_or_train(
    args: argparse.Namespace,
    settings: TrainingSettings,
    data: dict[str, Any],
    folder: RunFolder,
    context: Context,
) -> dict[str, Any]:
    from drive.runtime.quiet import load_keras

    context.record.extra |= {"training": asdict(settings), "data": data}
    with context.record.stage("read"):
        split = read_split(data, args.cache, context)
    load_keras()  # takes seconds; what is wrong with the arguments has been said by now
    from drive.steering.train import train_steering

    if args.find_lr:
        import keras

        from drive.steering.train import SteeringCourse

        keras.utils.set_random_seed(settings.seed)
        course = SteeringCourse(split, settings, _start(args.weights, settings, split))
        model = course.compiled(frozen=course.frozen_epochs > 0)
        how = (settings.optimizer, args.epochs or 1, folder, context, LOSS_AXIS)
        return asdict(search_rate(model, course.batches, *how))

    if not args.resume:
        _start(args.weights, settings, split)  # wrong weights are refused before all writing
    with context.record.stage("write"):
        views = write_augmented_views(split, settings, folder)

    def train(home: RunFolder, own: TrainingSettings, resume: bool) -> TrainingResult:
        start = None if resume else _start(args.weights, own, split)
        try:
            return train_steering(
                split,
                home.path,
                own,
                start=start,
                resume=resume,
                notes={"data": data},
                progress=context.progress,
                on_epoch=on_epoch,
            )
        except DivergedError as error:
            return _kept(home, error, context)

    def write(result: TrainingResult, own: TrainingSettings, home: RunFolder) -> dict[str, Any]:
        return _write(split, result, own, data["crop"], home, context)

    on_epoch = _begin_report(split, settings, context)
    members = data.get("ensemble")
    if members:
        return views | train_members(split, settings, members, folder, context, train, write)
    with context.record.stage("train"):
        result = train(folder, settings, bool(args.resume))
    with context.record.stage("write"):
        return views | write(result, settings, folder)


def _kept(home: RunFolder, error: DivergedError, context: Context) -> TrainingResult:
    """The epochs before the one that diverged; the command fails once they are written."""
    from drive.steering.train import BEST
    from drive.training.fit import kept_result

    result, context.failure = kept_result(home.path, BEST, error)
    return result


def _begin_report(
    split: Split, settings: TrainingSettings, context: Context
) -> Callable[[Any], None] | None:
    from drive.steering.dataset import Samples

    angles = {
        "training data": Samples(split.training).angle_deg,
        "validation data": Samples(split.validation).angle_deg,
    }
    note = steering_loss_note(settings)
    return begin_report(context, settings.epochs, LOSS_UNIT, note, angles)


def _fresh(
    args: argparse.Namespace, context: Context
) -> tuple[TrainingSettings, dict[str, Any], RunFolder]:
    from drive.results.names import HISTORY
    from drive.runtime.base import check_model_file
    from drive.steering.ensemble import check_members, member_folder

    if args.weights:
        check_model_file(args.weights, usable=_can_learn)
    settings = asked_settings(args)
    data = asked_data(args)
    if args.weights:
        _check_weights(args.weights, settings)
    if args.ensemble is not None:
        data["ensemble"] = check_members(args.ensemble)
    folder = context.run_folder()
    for home in (folder.path, member_folder(folder.path, 1)):  # was another training stopped here?
        folder.file(str(home.relative_to(folder.path) / HISTORY))
    return settings, data, folder


def _resumed(
    args: argparse.Namespace, context: Context
) -> tuple[TrainingSettings, dict[str, Any], RunFolder]:
    """What the stopped training was asked; what does not change the learning may be given anew."""
    if unheeded := _given(args):
        raise InputError(
            "--resume goes on as the stopped training was asked, but for --epochs, --patience and "
            f"--tensorboard. Leave out {', '.join(unheeded)}"
        )
    from drive.steering.ensemble import shared_settings
    from drive.steering.state import read_state

    settings, notes = read_state(state_home(args.resume))
    if notes["data"].get("ensemble"):
        settings = shared_settings(settings, notes["data"]["ensemble"])
    given = {
        "epochs": args.epochs,
        "patience": args.patience,
        "tensorboard": args.tensorboard or None,
    }
    settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
    args.out, args.overwrite = args.resume, True
    asked = {**asdict(settings), **notes["data"]}
    known = context.record.settings
    known |= {name: value for name, value in asked.items() if name in known}
    return settings, notes["data"], context.run_folder()


def _given(args: argparse.Namespace) -> list[str]:
    """The options, as typed, that are set and that `--resume` does not take."""
    parser = argparse.ArgumentParser()
    configure(parser)
    if args.weights:
        parser.add_argument("--weights")
    return [
        action.option_strings[0] if action.option_strings else str(action.metavar)
        for action in parser._actions  # argparse has no public list of them
        if action.dest not in (*RESUMABLE, "help")
        and getattr(args, action.dest) not in (action.default, [])
    ]


def _start(weights: str | None, settings: TrainingSettings, split: Split) -> Any:
    """The network to go on from, or None for a new one."""
    if weights is None:
        return None
    from drive.steering.model_file import load_network
    from drive.steering.target import check_start
    from drive.steering.train import rebuild_network

    model, metadata = load_network(weights)
    model.get_layer("degrees").scale *= check_start(metadata, split.training, weights)
    return rebuild_network(model, settings)


def _check_weights(weights: str, settings: TrainingSettings) -> None:
    """Refuse a file whose network a training with these settings cannot go on from."""
    from drive.runtime.int8_form import is_int8
    from drive.steering.ensemble import count_members
    from drive.steering.model_file import read_network_metadata
    from drive.steering.network import read_network_options

    metadata = read_network_metadata(weights)
    if is_int8(metadata):
        raise InputError(
            f"{weights} is in int8, which does not learn. Name the float file it was made from"
        )
    if count_members(metadata) > 1:
        raise InputError(
            f"{weights} holds an ensemble, which does not learn as a whole. Name one of its "
            "members, such as member1/model.onnx beside it"
        )
    if metadata.get("backbone") != settings.backbone:
        raise InputError(
            f"{weights} holds a network on the backbone {metadata.get('backbone', 'none')}. "
            f"Received: --backbone {settings.backbone or 'none'}"
        )
    if metadata.get("variant") != settings.variant:
        raise InputError(
            f"{weights} holds the variant {metadata.get('variant')}. "
            f"Received: --variant {settings.variant}"
        )
    batch_norm = read_network_options(metadata)["batch_norm"]
    if batch_norm != settings.batch_norm:
        raise InputError(
            f"{weights} holds a network {'with' if batch_norm else 'without'} batch normalisation. "
            f"{'--batch-norm' if batch_norm else '--no-batch-norm'} goes with it"
        )


def _can_learn(path: Path) -> bool:
    """Whether a file holds one float steering network."""
    from drive.runtime.int8_form import is_int8
    from drive.steering.ensemble import count_members
    from drive.steering.model_file import read_network_metadata

    try:
        metadata = read_network_metadata(path)
    except WeightsError:
        return False
    return not is_int8(metadata) and count_members(metadata) == 1


def _write(
    split: Split,
    result: TrainingResult,
    settings: TrainingSettings,
    crop: str,
    folder: RunFolder,
    context: Context,
) -> dict[str, Any]:
    import numpy as np

    from drive.results.names import HISTORY, PREDICTIONS
    from drive.results.steering import write_predictions
    from drive.steering.dataset import Samples, TrainingBatches
    from drive.steering.evaluate import by_recording, evaluate
    from drive.steering.model_file import KERAS_FILE, describe, save_trained
    from drive.steering.network import fold_batch_norm
    from drive.steering.target import describe_target
    from drive.steering.train import answers_for

    training, network = Samples(split.training), fold_batch_norm(result.model)
    names = [part.drive.name for part in split.training]
    metadata = describe(network, settings.variant, crop, training.angle_deg, names)
    metadata |= describe_target(split.training)
    model = folder.file(KERAS_FILE)
    onnx = save_trained(network, model, metadata)
    answers = answers_for(network, split.validation)
    tested = answers_for(network, split.test)
    mean_deg = float(metadata["training_mean_deg"])
    metrics = {"validation": evaluate(answers, mean_deg)}
    if tested:
        metrics["test"] = evaluate(tested, mean_deg)
    batches = TrainingBatches(training, settings.batch, settings.seed, balance=settings.balance)
    series = {
        "training data": training.angle_deg,
        "training data, balanced": training.angle_deg[batches.chosen(0)],
        "validation data": np.concatenate([drive.truth_deg for drive in answers]),
        "predictions on it": np.concatenate([drive.angle_deg for drive in answers]),
    }
    plots = _plots(folder, result, settings, series, tested or answers)
    shown, parts = (tested, split.test) if tested else (answers, split.validation)
    write_predictions(folder.file(PREDICTIONS), by_recording(shown))
    note_steering(context, folder.path, settings, network, parts, shown, series)
    _say(result, metrics, folder, context)
    return {
        "epochs": len(result.history),
        "stopped_early": result.stopped_early,
        "best_epoch": result.best.epoch,
        "val_loss": result.best.val_loss,
        **metrics,
        "model": model,
        "onnx": onnx,
        "history": folder.path / HISTORY,
        "predictions": folder.path / PREDICTIONS,
        **plots,
    }


def _plots(
    folder: RunFolder,
    result: TrainingResult,
    settings: TrainingSettings,
    series: dict[str, Any],
    answers: list[Any],
) -> dict[str, Path]:
    from drive.drawing.plots import (
        plot_loss,
        plot_steering_distribution,
        plot_steering_over_time,
    )
    from drive.steering.evaluate import in_one_row

    names = ("loss", "steering_distribution", "steering_over_time")
    paths = {name: folder.file(f"{name}.png") for name in names}
    shown_to_learn = "training, augmented pictures" if settings.augment else "training"
    plot_loss(
        [asdict(row) for row in result.history],
        paths["loss"],
        loss_axis=LOSS_AXIS,
        training_name=shown_to_learn,
    )
    plot_steering_distribution(paths["steering_distribution"], series)
    plot_steering_over_time(paths["steering_over_time"], *in_one_row(answers))
    return paths


def _say(
    result: TrainingResult, metrics: dict[str, Any], folder: RunFolder, context: Context
) -> None:
    from drive.steering.evaluate import as_table

    context.message(
        f"best epoch {result.best.epoch} of {len(result.history)}"
        + (" (stopped early)" if result.stopped_early else "")
    )
    context.message(as_table(metrics))
    warn_of_uselessness(metrics["validation"], context)
    if metrics["validation"].hardly_varies:
        context.warn(metrics["validation"].flat_text)
    context.message(f"model, history and plots -> {folder.path}")
