"""The steering network on the detector that ships: its first five convolutions, one dense layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.core.shipped import DETECTOR
from drive.runtime.onnx_file import read_weights
from drive.runtime.quiet import load_keras
from drive.steering.backbone import BLACK_YUV, LARGEST_PIXEL, PREFIX, YUV_TO_BGR
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH
from drive.steering.training_settings import SOLVED

if TYPE_CHECKING:
    import keras

    from drive.steering.ridge import RidgeFit

FILTERS = (16, 32, 64, 128, 256)
LEAKY_SLOPE = 0.1
"""The detector's convolutions, see `drive.detection.tiny_yolo_drive`."""


def build_on_detector(scale_deg: float = 1.0) -> keras.Model:
    """Build the network with random weights; see `build_network` for input and output."""
    if not scale_deg > 0:
        raise InputError(f"scale_deg must be above 0; got {scale_deg!r}")
    load_keras()
    import keras
    from keras import layers

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    x = layers.Rescaling(1.0, offset=[-v for v in BLACK_YUV], name="centre")(image)
    colours = layers.Conv2D(3, 1, use_bias=False, trainable=False, name="rgb")
    x = colours(x)
    colours.set_weights([np.array(YUV_TO_BGR[::-1], np.float32).T[None, None]])
    x = layers.ReLU(max_value=LARGEST_PIXEL, name="in_range")(x)
    x = layers.Rescaling(1 / LARGEST_PIXEL, name="rescale")(x)
    for number, filters in enumerate(FILTERS, start=1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"conv{number}_leaky")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(1, name="steering")(x)
    angle_deg = layers.Rescaling(scale_deg, name="degrees")(x)
    return keras.Model(image, angle_deg, name=f"{PREFIX}{SOLVED}")


def as_network(fit: RidgeFit, scale_deg: float) -> keras.Model:
    """Return the network that predicts what a regression does."""
    model, stored = build_on_detector(scale_deg), read_weights(DETECTOR)
    for number in range(1, len(FILTERS) + 1):
        name = f"conv{number}"
        weights = [stored[f"{name}/{kind}"].astype(np.float32) for kind in ("kernel", "bias")]
        model.get_layer(name).set_weights(weights)
    kernel, bias = fit.weights[:, None] / scale_deg, np.array([fit.offset_deg / scale_deg])
    model.get_layer("steering").set_weights([kernel, bias])
    return model
