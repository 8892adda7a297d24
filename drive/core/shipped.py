"""Where the files that come with drive lie: weights, the sample recording.

An installed wheel holds copies in `drive/_shipped/`.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = PACKAGE / "_shipped"
CHECKOUT = PACKAGE.parent
"""The folder that holds the package: of a checkout, its root."""

HOME = INSTALLED if INSTALLED.is_dir() else CHECKOUT

WEIGHTS = HOME / "weights"
SAMPLE = HOME / "data" / "sample"
DETECTOR = WEIGHTS / "tiny-yolo-drive.onnx"
STEERING = WEIGHTS / "steering.onnx"
STEERING_START = WEIGHTS / "steering-start.keras"
"""Where a training of the steering network begins."""
