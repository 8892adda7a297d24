"""The int8 form of a network's weights: where it is and when it is used; imports no runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

PRECISION = "precision"
INT8 = "int8"
CALIBRATED_ON = "calibrated_on"  # metadata of the files that `drive.conversion.quantise` writes
INT8_MARK = "-int8"
INT8_RUNTIMES = {
    "auto": ("openvino", "onnxruntime"),  # an engine runs int8 files if one of these is installed
    "openvino": ("openvino",),
    "onnx": ("onnxruntime",),
}


def is_int8(metadata: Mapping[str, str]) -> bool:
    """Return whether our quantiser wrote a file with this metadata; others' int8 files are not."""
    return metadata.get(PRECISION) == INT8 and CALIBRATED_ON in metadata


def int8_beside(float_weights: str | Path) -> Path:
    """Return the path of the int8 form of a weights file: NAME-int8.onnx for NAME.onnx."""
    path = Path(float_weights)
    return path.with_name(f"{path.stem}{INT8_MARK}{path.suffix}")


def usual_form(float_weights: Path, engine: str = "auto") -> Path:
    """Return the default file: the int8 form if it exists and the engine runs it, else float."""
    int8 = int8_beside(float_weights)
    packages = INT8_RUNTIMES.get(engine, ())
    if int8.is_file() and any(importlib.util.find_spec(package) for package in packages):
        return int8
    return float_weights
