"""AP50 of weights on every hold-out, side by side, with `evaluate-detector`'s own code.

    python benchmarks/measure_detector.py ../shared FRAMES A.onnx B.keras [--detail fast]

A `.keras` file of a training is written as ONNX beside itself first.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.detector_data import measuring_sets
from benchmarks.slim import build_slim, is_slim
from drive.conversion.onnx_writer import write_onnx
from drive.detection.dataset import CLASSES
from drive.detection.detector import load_detector
from drive.detection.evaluate import Evaluation, detect_all, evaluate
from drive.detection.tiny_yolo_drive import INPUT_SIZES, build_tiny_yolo_drive, onnx_metadata
from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

SHOWN = ("car", "truck", "bus", "motorcycle", "bicycle", "person")
FEWEST = 5  # boxes of a class, to be shown
USUAL_THRESHOLD = 0.4  # AP does not depend on it


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--detail", nargs="+", choices=["fast", "fine"], default=["fine"])
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sets", nargs="*", help="only those whose names contain one of these")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sets = {
        name: part
        for name, part in measuring_sets(args.shared, args.frames).items()
        if not args.sets or any(word in name for word in args.sets)
    }
    rows: dict[str, dict[str, Evaluation]] = {name: {} for name in sets}
    for weights in args.weights:
        path = as_onnx(Path(weights)) if weights.endswith(".keras") else weights
        for detail in args.detail:
            detector = load_detector(path, args.engine, threads=args.threads, detail=detail)
            title = f"{Path(weights).parent.name}/{Path(weights).stem} {detail}"
            for name, part in sets.items():
                rows[name][title] = evaluate(part, detect_all(detector, part))
    say(rows)
    if args.json:
        args.json.write_text(
            json.dumps({n: {t: asdict(e.metrics()) for t, e in r.items()} for n, r in rows.items()})
        )


def say(rows: dict[str, dict[str, Evaluation]]) -> None:
    """Print a block for each set: classes with at least a few boxes, a line for each weights."""
    for name, lines in rows.items():
        if not lines:
            continue
        first = next(iter(lines.values()))
        shown = [c for c in SHOWN if c in first.classes and first.classes[c].boxes >= FEWEST]
        head = " ".join(f"{c}({first.classes[c].boxes})".rjust(15) for c in shown)
        print(f"{name} ({first.images})".ljust(44), head)
        for title, row in lines.items():
            print(f"  {title[-40:]}".ljust(44), *(f"{row.classes[c].ap50:15.3f}" for c in shown))


def as_onnx(path: Path) -> Path:
    """Write a trained network as an ONNX file beside it and return that."""
    target = path.with_suffix(".onnx")
    thresholds = dict.fromkeys(CLASSES, USUAL_THRESHOLD)
    write_onnx(in_float32(path), target, onnx_metadata(thresholds, INPUT_SIZES))
    return target


def in_float32(path: Path) -> keras.Model:
    """Load a trained network, in float32 whatever the training computed in."""
    load_keras()
    import keras

    trained = keras.saving.load_model(path, compile=False)
    network = (build_slim if is_slim(trained) else build_tiny_yolo_drive)(len(CLASSES))
    network.set_weights(trained.get_weights())
    return network


if __name__ == "__main__":
    main()
