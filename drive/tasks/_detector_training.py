"""The work of `train-detector`: data, network, training and what is written."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from pathlib import Path

import keras

from drive.core.errors import DivergedError, InputError
from drive.core.options import fields_of
from drive.core.types import Detection
from drive.core.wording import counted
from drive.detection.class_list import choose_classes, describe_classes, parse_classes
from drive.detection.darknet_start import start_from_darknet
from drive.detection.dataset import (
    CLASSES,
    LabelledImages,
    UnsortedImages,
    concatenate,
    open_dataset,
)
from drive.detection.dataset_formats import label_file
from drive.detection.evaluate import DetectionMetrics, Evaluation, as_table
from drive.detection.examples import choose_examples
from drive.detection.export import Exported, export_detector, measure
from drive.detection.int8 import evenly, quantise_detector
from drive.detection.old_checkpoint import CHECKPOINT
from drive.detection.schedule import (
    repeated,
    sample,
    start_images,
    steps_per_epoch,
    untrained_classes,
)
from drive.detection.split import FEW_IMAGES, split_dataset, split_few
from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive
from drive.detection.train import BEST, DetectorCourse, train_detector
from drive.detection.training_settings import TrainingSettings
from drive.detection.transfer import start_from_onnx, weights_classes, weights_thresholds
from drive.drawing.plots import plot_loss, plot_precision_recall
from drive.drawing.prediction_sheet import SheetImage, write_prediction_sheet
from drive.results.names import CURVES, DETECTOR, DETECTOR_INT8, EXAMPLES, HISTORY, LOSS_PLOT
from drive.tasks._rate_search import FoundRate, search_rate
from drive.tasks._run import Run, resumable
from drive.tasks._training_report import LOSS_NOTE, begin_report, note_detector
from drive.tasks.train_detector import TrainDetectorConfig, TrainDetectorResult
from drive.training.fit import TrainingResult, kept_result
from drive.training.state import STATE

DARKNET_ARRAYS = ".npz"
INT8 = "int8"


@dataclass(frozen=True, slots=True)
class _Data:
    """The images that train, and those that select the epoch and the thresholds."""

    training: LabelledImages
    validation: LabelledImages


def _is_darknet(start: Path) -> bool:
    """Return whether these are weights of Darknet, which no detector runs."""
    return start.suffix == DARKNET_ARRAYS


def _known_classes(start: Path) -> tuple[str, ...]:
    """Return the classes that the weights to begin from know."""
    return CLASSES if _is_darknet(start) else weights_classes(start)


def settings_of(config: TrainDetectorConfig, start: Path) -> TrainingSettings:
    """Return how to train; what begins from Darknet's weights freezes nothing."""
    values = {each.name: getattr(config, each.name) for each in fields_of(TrainingSettings)}
    if _is_darknet(start) and config.frozen_epochs is None:
        values["frozen_epochs"] = 0
    return TrainingSettings(**values)


def read_data(config: TrainDetectorConfig, start: Path, run: Run) -> _Data:
    """Read the datasets and split them."""
    paths = [*config.extra, *config.datasets]
    if not paths:
        raise InputError("train-detector requires a DATASET or --extra DATASET")
    run.add_inputs(*(label_file(Path(path)) for path in paths))
    unsorted = {path: open_dataset(path) for path in paths}
    known, opened = _known_classes(start), list(unsorted.values())
    asked = config.classes
    classes = choose_classes(opened, known) if asked is None else parse_classes(asked)
    run.message(describe_classes(classes, known, opened))
    training, validation = [], []
    for path in config.extra:
        training.append(unsorted[path].with_classes(classes))
        run.message(f"{path}: {training[-1].summary()}")
    for path in config.datasets:
        parts = _split(unsorted[path], classes, config.hold_out, run)
        training.append(parts.training)
        validation.append(parts.validation)
    together = concatenate(training)
    run.record.counts.update(together.counts)
    nothing = together.select(False for _ in together.images)
    return _Data(together, concatenate(validation or [nothing]))


