"""A small detector and a small reference network, so that bench has little to do."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from drive.benchmark import stages
from drive.conversion.onnx_writer import write_onnx
from drive.detection.tiny_yolo_drive import build_tiny_yolo_drive, onnx_metadata


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of a detector with random weights and a small input."""
    path = tmp_path / "weights" / "small.onnx"
    path.parent.mkdir()
    keras.utils.set_random_seed(0)
    metadata = onnx_metadata({"car": 0.3}, [(64, 128)])
    write_onnx(build_tiny_yolo_drive(1), path, metadata)
    return path


@pytest.fixture
def small_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for tiny YOLO v1 and its 45 million weights."""

    def write(path: Path) -> None:
        image = keras.Input((32, 32, 3), name="image")
        x = keras.layers.Conv2D(4, 3, name="conv1")(image)
        write_onnx(keras.Model(image, keras.layers.Flatten(name="flat")(x)), path, {})

    monkeypatch.setattr(stages, "write_reference", write)
