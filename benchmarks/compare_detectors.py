"""Average precision of drive's detector beside yolov3-tiny and the teacher, per origin.

    python benchmarks/compare_detectors.py ../shared/cars --split test \
        --yolov3-tiny ../shared/pretrained/yolov3-tiny.npz --teacher ../shared/teacher/*.onnx

The same images, the same matching and the same code as `evaluate-detector`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.teacher import Teacher
from benchmarks.yolov3_tiny import load_yolov3_tiny
from drive.detection.dataset import read_dataset
from drive.detection.detector import load_detector
from drive.detection.evaluate import Evaluation, as_table, detect_all, evaluate
from drive.detection.network_detector import Finder
from drive.detection.split import split_dataset


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--split", default="test")
    parser.add_argument("--detail", choices=["fast", "fine"], default="fine")
    parser.add_argument("--weights", nargs="*", default=[], help="files of tiny-yolo-drive")
    parser.add_argument("--yolov3-tiny")
    parser.add_argument("--teacher")
    args = parser.parse_args()
    dataset = read_dataset(args.dataset)
    if args.split != "all":
        dataset = dataset.select(part == args.split for part in split_dataset(dataset))
    rows: dict[str, Evaluation] = {}
    for name, detector in detectors(args).items():
        found = detect_all(detector, dataset)
        for origin in dataset.origins:
            chosen = [image.origin == origin for image in dataset.images]
            kept = [f for f, keep in zip(found, chosen, strict=True) if keep]
            rows[f"{origin or 'all'}, {name}"] = evaluate(dataset.select(chosen), kept)
    print(as_table(dict(sorted(rows.items()))))


def detectors(args: argparse.Namespace) -> dict[str, Finder]:
    """Return what to compare, by name."""
    found: dict[str, Finder] = {
        path: load_detector(path, detail=args.detail) for path in args.weights
    }
    if not args.weights:
        found["tiny-yolo-drive"] = load_detector(detail=args.detail)
    if args.yolov3_tiny:
        found["yolov3-tiny"] = load_yolov3_tiny(args.yolov3_tiny, args.detail)
    if args.teacher:
        found["teacher"] = Teacher(args.teacher)
    return found


if __name__ == "__main__":
    main()
