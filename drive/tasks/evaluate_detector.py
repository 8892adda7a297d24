"""`evaluate-detector`: average precision of the detector on labelled images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.tasks._common import Context, add_detail_option, add_tiles_option
from drive.tasks._detecting import say_detector

if TYPE_CHECKING:
    from drive.core.types import Detection
    from drive.detection.dataset import LabelledImages
    from drive.detection.evaluate import Evaluation
    from drive.results.run_folder import RunFolder

HELP = "Average precision of the car detector on labelled images, as COCO and VOC define it."
EXAMPLE = "evaluate-detector my_images --split test"

METRICS = "metrics.json"
CURVES = "precision_recall.png"
EVERYTHING = "all"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder with labels.csv, data.yaml or Annotations/"
    )
    parser.add_argument(
        "--split",
        choices=[EVERYTHING, "train", "validation", "test"],
        default=EVERYTHING,
        help="the part to measure on; test is what train-detector never saw (default: all)",
    )
    parser.add_argument(
        "--origin", nargs="+", metavar="NAME", help="only pictures of these origins (labels.csv)"
    )
    parser.add_argument(
        "--engine", choices=["auto", "openvino", "onnx", "keras"], default="auto", help="runtime"
    )
    add_detail_option(parser, "fine, as detect does it with pictures")
    add_tiles_option(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Detect on every picture, compare, write metrics.json and the curves, print the table."""
    from drive.detection.detector import load_detector, prefer_detail, shipped_weights
    from drive.detection.evaluate import as_table, detect_all, evaluate
    from drive.detection.tiles import with_tiles
    from drive.results.json_files import write_json

    detector = load_detector(args.weights, args.engine, detail=args.detail)
    if args.detail is None:
        prefer_detail(detector, "fine")
    say_detector(context, detector)
    finder = with_tiles(detector, args.tiles)
    context.record.add_input(args.weights or shipped_weights(args.engine))
    dataset = _dataset(args, detector.classes, context)
    with context.record.stage("detect"):
        found = detect_all(finder, dataset, context.progress)
    total = evaluate(dataset, found)
    rows = _by_origin(dataset, found)
    folder = context.run_folder()
    metrics = total.metrics() | {"origins": {name: row.metrics() for name, row in rows.items()}}
    write_json(folder.file(METRICS), metrics)
    _plot(total, folder)
    sys.stdout.write(as_table({**rows, EVERYTHING: total}) + "\n")
    return metrics


def _dataset(
    args: argparse.Namespace, classes: tuple[str, ...], context: Context
) -> LabelledImages:
    """Return the pictures that the options ask for, with the boxes of the detector's classes."""
    from drive.core.errors import InputError
    from drive.detection.dataset import read_dataset
    from drive.detection.dataset_formats import label_file
    from drive.detection.split import FEW_PICTURES, split_dataset

    dataset = read_dataset(args.dataset, classes)
    context.record.add_input(label_file(Path(args.dataset)))
    context.message(f"{args.dataset}: {dataset.summary()}")
    context.record.counts.update(dataset.counts)
    origins = dataset.origins
    if args.split != EVERYTHING:
        if len(dataset.images) < FEW_PICTURES:
            context.warn(
                f"of fewer than {FEW_PICTURES} pictures, train-detector holds none out unless it "
                f"is told to with --hold-out: --split {args.split} may measure on what trained"
            )
        parts = split_dataset(dataset, context.progress)
        dataset = dataset.select(part == args.split for part in parts)
    if args.origin:
        dataset = dataset.select(image.origin in args.origin for image in dataset.images)
    if not dataset.images:
        raise InputError(
            f"{args.dataset}: no picture is left. Expected --origin among {', '.join(origins)} and "
            f"a split with pictures. Received: --split {args.split}, --origin {args.origin}"
        )
    return dataset


def _by_origin(dataset: LabelledImages, found: list[list[Detection]]) -> dict[str, Evaluation]:
    """Return a line for each origin, where there are several of which one can be measured."""
    from drive.detection.evaluate import evaluate

    rows = {}
    for origin in dataset.origins if len(dataset.origins) > 1 else ():
        chosen = [image.origin == origin for image in dataset.images]
        part = dataset.select(chosen)
        if any((~image.ignored).any() for image in part.images):
            rows[origin] = evaluate(
                part, [f for f, keep in zip(found, chosen, strict=True) if keep]
            )
    return rows


def _plot(result: Evaluation, folder: RunFolder) -> None:
    from drive.drawing.plots import plot_precision_recall

    curves = {
        name: (of_class.recall, of_class.precision, of_class.ap50)
        for name, of_class in result.classes.items()
    }
    plot_precision_recall(folder.file(CURVES), curves)