def _split(
    unsorted: UnsortedImages, classes: tuple[str, ...], hold_out: bool | None, run: Run
) -> _Data:
    """Split one dataset; report what is held out."""
    dataset = unsorted.with_classes(classes)
    few = len(dataset.images) < FEW_IMAGES
    holds_out = not few if hold_out is None else hold_out
    parts = (split_dataset if holds_out else split_few)(dataset, run.progress)
    counts = {part: parts.count(part) for part in ("train", "validation", "test")}
    held_out = "none held out for measuring (--hold-out holds out a quarter)"
    if holds_out:
        held_out = f"{counts['test']} held out (evaluate-detector --split test)"
    used = f"{counts['train']} for training, {counts['validation']} for validation"
    run.message(f"{unsorted.path}: {dataset.summary()}; {used}, {held_out}")
    chosen = ([part == name for part in parts] for name in ("train", "validation"))
    return _Data(*map(dataset.select, chosen))


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """A training that was asked for; `start` are the weights to begin from."""

    config: TrainDetectorConfig
    run: Run
    start: Path
    settings: TrainingSettings
    data: _Data

    def announce(self) -> None:
        """Report what is about to happen, in numbers, and what cannot be learnt."""
        data, settings, run = self.data, self.settings, self.run
        turns = self._turns()
        steps = steps_per_epoch(turns, settings.batch)
        times = len(turns.images) // max(1, len(data.training.images))
        often = f", each {times} times per epoch" if times > 1 else ""
        told = f"{counted(len(data.training.images), 'image')} for training{often}, "
        told += f"{len(data.validation.images)} for validation; "
        told += f"{counted(settings.epochs, 'epoch')} of {counted(steps, 'step')} of "
        told += f"{counted(settings.batch, 'image')}, {settings.epochs * steps} in all"
        if settings.frozen:
            told += f"; the backbone keeps its weights in the first {settings.frozen}"
        run.message(told)
        if not data.validation.images:
            more = " and --patience has no effect" if settings.patience else ""
            run.warn(f"no image is held out for validation: the last epoch is the best{more}")
        if missing := untrained_classes(data.training, _known_classes(self.start)):
            run.warn(f"no training image has a box of {', '.join(missing)}: it will not be found")

    def check_free(self) -> None:
        """Refuse to overwrite the results of an earlier training before hours are spent."""
        results = (HISTORY, DETECTOR, DETECTOR_INT8, LOSS_PLOT, CURVES, EXAMPLES)
        for name in () if self.config.resume else (BEST, STATE, CHECKPOINT, *results):
            self.run.folder.file(name)

    def found_rate(self) -> FoundRate:
        """Search for a learning rate."""
        course = DetectorCourse(self._network(), self._turns(), self.data.validation, self.settings)
        epochs = self.config.epochs if "epochs" in self.config.given else 1
        model = course.compiled(frozen=False)
        return search_rate(model, course.batches, "adam", epochs, self.run.folder, self.run)

    def trained(self) -> TrainingResult:
        """Train; of a training that diverges, return the epochs before."""
        network, run, folder = self._network(), self.run, self.run.folder.path
        note = LOSS_NOTE.format(made="augmented")
        on_epoch = begin_report(run, self.settings.epochs, loss_note=note)
        states = (folder / STATE, folder / CHECKPOINT)
        with run.record.stage("train"), resumable(folder, "finished epochs", *states):
            try:
                return train_detector(
                    *(network, self._turns(), self.data.validation, folder, self.settings),
                    resume=bool(self.config.resume),
                    notes={"config": self.config.settings()},
                    progress=run.progress,
                    on_epoch=on_epoch,
                )
            except DivergedError as error:
                result, run.failure = kept_result(folder, BEST, error)
                return result

    def written(self, result: TrainingResult) -> TrainDetectorResult:
        """Export and measure the network of the best epoch, and draw what to look at."""
        run, folder, data = self.run, self.run.folder.path, self.data
        with run.record.stage("export"):
            exported = self._export(result.model)
            int8 = self._export_int8() if self.config.int8 else None
        with run.record.stage("measure"):
            measured = self._measure(exported, int8)
        plot_loss(result.history, folder / LOSS_PLOT, training_name="training, augmented images")
        shown = data.validation if data.validation.images else data.training
        note_detector(run, self.settings.epochs, result.model, shown)
        use = f"use it: drive detect VIDEO --weights {folder / DETECTOR}"
        run.message(f"model, history, curves and {EXAMPLES} -> {folder}; {use}")
        return TrainDetectorResult(
            epochs=len(result.history),
            best_epoch=result.best.epoch,
            stopped_early=result.stopped_early,
            classes=data.training.classes,
            val_loss=None if isnan(result.best.val_loss) else result.best.val_loss,
            thresholds=exported.thresholds,
            validation=measured.get("after"),
            validation_before=measured.get("before"),
            validation_int8=measured.get(INT8),
            model=folder / DETECTOR,
            int8=int8,
            history=folder / HISTORY,
        )

    def _turns(self) -> LabelledImages:
        """Return the training images, repeated as often as an epoch uses them."""
        return repeated(self.data.training, self.settings.batch)

    def _network(self) -> keras.Model:
        """Return the network for the classes of the images, with the weights to begin from."""
        self.run.record.add_input(self.start)
        training = self.data.training
        if _is_darknet(self.start):
            return start_from_darknet(self.start, start_images(training), training.classes)
        network = build_tiny_yolo_drive(len(training.classes))
        start_from_onnx(network, self.start, training.classes, self.config.seed)
        return network

    def _export(self, network: keras.Model) -> Exported:
        """Write the ONNX file with its thresholds."""
        path, validation = self.run.folder.path / DETECTOR, self.data.validation
        known = (
            {} if _is_darknet(self.start) else weights_thresholds(self.start, validation.classes)
        )
        return export_detector(network, path, validation, known, self.run.progress)

    def _export_int8(self) -> Path:
        """Write the int8 form beside the float one, calibrated on training images."""
        path = self.run.folder.path / DETECTOR_INT8
        images = evenly(self.data.training.images, progress=self.run.progress)
        quantise_detector(self.run.folder.path / DETECTOR, path, images)
        return path

    def _measure(self, exported: Exported, int8: Path | None) -> dict[str, DetectionMetrics]:
        """Measure before and after, draw curves and examples; return the metrics."""
        run, validation = self.run, self.data.validation
        if exported.measured is None:
            shown = sample(self.data.training)
            measured, found = measure(self.run.folder.path / DETECTOR, shown, run.progress)
            shown_there = f"{CURVES} and {EXAMPLES} show training images"
            run.warn(f"no labelled image was held out: {shown_there}")
            _draw(measured, shown, found, exported.thresholds, "training", self.run.folder.path)
            return {}
        files = {"before": None if _is_darknet(self.start) else self.start, INT8: int8}
        rows: dict[str, Evaluation] = {"after": exported.measured}
        for name, path in files.items():
            if path and (result := measure(path, validation, run.progress)[0]):
                rows[name] = result
        run.message(as_table({n: rows[n] for n in ("before", "after", INT8) if n in rows}))
        metrics = {name: row.metrics() for name, row in rows.items()}
        _warn_if_worse(metrics["after"], metrics.get("before"), len(validation.images), run)
        found, thresholds = exported.found, exported.thresholds
        _draw(exported.measured, validation, found, thresholds, "validation", self.run.folder.path)
        return metrics


