"""`train-detector`: train or fine-tune the car detector on labelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import DivergedError, InputError
from drive.core.options import fields_of, option
from drive.core.reporter import Reporter
from drive.core.types import Detection
from drive.core.wording import counted
from drive.detection.training_settings import LearningOptions, TrainingSettings
from drive.results.names import CURVES, DETECTOR, DETECTOR_INT8, EXAMPLES, HISTORY, LOSS_PLOT
from drive.tasks._rate_search import FoundRate, search_rate
from drive.tasks._run import (
    ReportConfig,
    Run,
    SeedConfig,
    TaskResult,
    WeightsConfig,
    refuse_with_resume,
    resumable,
    run_task,
)
from drive.tasks._training_report import LOSS_NOTE, begin_report, note_detector

if TYPE_CHECKING:
    import keras

    from drive.detection.dataset import LabelledImages, UnsortedImages
    from drive.detection.evaluate import DetectionMetrics, Evaluation
    from drive.detection.export import Exported
    from drive.training.fit import TrainingResult

DARKNET_ARRAYS = ".npz"
INT8 = "int8"


@dataclass(frozen=True)
class TrainDetectorConfig(LearningOptions, ReportConfig, WeightsConfig, SeedConfig):
    """What the detector is trained on, and how."""

    summary = "Train or fine-tune the car detector on labelled images, for any classes."
    example = "train-detector my_images --out outputs/my_detector"
    group = "data"

    datasets: Sequence[str] = option(
        (),
        "folders with labels.csv, data.yaml or Annotations/. From 100 images on, a quarter is held "
        "out for evaluate-detector --split test, and a twelfth selects the epoch and the "
        "thresholds; of fewer, a seventh selects and the others train",
        "DATASET",
        positional=True,
    )
    _: KW_ONLY
    extra: Sequence[str] = option(
        (), "datasets of which all images train; one that is named twice counts twice", "DATASET"
    )
    classes: str | None = option(
        None,
        "classes to find",
        "cone,car,...",
        shown_default="those of the dataset; all of the weights if it shows no others",
    )
    hold_out: bool | None = option(
        None,
        "hold out a quarter of the images for evaluate-detector --split test",
        shown_default="from 100 images on",
    )
    int8: bool = option(True, f"write only {DETECTOR}, not {DETECTOR_INT8}")
    find_lr: bool = option(
        False,
        "train nothing: raise the learning rate over one epoch (or --epochs), at least 300 steps, "
        "until the loss climbs; suggest a tenth of the rate with the lowest loss",
    )
    resume: str | None = option(
        None,
        "resume the training in DIR; its options are used again unless a DATASET is given",
        "DIR",
        resumable=True,
    )


@dataclass(frozen=True, kw_only=True)
class TrainDetectorResult(TaskResult):
    """The trained detector and its average precision.

    With `find_lr` only `found_rate` has a value. `val_loss` is None if no image was held out. The
    metrics are of the validation images: of the network, of the weights that the training began
    with, and of the int8 file; None if there is no box on those images.
    """

    epochs: int = 0
    best_epoch: int = 0
    stopped_early: bool = False
    classes: tuple[str, ...] = ()
    val_loss: float | None = None
    thresholds: Mapping[str, float] | None = None
    validation: DetectionMetrics | None = None
    validation_before: DetectionMetrics | None = None
    validation_int8: DetectionMetrics | None = None
    model: Path | None = None
    int8: Path | None = None
    history: Path | None = None
    found_rate: FoundRate | None = None

    def as_json(self) -> dict[str, object]:
        """Return what was trained and measured; with `find_lr` what the search found."""
        if self.found_rate:
            return asdict(self.found_rate) | self.run_files()
        return super().as_json() | {"val_loss": self.val_loss}


def train_detector(
    config: TrainDetectorConfig, reporter: Reporter | None = None
) -> TrainDetectorResult:
    """Train the detector, export it with a threshold per class, and measure it.

    Raises:
        InputError: a dataset or the weights are invalid, or there is nothing to resume.
        DivergedError: the loss is not finite; if an epoch was finished, its `result` is exported.

    Example:
        >>> from drive import TrainDetectorConfig, train_detector
        >>> result = train_detector(TrainDetectorConfig("my_images", epochs=10))
        >>> result.model, result.validation.map50
    """
    return run_task("train-detector", _train, config, reporter)


@dataclass(frozen=True, slots=True)
class _Data:
    """The images that train, and those that select the epoch and the thresholds."""

    training: LabelledImages
    validation: LabelledImages


def _train(config: TrainDetectorConfig, run: Run) -> TrainDetectorResult:
    from drive.core.shipped import DETECTOR as SHIPPED
    from drive.runtime.quiet import load_keras

    load_keras()  # before the modules that import it
    if config.resume:
        config = run.use(_resumed(config))
    start = Path(config.weights or SHIPPED)
    settings = _settings(config, start)
    with run.record.stage("read"):
        data = _read(config, start, run)
    training = _Training(config, run, start, settings, data)
    training.announce()
    if config.find_lr:
        return TrainDetectorResult(found_rate=training.found_rate())
    training.check_free()
    return training.written(training.trained())


def _resumed(config: TrainDetectorConfig) -> TrainDetectorConfig:
    """Return the config of the training to resume."""
    from drive.detection.old_checkpoint import stopped_config

    folder = config.resume or ""
    here: dict[str, Any] = {"resume": folder, "out": folder, "overwrite": True}
    if config.find_lr:
        raise InputError("--find-lr trains nothing that could resume. Leave out --resume")
    if config.datasets or config.extra:
        return replace(config, **here)
    refuse_with_resume(config)
    given = {name: getattr(config, name) for name in config.given.intersection(config.resumable())}
    before = TrainDetectorConfig.from_settings(stopped_config(folder), folder)
    return replace(before, **(given | here))


def _known_classes(start: Path) -> tuple[str, ...]:
    """Return the classes that the weights to begin from know."""
    from drive.detection.dataset import CLASSES
    from drive.detection.transfer import weights_classes

    return CLASSES if start.suffix == DARKNET_ARRAYS else weights_classes(start)


def _settings(config: TrainDetectorConfig, start: Path) -> TrainingSettings:
    values = {each.name: getattr(config, each.name) for each in fields_of(TrainingSettings)}
    if start.suffix == DARKNET_ARRAYS and config.frozen_epochs is None:
        values["frozen_epochs"] = 0
    return TrainingSettings(**values)


def _read(config: TrainDetectorConfig, start: Path, run: Run) -> _Data:
    """Read the datasets and split them."""
    from drive.detection.class_list import choose_classes, describe_classes, parse_classes
    from drive.detection.dataset import concatenate, open_dataset
    from drive.detection.dataset_formats import label_file

    paths = [*config.extra, *config.datasets]
    if not paths:
        raise InputError("train-detector requires a DATASET or --extra DATASET")
    run.add_inputs(*(label_file(Path(path)) for path in paths))
    unsorted = {path: open_dataset(path) for path in paths}
    known, opened = _known_classes(start), list(unsorted.values())
    classes = parse_classes(config.classes) if config.classes else choose_classes(opened, known)
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
    from drive.detection.split import FEW_IMAGES, split_dataset, split_few

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


def _start(start: Path, training: LabelledImages, seed: int) -> keras.Model:
    """Return the network for the classes of `training`, with the weights to begin from."""
    from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive
    from drive.detection.transfer import start_from_onnx

    if start.suffix == DARKNET_ARRAYS:
        from drive.detection.darknet_start import start_from_darknet
        from drive.detection.schedule import start_images

        return start_from_darknet(start, start_images(training), training.classes)
    network = build_tiny_yolo_drive(len(training.classes))
    start_from_onnx(network, start, training.classes, seed)
    return network


@dataclass(frozen=True, slots=True)
class _Training:
    """A training that was asked for; `start` are the weights to begin from."""

    config: TrainDetectorConfig
    run: Run
    start: Path
    settings: TrainingSettings
    data: _Data

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder.path

    @property
    def of_darknet(self) -> bool:
        """Whether it begins from Darknet's weights, which no detector runs."""
        return self.start.suffix == DARKNET_ARRAYS

    def announce(self) -> None:
        """Report what is about to happen, in numbers, and what cannot be learnt."""
        from drive.detection.schedule import steps_per_epoch, untrained_classes

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
        from drive.detection.old_checkpoint import CHECKPOINT
        from drive.detection.train import BEST
        from drive.training.state import STATE

        results = (HISTORY, DETECTOR, DETECTOR_INT8, LOSS_PLOT, CURVES, EXAMPLES)
        for name in () if self.config.resume else (BEST, STATE, CHECKPOINT, *results):
            self.run.folder.file(name)

    def found_rate(self) -> FoundRate:
        """Search for a learning rate."""
        from drive.detection.train import DetectorCourse

        course = DetectorCourse(self._network(), self._turns(), self.data.validation, self.settings)
        epochs = self.config.epochs if "epochs" in self.config.given else 1
        model = course.compiled(frozen=False)
        return search_rate(model, course.batches, "adam", epochs, self.run.folder, self.run)

    def trained(self) -> TrainingResult:
        """Train; of a training that diverges, return the epochs before."""
        from drive.detection.old_checkpoint import CHECKPOINT
        from drive.detection.train import BEST, train_detector
        from drive.training.fit import kept_result
        from drive.training.state import STATE

        network, run, folder = self._network(), self.run, self.folder
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
        from drive.drawing.plots import plot_loss

        run, folder, data = self.run, self.folder, self.data
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
        from drive.detection.schedule import repeated

        return repeated(self.data.training, self.settings.batch)

    def _network(self) -> keras.Model:
        self.run.record.add_input(self.start)
        return _start(self.start, self.data.training, self.config.seed)

    def _export(self, network: keras.Model) -> Exported:
        """Write the ONNX file with its thresholds."""
        from drive.detection.export import export_detector
        from drive.detection.transfer import weights_thresholds

        path, validation = self.folder / DETECTOR, self.data.validation
        known = {} if self.of_darknet else weights_thresholds(self.start, validation.classes)
        return export_detector(network, path, validation, known, self.run.progress)

    def _export_int8(self) -> Path:
        """Write the int8 form beside the float one, calibrated on training images."""
        from drive.detection.int8 import evenly, quantise_detector

        path = self.folder / DETECTOR_INT8
        images = evenly(self.data.training.images, progress=self.run.progress)
        quantise_detector(self.folder / DETECTOR, path, images)
        return path

    def _measure(self, exported: Exported, int8: Path | None) -> dict[str, DetectionMetrics]:
        """Measure before and after, draw curves and examples; return the metrics."""
        from drive.detection.evaluate import as_table
        from drive.detection.export import measure
        from drive.detection.schedule import sample

        run, validation = self.run, self.data.validation
        if exported.measured is None:
            shown = sample(self.data.training)
            measured, found = measure(self.folder / DETECTOR, shown, run.progress)
            shown_there = f"{CURVES} and {EXAMPLES} show training images"
            run.warn(f"no labelled image was held out: {shown_there}")
            _draw(measured, shown, found, exported.thresholds, "training", self.folder)
            return {}
        files = {"before": None if self.of_darknet else self.start, INT8: int8}
        rows: dict[str, Evaluation] = {"after": exported.measured}
        for name, path in files.items():
            if path and (result := measure(path, validation, run.progress)[0]):
                rows[name] = result
        run.message(as_table({n: rows[n] for n in ("before", "after", INT8) if n in rows}))
        metrics = {name: row.metrics() for name, row in rows.items()}
        _warn_if_worse(metrics["after"], metrics.get("before"), len(validation.images), run)
        found, thresholds = exported.found, exported.thresholds
        _draw(exported.measured, validation, found, thresholds, "validation", self.folder)
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
    from drive.detection.examples import choose_examples
    from drive.drawing.plots import plot_precision_recall
    from drive.drawing.prediction_sheet import SheetImage, write_prediction_sheet

    note = "" if what == "validation" else f", {what} images"
    plot_precision_recall(folder / CURVES, measured.curves(note) if measured else {})
    examples = choose_examples(shown, found, thresholds)
    typical = sum(example.typical for example in examples)
    worst = f": the {len(examples) - typical} worst, then {typical} typical ones"
    order = worst if typical else ", worst first"
    title = f"{len(examples)} of {len(shown.images)} {what} images{order}"
    shown_images = (SheetImage(e.image.read(), e.caption, e.truth, e.found) for e in examples)
    write_prediction_sheet(folder / EXAMPLES, title, shown_images)
