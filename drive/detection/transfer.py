"""Initialises a network for any classes from a trained one, keeping what it knows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import WeightsError
from drive.detection.tiny_yolo_drive import ANCHORS, BOX_VALUES, NAME, STRIDES
from drive.runtime.int8_form import is_int8
from drive.runtime.onnx_file import read_metadata, read_weights

if TYPE_CHECKING:
    import keras

NEW_DEVIATION = 0.01  # of a new class's kernel (Lin et al., "Focal Loss", ICCV 2017, section 4.1)
NEW_PROBABILITY = 0.05  # of a new class at the start; 0.01 in that paper, where each of 100,000
# places has a loss, not only those that hold a box
HEADS = tuple(f"head{stride}" for stride in STRIDES)


def weights_classes(path: str | Path) -> tuple[str, ...]:
    """Return the classes of an ONNX file of `tiny-yolo-drive`."""
    metadata = read_metadata(path)
    if metadata.get("network") != NAME:
        raise WeightsError(
            f"{path}: training starts from weights of {NAME}; got network {metadata.get('network')}"
        )
    if is_int8(metadata):
        raise WeightsError(f"{path}: training starts from float weights; got an int8 file")
    return tuple(json.loads(metadata["classes"]))


def weights_thresholds(path: str | Path, classes: Sequence[str]) -> dict[str, float]:
    """Return the thresholds of a file for those of `classes` that it knows."""
    stored = json.loads(read_metadata(path).get("thresholds", "{}"))
    return {name: stored[name] for name in classes if name in stored}


def start_from_onnx(
    model: keras.Model, path: str | Path, classes: Sequence[str], seed: int = 0
) -> None:
    """Fill a network for `classes` with trained weights; rows of new classes start quietly."""
    known = weights_classes(path)
    stored = read_weights(path)
    rng = np.random.default_rng(seed)
    filled = []
    for layer in (layer for layer in model.layers if layer.weights):
        arrays = [
            stored.get(f"{layer.name}/{weight.name}", np.zeros(0)) for weight in layer.weights
        ]
        if layer.name in HEADS and all(array.size for array in arrays):
            arrays = _head(layer.name, arrays, known, classes, rng)
        expected = [tuple(weight.shape) for weight in layer.weights]
        got = [array.shape for array in arrays]
        if expected != got:
            raise WeightsError(
                f"{path}: layer {layer.name} must have shapes {expected}; got {got}. Was the file "
                "written by another version of drive?"
            )
        filled.append((layer, [array.astype(np.float32) for array in arrays]))
    for layer, arrays in filled:
        layer.set_weights(arrays)


def _head(
    name: str,
    arrays: Sequence[np.ndarray],
    known: Sequence[str],
    classes: Sequence[str],
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return kernel and bias of a head with the outputs of `classes` instead of `known`."""
    anchors = len(ANCHORS[STRIDES[HEADS.index(name)]])
    outputs = anchors * (BOX_VALUES + len(known))
    if arrays[0].shape[-1] != outputs:
        return list(arrays)  # the caller reports the shapes
    quiet = -math.log(1 / NEW_PROBABILITY - 1)
    result = []
    for array in arrays:
        rows = array.reshape(*array.shape[:-1], anchors, BOX_VALUES + len(known))
        kinds = [rows[..., :BOX_VALUES]]
        for label in classes:
            if label in known:
                column = BOX_VALUES + known.index(label)
                kinds.append(rows[..., column : column + 1])
            elif array.ndim == 1:
                kinds.append(np.full((anchors, 1), quiet))
            else:
                kinds.append(rng.normal(0, NEW_DEVIATION, (*rows.shape[:-1], 1)))
        result.append(np.concatenate(kinds, axis=-1).reshape(*array.shape[:-1], -1))
    return result
