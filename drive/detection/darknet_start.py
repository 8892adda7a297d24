"""Initialises `tiny-yolo-drive` from yolov3-tiny (Darknet's weights, trained on COCO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import MissingFileError, WeightsError
from drive.detection.dataset import CLASSES
from drive.detection.tiny_yolo_drive import (
    ANCHORS,
    BOX_VALUES,
    CENTRE_GAIN,
    WIDEST,
    build_tiny_yolo_drive,
)

if TYPE_CHECKING:
    import keras

FOLD_EPSILON = 1e-6  # Darknet adds it to the standard deviation, not to the variance
COCO_IDS = {"person": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
COCO_CLASSES = 80
FULL_WIDTH = 1024  # filters of yolov3-tiny's widest convolution
RIDGE = 1e-3  # share of the mean diagonal; keeps the least squares well-posed
QUIET_LOGIT = -4.0  # objectness of an untrained head: 0.018

DARKNET_LAYERS = (
    "conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7",
    "neck32", "features32", "head32", "neck16", "features16", "head16",
)  # fmt: skip  # our names of yolov3-tiny's convolutions 1 to 13


def start_from_darknet(
    path: str | Path, images: np.ndarray, classes: Sequence[str] = CLASSES
) -> keras.Model:
    """Build `tiny-yolo-drive` with yolov3-tiny's weights, see `load_darknet_weights`.

    A few dozen typical `images` (N, H, W, 3) uint8 RGB decide which half of conv7 to keep.
    """
    wide = build_tiny_yolo_drive(len(classes), FULL_WIDTH)
    load_darknet_weights(wide, path, classes)
    model = build_tiny_yolo_drive(len(classes))
    for layer in model.layers:
        if layer.weights and layer.name not in ("conv7", "neck32"):
            layer.set_weights(wide.get_layer(layer.name).get_weights())
    kept, neck = narrow(wide, images)
    kernel, bias = wide.get_layer("conv7").get_weights()
    model.get_layer("conv7").set_weights([kernel[..., kept], bias[kept]])
    model.get_layer("neck32").set_weights(neck)
    return model


def narrow(wide: keras.Model, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the (WIDEST,) filters of conv7 to keep, and the refitted kernel and bias of `neck32`.

    Filters go one by one: the one whose absence changes the neck's values least after the others
    are refitted (Hassibi, Stork, "Second Order Derivatives for Network Pruning", 1992).
    """
    import keras

    seen = keras.Model(wide.input, wide.get_layer("conv7_leaky").output)
    values = np.concatenate(
        [keras.ops.convert_to_numpy(seen(p[None])).reshape(-1, FULL_WIDTH) for p in images]
    ).astype(np.float64)
    kernel, bias = (w.astype(np.float64) for w in wide.get_layer("neck32").get_weights())
    shape = kernel.shape
    rows = np.concatenate([kernel.reshape(FULL_WIDTH, -1), bias[None]])
    inputs = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    products = inputs.T @ inputs / len(inputs)
    products += RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    inverse = np.linalg.inv(products)
    alive = np.ones(FULL_WIDTH + 1, bool)
    for _ in range(FULL_WIDTH - WIDEST):
        harm = (rows**2).sum(axis=1) / np.diag(inverse)
        harm[~alive] = np.inf
        harm[-1] = np.inf  # the bias stays
        worst = int(harm.argmin())
        column = inverse[:, worst] / inverse[worst, worst]
        rows -= np.outer(column, rows[worst])
        inverse -= np.outer(column, inverse[worst])
        alive[worst] = False
        rows[worst] = 0
        inverse[worst, worst] = 1.0
    kept = np.flatnonzero(alive[:-1])
    refitted = rows[kept].reshape(*shape[:2], WIDEST, shape[3])
    return kept, [refitted.astype(np.float32), rows[-1].astype(np.float32)]


def load_darknet_weights(
    model: keras.Model,
    path: str | Path,
    classes: Sequence[str] = CLASSES,
    centre_gain: float = CENTRE_GAIN,
) -> None:
    """Fill what `model` shares with yolov3-tiny; the third head starts at random and quietly.

    `model` has `FULL_WIDTH` filters in conv7. The `.npz` has `convNN_kernel` (row, column, in, out)
    and `_beta _gamma _mean _variance` or `_bias`. `centre_gain` is 1 for yolov3-tiny itself.
    """
    unknown = [name for name in classes if name not in COCO_IDS]
    if unknown:
        raise WeightsError(
            f"{path}: classes must be among {', '.join(COCO_IDS)}; got {', '.join(unknown)}"
        )
    if not Path(path).is_file():
        raise MissingFileError(f"there is no weights file {path}")
    with np.load(path) as arrays:
        for number, name in enumerate(DARKNET_LAYERS, start=1):
            try:
                kernel, bias = _folded(arrays, f"conv{number:02d}")
            except KeyError as error:
                raise WeightsError(f"{path}: the array {error} is missing") from error
            if name.startswith("head"):
                kernel, bias = (_rows_of(v, classes, centre_gain) for v in (kernel, bias))
            layer = model.get_layer(name)
            if kernel.shape != tuple(layer.kernel.shape):
                raise WeightsError(
                    f"{path}: {name} must have shape {tuple(layer.kernel.shape)}; "
                    f"got {kernel.shape}"
                )
            layer.set_weights([kernel, bias])
    _quieten(model.get_layer("head8"), len(classes))


def _quieten(head: keras.layers.Conv2D, classes: int) -> None:
    """Let a head with random weights find nothing at first."""
    kernel, bias = head.get_weights()
    per_anchor = bias.reshape(-1, BOX_VALUES + classes)
    per_anchor[:, 4] = QUIET_LOGIT
    head.set_weights([kernel * 0.1, per_anchor.reshape(bias.shape)])


def _folded(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias with the batch normalisation folded in."""
    kernel = arrays[f"{name}_kernel"].astype(np.float32)
    if f"{name}_bias" in arrays:
        return kernel, arrays[f"{name}_bias"]
    gain = arrays[f"{name}_gamma"] / (np.sqrt(arrays[f"{name}_variance"]) + FOLD_EPSILON)
    return kernel * gain, arrays[f"{name}_beta"] - arrays[f"{name}_mean"] * gain


def _rows_of(values: np.ndarray, classes: Sequence[str], centre_gain: float) -> np.ndarray:
    """Return the outputs (last axis) of a COCO head for our classes; centres move by the gain."""
    anchors = len(ANCHORS[32])
    rows = [*range(BOX_VALUES), *(BOX_VALUES + COCO_IDS[name] for name in classes)]
    split = values.reshape(*values.shape[:-1], anchors, BOX_VALUES + COCO_CLASSES)[..., rows]
    split = np.concatenate([split[..., :2] / centre_gain, split[..., 2:]], axis=-1)
    return split.reshape(*values.shape[:-1], -1).astype(np.float32)
