"""The files of a steering network, `.keras` and `.onnx`, with metadata such as crop and unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.conversion.onnx_writer import write_onnx
from drive.core.errors import WeightsError
from drive.results.verdict import Verdict
from drive.runtime.base import MODEL_SUFFIXES, check_model_file
from drive.runtime.keras_file import load_model, read_notes, save_model
from drive.runtime.onnx_file import load_onnx_weights, read_metadata, read_weights
from drive.steering.backbone import backbone_option
from drive.steering.evaluate import TrainingMetrics
from drive.steering.evidence import Evidence, describe_evidence
from drive.steering.network import NORM, network_options
from drive.steering.predict import NETWORK, build_from_metadata
from drive.steering.preprocess import COLOURS, INPUT_HEIGHT, INPUT_WIDTH, RoadCrop

if TYPE_CHECKING:
    import keras

KERAS_FILE = "model.keras"


def describe(
    model: keras.Model,
    variant: str,
    crop: RoadCrop | str,
    angle_deg: np.ndarray,
    recordings: list[str],
) -> dict[str, str]:
    """Return the metadata of a model file, with the angles and recordings it was trained on."""
    return {
        "network": NETWORK,
        "variant": variant,
        **network_options(model),
        **backbone_option(model),
        "colours": COLOURS,
        "crop": str(crop),
        "input": f"{INPUT_WIDTH}x{INPUT_HEIGHT}",
        "unit": "degrees",
        "positive": "right",
        "scale_deg": repr(float(model.get_layer("degrees").scale)),
        "training_mean_deg": repr(float(np.mean(angle_deg, dtype=np.float64))),
        "trained_on": ", ".join(recordings),
    }


def describe_quality(metrics: TrainingMetrics, known: Evidence, verdict: Verdict) -> dict[str, str]:
    """Return the entries of a model file about how good it was at the end of its training."""
    held_out = metrics.test or metrics.validation
    return describe_evidence(known, held_out.explained.model) | verdict.as_metadata()


def save_trained(model: keras.Model, keras_path: Path, metadata: Mapping[str, str]) -> Path:
    """Write a trained network as `.keras` and, beside it, as `.onnx`; return the latter's path."""
    save_model(model, keras_path, metadata)
    onnx_path = keras_path.with_suffix(".onnx")
    write_onnx(model, onnx_path, metadata, half=False, input_dtype="uint8")
    return onnx_path


def load_network(path: str | Path) -> tuple[keras.Model, dict[str, str]]:
    """Load a steering network to train on, from `.keras` or `.onnx`, with its metadata."""
    metadata = read_network_metadata(path)
    if Path(path).suffix.lower() == ".onnx":
        model = build_from_metadata({**metadata, **_unfolded(path)})
        load_onnx_weights(model, path)
        return model, metadata
    return load_model(path), metadata


def _unfolded(path: str | Path) -> dict[str, str]:
    """Return what the first ensembles' `.onnx` files omit: that batch normalisation is in them."""
    holds_norm = any(name.split("/")[0].endswith(NORM) for name in read_weights(path))
    return {"batch_norm": "yes"} if holds_norm else {}


def read_network_metadata(path: str | Path) -> dict[str, str]:
    """Return what a steering network's file says of itself; others are a `WeightsError`."""
    check_model_file(path)
    suffix = Path(path).suffix.lower()
    if suffix not in MODEL_SUFFIXES:
        raise WeightsError(
            f"{path} is not a model file of a steering network; expected one that train-steering "
            f"wrote: {', '.join(MODEL_SUFFIXES)}"
        )
    onnx = suffix == ".onnx"
    metadata = read_metadata(path) if onnx else read_notes(path)
    if metadata.get("network") != NETWORK:
        raise WeightsError(
            f"{path} does not say that it is a steering network of drive. "
            f"Expected a model that train-steering wrote; got {metadata.get('network')!r}"
        )
    return metadata
