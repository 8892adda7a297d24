"""Tiny-yolo-drive: tiny YOLO's convolutions, fully convolutional, with heads at strides 32 and 16.

The topology is that of yolov3-tiny with the batch normalisation folded into the convolutions, for
six classes. Knows the layers and how to begin from Darknet's weights; not how it is trained, and
not how its outputs become boxes (`decode.decode_heads`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drive.cars.dataset import CLASSES
from drive.engine.quiet import load_keras
from drive.errors import MissingFileError, WeightsError

if TYPE_CHECKING:
    import keras

NAME = "tiny-yolo-drive"
STRIDES = (32, 16)
ANCHORS: dict[int, tuple[tuple[int, int], ...]] = {
    32: ((81, 82), (135, 169), (344, 319)),
    16: ((23, 27), (37, 58), (81, 82)),
}
"""Width and height in pixels of the input, per stride: yolov3-tiny's masks 3,4,5 and 1,2,3."""

INPUT_SIZES = ((320, 704), (256, 768), (384, 640), (384, 512), (416, 416), (512, 384))
"""Height and width of the inputs to choose from, by aspect; all have about as many pixels. The
first is the road region of a 16:9 frame."""

NMS_IOU = 0.45  # Darknet's default for its detectors (examples/detector.c)
LEAKY_SLOPE = 0.1  # paper (Redmon et al., CVPR 2016), equation 2
FOLD_EPSILON = 1e-6  # Darknet adds it to the standard deviation, not to the variance

COCO_IDS = {"person": 0, "bicycle": 1, "car": 2, "motorcycle": 3, "bus": 5, "truck": 7}
COCO_CLASSES = 80
BOX_VALUES = 5  # x, y, width, height, objectness

DARKNET_LAYERS = (
    "conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7",
    "neck32", "features32", "head32", "neck16", "features16", "head16",
)  # fmt: skip
"""Our names of yolov3-tiny's convolutions 1 to 13, in the order of its file."""


def build_tiny_yolo_drive(classes: int = len(CLASSES)) -> keras.Model:
    """Build the network with random weights.

    Input (N, H, W, 3) uint8 RGB, H and W multiples of 32. Outputs in the order of `STRIDES`:
    (N, H/32, W/32, A * (5 + C)) and (N, H/16, W/16, A * (5 + C)), raw, in yolov3's parametrisation.

    Source: Redmon, Farhadi, "YOLOv3", 2018; cfg/yolov3-tiny.cfg of Darknet.
    """
    load_keras()
    import keras
    from keras import layers

    def convolve(x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
        x = layers.Conv2D(filters, size, padding="same", name=name)(x)
        return layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_leaky")(x)

    def halve(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.MaxPooling2D(2, name=name)(x)

    outputs = len(ANCHORS[32]) * (BOX_VALUES + classes)

    image = keras.Input((None, None, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = halve(convolve(x, 16, 3, "conv1"), "pool1")
    x = halve(convolve(x, 32, 3, "conv2"), "pool2")
    x = halve(convolve(x, 64, 3, "conv3"), "pool3")
    x = halve(convolve(x, 128, 3, "conv4"), "pool4")
    stride16 = convolve(x, 256, 3, "conv5")
    x = convolve(halve(stride16, "pool5"), 512, 3, "conv6")
    x = layers.MaxPooling2D(2, strides=1, padding="same", name="pool6")(x)
    x = convolve(x, 1024, 3, "conv7")
    neck = convolve(x, 256, 1, "neck32")

    x = convolve(neck, 512, 3, "features32")
    head32 = layers.Conv2D(outputs, 1, name="head32")(x)

    x = convolve(neck, 128, 1, "neck16")
    x = layers.UpSampling2D(2, name="upsample")(x)
    x = layers.Concatenate(name="join")([x, stride16])
    x = convolve(x, 256, 3, "features16")
    head16 = layers.Conv2D(outputs, 1, name="head16")(x)
    return keras.Model(image, [head32, head16], name=NAME)


def load_darknet_weights(
    model: keras.Model, path: str | Path, classes: Sequence[str] = CLASSES
) -> None:
    """Begin from yolov3-tiny: fold its batch normalisation in, take the heads' rows of our classes.

    Args:
        model: of `build_tiny_yolo_drive`.
        path: `.npz` with `convNN_kernel` (row, column, in, out) and `_beta _gamma _mean _variance`
            or `_bias` for the 13 convolutions.
        classes: those of the model, each a class of COCO.

    Raises:
        MissingFileError: there is no such file.
        WeightsError: arrays are missing or of other shapes, or a class is not in `COCO_IDS`.
    """
    unknown = [name for name in classes if name not in COCO_IDS]
    if unknown:
        raise WeightsError(
            f"{path}: begins only with classes of {list(COCO_IDS)}; received: {unknown}"
        )
    if not Path(path).is_file():
        raise MissingFileError(f"no such weights file; received: {path}")
    with np.load(path) as arrays:
        for number, name in enumerate(DARKNET_LAYERS, start=1):
            try:
                kernel, bias = _folded(arrays, f"conv{number:02d}")
            except KeyError as error:
                raise WeightsError(f"{path}: array missing; expected: {error}") from error
            if name.startswith("head"):
                kernel, bias = _rows_of(kernel, classes), _rows_of(bias, classes)
            layer = model.get_layer(name)
            if kernel.shape != tuple(layer.kernel.shape):
                raise WeightsError(
                    f"{path}: {name} expected in shape {tuple(layer.kernel.shape)}; "
                    f"received: {kernel.shape}"
                )
            layer.set_weights([kernel, bias])


def onnx_metadata(
    thresholds: Mapping[str, float], input_sizes: Sequence[tuple[int, int]]
) -> dict[str, str]:
    """Return what a model file says about itself, as `TinyYoloDriveDetector` reads it.

    Args:
        thresholds: least score for each class, in the order of the outputs.
        input_sizes: (height, width) in pixels that the network was trained and measured at.
    """
    return {
        "network": NAME,
        "classes": json.dumps(list(thresholds)),
        "thresholds": json.dumps(dict(thresholds)),
        "input_sizes": json.dumps([list(size) for size in input_sizes]),
        "strides": json.dumps(list(STRIDES)),
        "anchors": json.dumps({str(stride): ANCHORS[stride] for stride in STRIDES}),
        "letterbox": "true",
        "colour_order": "RGB",
        "nms_iou": json.dumps(NMS_IOU),
    }


def _folded(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias with the batch normalisation folded in."""
    kernel = arrays[f"{name}_kernel"].astype(np.float32)
    if f"{name}_bias" in arrays:
        return kernel, arrays[f"{name}_bias"]
    gain = arrays[f"{name}_gamma"] / (np.sqrt(arrays[f"{name}_variance"]) + FOLD_EPSILON)
    return kernel * gain, arrays[f"{name}_beta"] - arrays[f"{name}_mean"] * gain


def _rows_of(values: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the outputs (last axis) of a COCO head that belong to our classes."""
    anchors = len(ANCHORS[32])
    rows = [*range(BOX_VALUES), *(BOX_VALUES + COCO_IDS[name] for name in classes)]
    split = values.reshape(*values.shape[:-1], anchors, BOX_VALUES + COCO_CLASSES)
    return split[..., rows].reshape(*values.shape[:-1], -1)
