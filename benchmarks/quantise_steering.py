"""Make the int8 form of the steering weights, and measure what it costs.

    python benchmarks/quantise_steering.py weights/steering.onnx weights/steering-int8.onnx \
        --calibrate DRIVE [DRIVE ...] --test DRIVE [DRIVE ...]

Calibrates on frames evenly spread over drives that taught the network. Then prints the error of
float and int8 on drives that did not, and how far the two lie apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drive.conversion.quantise import quantise
from drive.recordings.recording import open_recordings
from drive.steering.cache import CachedRecording, default_cache, open_cached
from drive.steering.originals import FLOAT_FIRST
from drive.steering.predict import SteeringModel, load_steering

PICTURES = 400
LARGEST_LOSS = 0.02  # degrees of the root mean square error


def main() -> int:
    """Write the file and print the table; status 1 where int8 loses too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("float_weights")
    parser.add_argument("int8_weights")
    parser.add_argument("--calibrate", nargs="+", required=True, metavar="DRIVE")
    parser.add_argument("--test", nargs="+", required=True, metavar="DRIVE")
    parser.add_argument("--images", type=int, default=PICTURES)
    parser.add_argument("--cache", default=str(default_cache()))
    args = parser.parse_args()
    model = load_steering(args.float_weights)
    taught = list(open_drives(args.calibrate, model, args.cache))
    batches = (image[None] for image in evenly(taught, args.images))
    used = quantise(args.float_weights, args.int8_weights, batches, float_first=FLOAT_FIRST)
    sizes = [Path(p).stat().st_size / 1e6 for p in (args.float_weights, args.int8_weights)]
    print(f"calibrated on {used} images; {sizes[0]:.2f} MB float, {sizes[1]:.2f} MB int8")
    losses = [
        compare(drive, model, load_steering(args.int8_weights))
        for drive in open_drives(args.test, model, args.cache)
    ]
    return int(max(losses) > LARGEST_LOSS)


def open_drives(paths: list[str], model: SteeringModel, cache: str) -> Iterator[CachedRecording]:
    """Yield the drives as the model sees them, decoded once."""
    for recording in open_recordings(paths):
        yield open_cached(recording, cache, crop=model.crop)


def evenly(drives: list[CachedRecording], count: int) -> Iterator[np.ndarray]:
    """Yield images of `preprocess`, evenly spread over all frames of the drives."""
    ends = np.cumsum([len(drive) for drive in drives])
    for place in np.linspace(0, ends[-1] - 1, count).astype(int):
        drive = int(np.searchsorted(ends, place, side="right"))
        yield np.array(drives[drive].images[place - ends[drive]])


def compare(drive: CachedRecording, float_model: SteeringModel, int8_model: SteeringModel) -> float:
    """Print the errors on a drive; return by how much that of int8 is larger, in degrees."""
    images = np.array(drive.images)
    exact, rounded = (m.predict_prepared(images) for m in (float_model, int8_model))
    errors = [rms(angle - drive.angle_deg) for angle in (exact, rounded)]
    print(
        f"{drive.name}: RMSE {errors[0]:.3f} degrees float, {errors[1]:.3f} int8; "
        f"apart {rms(rounded - exact):.3f}, in the mean {np.mean(rounded - exact):+.3f}"
    )
    return errors[1] - errors[0]


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    sys.exit(main())
