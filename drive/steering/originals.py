"""A steering network for `drive.conversion.export`, with a description of input and output."""

from __future__ import annotations

import json
from pathlib import Path

from drive.conversion.export import Original, describe_input
from drive.conversion.onnx_writer import write_onnx
from drive.runtime.base import Engine
from drive.runtime.keras_file import load_model
from drive.runtime.onnx_file import read_model
from drive.steering.curvature import CURVATURE
from drive.steering.exposure import LARGEST_EXPONENT, LEAST_EXPONENT, MIDDLE
from drive.steering.model_file import load_network, read_network_metadata
from drive.steering.predict import SteeringModel, load_steering
from drive.steering.preprocess import COLOURS, INPUT_HEIGHT, INPUT_WIDTH, preprocess

KERAS_SUFFIX = ".keras"

EVENED = (
    "after the resize, each RGB value v of 255 becomes 255 (v / 255)^e. e is "
    f"log {MIDDLE} / log m, from {LEAST_EXPONENT} to {LARGEST_EXPONENT}; m: the median grey level "
    "of the crop, of 255"
)

FLOAT_FIRST = True
"""In the int8 form the first layer stays float: rounding the image itself costs 0.05 to 0.19
degrees, the rest 0.04 to 0.07 (root mean square against the float network, docs/decisions.md)."""


def open_original(path: Path, work: Path) -> Original:
    """Open a steering network or an ensemble for export; `work` holds ONNX forms."""
    metadata = read_network_metadata(path)
    onnx_path = _as_onnx(path, metadata, work)
    model = load_steering(onnx_path, "onnx")
    outputs = json.dumps([output.name for output in read_model(onnx_path).graph.output])
    return Original(
        name=path.stem,
        onnx_path=onnx_path,
        metadata={**metadata, **_describe(model), "outputs": outputs},
        size=(INPUT_HEIGHT, INPUT_WIDTH),
        prepare=lambda frame: preprocess(frame, model.crop),
        load=lambda engine: _load(path, engine),
        build=lambda: load_network(path)[0],
        usual_spread=float(metadata["scale_deg"]),
        float_first=FLOAT_FIRST,
    )


def _as_onnx(path: Path, metadata: dict[str, str], work: Path) -> Path:
    if path.suffix.lower() != KERAS_SUFFIX:
        return path
    target = work / f"{path.stem}.onnx"
    if not target.is_file():
        write_onnx(load_model(path), target, metadata, half=False, input_dtype="uint8")
    return target


def _load(path: Path, engine: str) -> Engine:
    """Return the network in a runtime; a `.keras` file always in Keras."""
    chosen = "keras" if path.suffix.lower() == KERAS_SUFFIX else engine
    return load_steering(path, chosen).engine


def _describe(model: SteeringModel) -> dict[str, str]:
    crop = {
        "shares_of_frame": {name: getattr(model.crop, name) for name in ("top", "bottom", "side")},
        "meaning": "top and bottom: where the crop begins and ends, of the height; side: left out "
        "on the left and again on the right, of the width",
        "taller_than_wide": "top and bottom are shares of the middle square",
        "even": EVENED if model.crop.even else "the exposure stays as it is",
    }
    answer = "curvature, see output_per_curvature" if model.curvature else "steering angle"
    return {
        "preprocessing": describe_input(
            sizes=[(INPUT_HEIGHT, INPUT_WIDTH)],
            colours=f"{COLOURS} of BT.601, full range, grey at U = V = 128 (COLOR_RGB2YUV)",
            crop=crop,
            resize="plain, the aspect is not kept",
            interpolation="INTER_AREA",
        ),
        "postprocessing": json.dumps(
            {
                "answer": answer,
                "unit": CURVATURE if model.curvature else "degrees",
                "positive": "right",
                "members": model.members,
            }
        ),
    }