def _warn_if_worse(
    after: DetectionMetrics, before: DetectionMetrics | None, images: int, run: Run
) -> None:
    if before is None or set(before.ap50) != set(after.ap50):
        return  # of other classes: no comparison
    if after.map50 < before.map50:
        fell = f"fell from {before.map50:.3f} to {after.map50:.3f}"
        run.warn(
            f"mean AP50 {fell} on {counted(images, 'validation image')}. Train on more images or "
            "for longer, or keep the weights of before"
        )


def _draw(
    measured: Evaluation | None,
    shown: LabelledImages,
    found: list[list[Detection]],
    thresholds: dict[str, float],
    what: str,
    folder: Path,
) -> None:
    """Draw the precision-recall curves and the sheet of examples."""
    note = "" if what == "validation" else f", {what} images"
    plot_precision_recall(folder / CURVES, measured.curves(note) if measured else {})
    examples = choose_examples(shown, found, thresholds)
    typical = sum(example.typical for example in examples)
    worst = f": the {len(examples) - typical} worst, then {typical} typical ones"
    order = worst if typical else ", worst first"
    title = f"{len(examples)} of {len(shown.images)} {what} images{order}"
    shown_images = (SheetImage(e.image.read(), e.caption, e.truth, e.found) for e in examples)
    write_prediction_sheet(folder / EXAMPLES, title, shown_images)
