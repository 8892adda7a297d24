"""Make the int8 form of the shipped weights, and measure what it costs.

    python benchmarks/quantise_detector.py weights/tiny-yolo-drive.onnx \
        weights/tiny-yolo-drive-int8.onnx --dataset ../shared/cars \
        --extra ../shared/clips/highway_*.mp4 ../shared/clips/traffic_540p.mp4

Calibrates on the training part of the data set, and on all of what is named as --extra (labelled
folders: their training part; images; videos: every 30th frame). Then prints AP of float and int8
on the validation part, by origin.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.core.region import Region
from drive.detection.dataset import LabelledImages, read_dataset
from drive.detection.detector import load_detector
from drive.detection.evaluate import Evaluation, as_table, detect_all, evaluate
from drive.detection.int8 import CALIBRATION_IMAGES, evenly, quantise_detector
from drive.detection.split import split_dataset
from drive.video.reader import read_frames, read_image
from drive.video.sources import Kind, find_source

FRAME_STEP = 30
LARGEST_LOSS = 0.01  # of AP50 for cars


def main() -> int:
    """Write the file and print the table; status 1 where int8 loses too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("float_weights")
    parser.add_argument("int8_weights")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--extra", nargs="*", default=[])
    parser.add_argument("--images", type=int, default=CALIBRATION_IMAGES)
    parser.add_argument("--split", default="validation", help="part to measure on")
    parser.add_argument("--engines", nargs="+", default=["openvino", "onnx"])
    parser.add_argument("--only-measure", action="store_true", help="the int8 file exists")
    args = parser.parse_args()
    dataset = read_dataset(args.dataset)
    parts = split_dataset(dataset)
    if not args.only_measure:
        train = dataset.select(part == "train" for part in parts)
        extra = (image for path in args.extra for image in pictures_of(path))
        images = itertools.chain(evenly(train.images, args.images), extra)
        used = quantise_detector(args.float_weights, args.int8_weights, images)
        sizes = [Path(p).stat().st_size / 1e6 for p in (args.float_weights, args.int8_weights)]
        print(f"calibrated on {used} images; {sizes[0]:.2f} MB float, {sizes[1]:.2f} MB int8")
    return measure(args, dataset.select(part == args.split for part in parts))


def pictures_of(path: str) -> Iterator[np.ndarray]:
    """Yield the training images of a labelled folder, an image, or the road of a video."""
    if Path(path).is_dir():
        dataset = read_dataset(path)
        parts = split_dataset(dataset)
        yield from evenly(dataset.select(part == "train" for part in parts).images)
        return
    if find_source(path).kind is Kind.IMAGES:
        image = read_image(path)
        if image is not None:
            yield image
        return
    with read_frames(path, stride=FRAME_STEP) as frames:
        for frame in frames:
            height, width = frame.image.shape[:2]
            yield Region.road(width, height).crop(frame.image)


def measure(args: argparse.Namespace, dataset: LabelledImages) -> int:
    """Print AP by origin and in all; return the exit status."""
    rows: dict[str, Evaluation] = {}
    wanted = [("float", args.float_weights, "auto")]
    wanted += [(f"int8 {engine}", args.int8_weights, engine) for engine in args.engines]
    for name, weights, engine in wanted:
        found = detect_all(load_detector(weights, engine), dataset)
        for origin in dataset.origins:
            chosen = [image.origin == origin for image in dataset.images]
            kept = [f for f, keep in zip(found, chosen, strict=True) if keep]
            rows[f"{origin or '-'}, {name}"] = evaluate(dataset.select(chosen), kept)
        rows[f"~ all, {name}"] = evaluate(dataset, found)
    print(as_table(dict(sorted(rows.items()))))
    losses = {
        name: rows["~ all, float"].classes["car"].ap50 - rows[f"~ all, {name}"].classes["car"].ap50
        for name, _, _ in wanted[1:]
    }
    for name, loss in losses.items():
        print(f"{name}: {-loss:+.4f} AP50 of cars against float (allowed: -{LARGEST_LOSS})")
    return int(max(losses.values()) > LARGEST_LOSS)


if __name__ == "__main__":
    sys.exit(main())
