"""The int8 form of a network's weights: where it lies, and whether it is what runs.

Imports no runtime: which file to load is decided before one is loaded.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

INT8_SUFFIX = "-int8"
INT8_RUNTIMES: dict[str, tuple[str, ...]] = {
    "auto": ("openvino", "onnxruntime"),
    "openvino": ("openvino",),
    "onnx": ("onnxruntime",),
}
"""The packages of which one must be there for an engine to run int8 files."""


def int8_beside(float_weights: str | Path) -> Path:
    """Return where the int8 form of a float weights file lies: NAME.onnx, NAME-int8.onnx."""
    path = Path(float_weights)
    return path.with_name(f"{path.stem}{INT8_SUFFIX}{path.suffix}")


def usual_form(float_weights: Path, engine: str = "auto") -> Path:
    """Return the file that runs where nobody names one.

    The int8 form, if it lies beside the float one and the engine can run it; else the float one.
    """
    int8 = int8_beside(float_weights)
    packages = INT8_RUNTIMES.get(engine, ())
    if int8.is_file() and any(importlib.util.find_spec(package) for package in packages):
        return int8
    return float_weights
