"""`evaluate-detector`: average precision of the detector on labelled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.options import option
from drive.core.reporter import Reporter
from drive.core.types import Detection
from drive.core.wording import are, counted
from drive.detection.dataset_formats import FORMATS
from drive.results.json_files import write_json
from drive.results.names import CURVES, METRICS
from drive.tasks._options import DetailOptions, EngineOptions, TilesOptions
from drive.tasks._run import Run, SeedConfig, TaskResult, WeightsConfig, run_task

if TYPE_CHECKING:
    from drive.detection.dataset import LabelledImages
    from drive.detection.evaluate import DetectionMetrics, Evaluation

EVERYTHING = "all"


@dataclass(frozen=True)
class EvaluateDetectorConfig(EngineOptions, DetailOptions, TilesOptions, WeightsConfig, SeedConfig):
    """What the detector is evaluated on."""

    summary = "Average precision of the car detector on labelled images, as in COCO and VOC."
    example = "evaluate-detector my_images --split test"
    group = "options"

    dataset: str = option(help=f"dataset folder: {FORMATS}", metavar="DATASET", positional=True)
    _: KW_ONLY
    split: str = option(
        EVERYTHING,
        "part to evaluate on; train-detector holds out test",
        choices=(EVERYTHING, "train", "validation", "test"),
    )
    origin: Sequence[str] = option((), "use only images of these origins (labels.csv)", "NAME")


@dataclass(frozen=True, kw_only=True)
class EvaluateDetectorResult(TaskResult):
    """Average precision of the detector: over all images, and by origin if there are several.

    `evaluations` are what these are computed from, with the curves, by row of the table.
    """

    metrics: DetectionMetrics
    origins: Mapping[str, DetectionMetrics]
    evaluations: Mapping[str, Evaluation]

    def as_json(self) -> dict[str, object]:
        """Return the entries of `metrics.json`."""
        return asdict(self.metrics) | {"origins": self.origins} | self.run_files()

    def as_text(self) -> str:
        """Return the table of average precision."""
        from drive.detection.evaluate import as_table

        return as_table(self.evaluations)


def evaluate_detector(
    config: EvaluateDetectorConfig, reporter: Reporter | None = None
) -> EvaluateDetectorResult:
    """Detect in every image and compare with the labelled boxes.

    Raises:
        InputError: the dataset is missing or invalid, or no box is left to compare with.

    Example:
        >>> from drive import EvaluateDetectorConfig, evaluate_detector
        >>> result = evaluate_detector(EvaluateDetectorConfig("my_images", split="test"))
        >>> result.metrics.map50
    """
    return run_task("evaluate-detector", _evaluate, config, reporter)


def _evaluate(config: EvaluateDetectorConfig, run: Run) -> EvaluateDetectorResult:
    from drive.detection.detector import load_detector, prefer_detail, shipped_weights
    from drive.detection.evaluate import detect_all, evaluate
    from drive.detection.tiles import with_tiles
    from drive.drawing.plots import plot_precision_recall
    from drive.tasks._detecting import say_detector

    detector = load_detector(config.weights, config.engine, detail=config.detail)
    if config.detail is None:
        prefer_detail(detector, "fine")
    say_detector(run, detector)
    run.record.add_input(config.weights or shipped_weights(config.engine))
    dataset = _read(config, detector.classes, run)
    with run.record.stage("detect"):
        tiled, damaged = with_tiles(detector, config.tiles), list[Path]()
        found = detect_all(tiled, dataset, run.progress, damaged.append)
    if damaged:
        told = f"{counted(len(damaged), 'image')} {are(len(damaged))} damaged"
        run.warn(f"{told}, such as {damaged[0].name}: only what can be decoded is evaluated")
    total = evaluate(dataset, found)
    rows = _by_origin(dataset, found)
    metrics, origins = total.metrics(), {name: row.metrics() for name, row in rows.items()}
    write_json(run.folder.file(METRICS), asdict(metrics) | {"origins": origins})
    plot_precision_recall(run.folder.file(CURVES), total.curves())
    return EvaluateDetectorResult(
        metrics=metrics, origins=origins, evaluations={**rows, EVERYTHING: total}
    )


def _read(config: EvaluateDetectorConfig, classes: tuple[str, ...], run: Run) -> LabelledImages:
    """Return the images to evaluate on, with the boxes of the detector's classes."""
    from drive.detection.dataset import read_dataset
    from drive.detection.dataset_formats import label_file
    from drive.detection.split import FEW_IMAGES, split_dataset

    dataset = read_dataset(config.dataset, classes)
    run.record.add_input(label_file(Path(config.dataset)))
    run.message(f"{config.dataset}: {dataset.summary()}")
    run.record.counts.update(dataset.counts)
    origins = dataset.origins
    if config.split != EVERYTHING:
        if len(dataset.images) < FEW_IMAGES:
            run.warn(
                f"of fewer than {FEW_IMAGES} images, train-detector holds out none without "
                f"--hold-out: --split {config.split} may contain images that it trained on"
            )
        parts = split_dataset(dataset, run.progress)
        dataset = dataset.select(part == config.split for part in parts)
    if config.origin:
        dataset = dataset.select(image.origin in config.origin for image in dataset.images)
    if not dataset.images:
        raise InputError(
            f"{config.dataset}: no image is left of --split {config.split}, --origin "
            f"{' '.join(config.origin) or 'any'}; expected an origin among {', '.join(origins)}"
        )
    return dataset


def _by_origin(
    dataset: LabelledImages, found: Sequence[Sequence[Detection]]
) -> dict[str, Evaluation]:
    """Return the evaluation of each origin that has boxes, if there are several origins."""
    from drive.detection.evaluate import evaluate

    rows = {}
    for origin in dataset.origins if len(dataset.origins) > 1 else ():
        chosen = [image.origin == origin for image in dataset.images]
        part = dataset.select(chosen)
        if any((~image.ignored).any() for image in part.images):
            kept = [f for f, keep in zip(found, chosen, strict=True) if keep]
            rows[origin] = evaluate(part, kept)
    return rows
