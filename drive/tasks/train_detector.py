"""`train-detector`: train or fine-tune the car detector on labelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.options import option
from drive.core.reporter import Reporter
from drive.detection.dataset_formats import FORMATS
from drive.detection.training_settings import LearningOptions
from drive.results.names import DETECTOR, DETECTOR_INT8
from drive.tasks._run import ReportConfig, Run, SeedConfig, TaskResult, WeightsConfig, run_task

if TYPE_CHECKING:
    from drive.detection.evaluate import DetectionMetrics
    from drive.tasks._rate_search import FoundRate


@dataclass(frozen=True)
class TrainDetectorConfig(LearningOptions, ReportConfig, WeightsConfig, SeedConfig):
    """What the detector is trained on, and how."""

    summary = "Train or fine-tune the car detector on labelled images, for any classes."
    example = "train-detector my_images --out outputs/my_detector"
    group = "data"

    datasets: Sequence[str] = option(
        (),
        f"dataset folders: {FORMATS}. From 100 images on, a quarter is held out for "
        "evaluate-detector --split test, and a twelfth selects the epoch and the thresholds. With "
        "fewer images, a seventh is used for selection and the rest for training",
        "DATASET",
        positional=True,
    )
    _: KW_ONLY
    extra: Sequence[str] = option(
        (),
        "extra datasets, used entirely for training; name one twice to use each image twice",
        "DATASET",
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
        "do not train: increase the learning rate over one epoch (or --epochs), at least 300 "
        "steps, until the loss rises; suggest a tenth of the rate with the lowest loss",
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


def _train(config: TrainDetectorConfig, run: Run) -> TrainDetectorResult:
    from drive.core.shipped import DETECTOR as SHIPPED
    from drive.runtime.quiet import load_keras

    load_keras()  # before the modules that import it
    if config.resume:
        config = run.use(_resumed(config))
    from drive.tasks._detector_training import DetectorTraining, read_data, settings_of

    start = Path(config.weights or SHIPPED)
    settings = settings_of(config, start)
    with run.record.stage("read"):
        data = read_data(config, start, run)
    training = DetectorTraining(config, run, start, settings, data)
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
    config.refuse_with_resume()
    given = {name: getattr(config, name) for name in config.given.intersection(config.resumable())}
    before = TrainDetectorConfig.from_settings(stopped_config(folder), folder)
    return replace(before, **(given | here))
