"""The kernels of the first layer of a Keras network, and its feature maps of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drive.core.types import FloatArray, Image
from drive.runtime.keras_file import as_arrays

if TYPE_CHECKING:
    import keras

ACTIVATIONS = ("LeakyReLU", "ReLU", "ELU", "Activation", "PReLU")


@dataclass(frozen=True, slots=True, eq=False)
class LayerMaps:
    """The feature maps of a convolution: `values` is (N, rows, columns) float32 for N filters."""

    layer: str
    values: FloatArray


def first_kernels(model: keras.Model) -> FloatArray | None:
    """Return (N, rows, columns, 3) kernels; None if the first layer does not take 3 channels."""
    convolutions = _convolutions(_all_layers(model))
    kernels = convolutions[0].get_weights()[0] if convolutions else np.zeros((0, 0, 0))
    if kernels.ndim != 4 or kernels.shape[2] != 3:
        return None
    return np.moveaxis(kernels, -1, 0)


def feature_maps(model: keras.Model, image: Image, layers: int = 2) -> list[LayerMaps]:
    """Return the activated feature maps of the first convolutions outside nested networks.

    The image is (H, W, 3), prepared for the network.
    """
    import keras

    own = list(model.layers)
    chosen = _convolutions(own)[:layers]
    if not chosen:
        return []
    outputs = [_activated(own, layer).output for layer in chosen]
    arrays = as_arrays(keras.Model(model.inputs, outputs)([image[None]], training=False))
    return [
        LayerMaps(layer.name, np.moveaxis(array[0], -1, 0))
        for layer, array in zip(chosen, arrays, strict=True)
    ]


def _convolutions(layers: list[keras.Layer]) -> list[keras.Layer]:
    return [layer for layer in layers if type(layer).__name__ == "Conv2D"]


def _all_layers(model: keras.Model) -> list[keras.Layer]:
    found = []
    for layer in model.layers:
        found += _all_layers(layer) if hasattr(layer, "layers") else [layer]
    return found


def _activated(layers: list[keras.Layer], layer: keras.Layer) -> keras.Layer:
    """Return the layer that activates a convolution: itself, or the next one."""
    behind = next(iter(layers[layers.index(layer) + 1 :]), None)
    return behind if type(behind).__name__ in ACTIVATIONS else layer
