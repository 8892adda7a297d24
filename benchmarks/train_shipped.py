"""Train the weights that ship: people's boxes, and the teachers' where there are none.

    python benchmarks/train_shipped.py ../shared FRAMES OUT [--weights W.onnx] [--resume]

FRAMES holds the video frames that `label_with_teacher.py look --frames FRAMES` wrote. What trains
and what is held out is in `detector_data`. `--bf16` trains in bfloat16 with float32 variables: 1.6
times as fast where the processor has AVX512-BF16. `--free-only` leaves out images whose terms
are non-commercial or research. A light network: `--slim START.weights.h5 --distil 0.5`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.detector_data import training_set, validation_set
from benchmarks.weather import VIDEO_SHARE, as_video, weather
from drive.core.progress import Item
from drive.detection import augment
from drive.detection.augment import Sample
from drive.detection.dataset import CLASSES, LabelledImages
from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive
from drive.detection.training_settings import TrainingSettings
from drive.detection.transfer import start_from_onnx

if TYPE_CHECKING:
    import keras

    from drive.detection.loss import Tensor
    from drive.detection.train import TrainingModel

WITH_LAMPS = [CLASSES.index(name) for name in ("car", "bus", "truck", "motorcycle")]


def main() -> None:
    """Train, with checkpoints after every epoch."""
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    _prepare(args)
    from drive.detection import train

    training = training_set(args.shared, args.frames, args.free_only)
    validation = validation_set(args.shared, args.frames)
    print(len(training.images), "images per epoch,", len(validation.images), "choose", flush=True)
    say_counts(training)
    if args.bf16:
        train.TrainingModel.call = _in_float  # type: ignore[assignment, method-assign]
    old = build_tiny_yolo_drive(len(CLASSES))
    start_from_onnx(old, args.weights, CLASSES)
    network = _light(args.slim) if args.slim else old
    if args.slim and args.distil:
        from benchmarks.distil import distilling_model

        train.TrainingModel = distilling_model(old, args.distil)  # type: ignore[misc]
    settings = TrainingSettings(
        epochs=args.epochs, learning_rate=args.learning_rate, freeze=args.freeze, frozen_epochs=0
    )
    with_weather()
    train.train_detector(
        network, training, validation, args.out, settings, resume=args.resume, progress=printed
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--freeze", type=int, default=2, help="first convolutions that stay")
    parser.add_argument("--weights", type=Path, default=Path("weights/tiny-yolo-drive.onnx"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--free-only", action="store_true")
    parser.add_argument("--slim", type=Path, help="weights.h5 of `slim`: train the light network")
    parser.add_argument("--distil", type=float, default=0.0, help="share of what --weights predict")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    if args.distil and not args.slim:
        parser.error("--distil requires --slim")
    return args


def _prepare(args: argparse.Namespace) -> None:
    """Set threads and precision, before any network is built."""
    from drive.runtime.quiet import load_keras

    load_keras()
    import keras
    import tensorflow

    cv2.setNumThreads(1)
    tensorflow.config.threading.set_intra_op_parallelism_threads(args.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(args.threads)
    if args.bf16:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")


def _light(start: Path) -> keras.Model:
    from benchmarks.slim import build_slim

    network = build_slim(len(CLASSES))
    network.load_weights(start)
    return network


def with_weather() -> None:
    """Let every placed image get weather, and some samples go through H.264."""
    place, degrade = augment.place, augment.degrade

    def placed(sample: Sample, height: int, width: int, rng: np.random.Generator) -> Sample:
        made = place(sample, height, width, rng)
        vehicles = np.isin(made.class_ids, WITH_LAMPS)
        return replace(made, image=weather(made.image, made.boxes, vehicles, rng))

    def degraded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        image = degrade(image, rng)
        return as_video(image, rng) if rng.random() < VIDEO_SHARE else image

    augment.place, augment.degrade = placed, degraded


def say_counts(training: LabelledImages) -> None:
    """Print how many boxes of each class are learnt, and how many ignored."""
    for i, name in enumerate(CLASSES):
        learnt = sum(int(((x.class_ids == i) & ~x.ignored).sum()) for x in training.images)
        ignored = sum(int(((x.class_ids == i) & x.ignored).sum()) for x in training.images)
        print(f"  {name}: {learnt} learnt, {ignored} ignored", flush=True)


def _in_float(model: TrainingModel, images: Tensor, training: bool = False) -> Tensor:
    """Return the heads in float32, whatever the network computes in."""
    import keras

    return [keras.ops.cast(h, "float32") for h in model.network(images, training=training)]


def printed(
    iterable: Iterable[Item], total: int | None = None, description: str = ""
) -> Iterator[Item]:
    """Say every 50th step that it was begun."""
    for number, item in enumerate(iterable):
        if number % 50 == 0:
            print(description, number, "of", total, flush=True)
        yield item


if __name__ == "__main__":
    main()
