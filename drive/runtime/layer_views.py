"""What the first layers of a Keras network look for, and what they answer to a picture.

Knows Keras models of any purpose; draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

ACTIVATIONS = ("LeakyReLU", "ReLU", "ELU", "Activation", "PReLU")


@dataclass(frozen=True, slots=True, eq=False)
class LayerMaps:
    """What a convolution answers: `values` is (N, rows, columns) float32, N its filters."""

    layer: str
    values: np.ndarray


def first_kernels(model: keras.Model) -> np.ndarray | None:
    """(N, rows, columns, 3) float32 of the first convolution; None where it sees no 3 channels."""
    convolutions = _convolutions(_all_layers(model))
    kernels = convolutions[0].get_weights()[0] if convolutions else np.zeros((0, 0, 0))
    if kernels.ndim != 4 or kernels.shape[2] != 3:
        return None
    return np.moveaxis(kernels, -1, 0)


def feature_maps(model: keras.Model, picture: np.ndarray, layers: int = 2) -> list[LayerMaps]:
    """What the first convolutions answer, behind their activations.

    Args:
        model: a network of one input.
        picture: (H, W, 3), as the network takes it.
        layers: how many convolutions; those inside another network are left out.
    """
    import keras

    own = list(model.layers)
    chosen = _convolutions(own)[:layers]
    if not chosen:
        return []
    answers = [_activated(own, layer).output for layer in chosen]
    values = keras.Model(model.inputs, answers)([picture[None]], training=False)
    values = values if isinstance(values, list | tuple) else [values]
    arrays = [np.asarray(keras.ops.convert_to_numpy(each))[0] for each in values]
    return [
        LayerMaps(layer.name, np.moveaxis(array, -1, 0))
        for layer, array in zip(chosen, arrays, strict=True)
    ]


def _convolutions(layers: list[Any]) -> list[Any]:
    return [layer for layer in layers if type(layer).__name__ == "Conv2D"]


def _all_layers(model: keras.Model) -> list[Any]:
    """The model's layers in order, those inside of networks in it too."""
    found = []
    for layer in model.layers:
        found += _all_layers(layer) if hasattr(layer, "layers") else [layer]
    return found


def _activated(layers: list[Any], layer: Any) -> Any:
    """The layer that activates what a convolution answers: itself, or the one behind it."""
    place = layers.index(layer) + 1
    behind = layers[place] if place < len(layers) else None
    return behind if type(behind).__name__ in ACTIVATIONS else layer
