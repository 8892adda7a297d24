"""The steering network of "End to End Learning for Self-Driving Cars" (arXiv 1604.07316)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from drive.core.errors import InputError
from drive.runtime.quiet import load_keras
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    import keras

VARIANTS = ("published", "elu")
"""`published`: ReLU and dense layers of 100, 50, 10, 1, the 252,219 parameters of the paper's
figure 4. `elu`: ELU and a dense layer of 1164 before the 100, which is how most ports read the
"1164 neurons" under the flattened features in that figure."""

INITIAL = "he_normal"
"""Initial weights (He et al., arXiv 1502.01852). The paper does not state them; with the Glorot
weights of Keras small data sets never left the prediction zero (docs/decisions/steering.md)."""

PUBLISHED_PARAMETERS = 252_219

NORM, DROPOUT = "_norm", "_dropout"
"""Suffixes of the names of normalisation and dropout layers."""


def build_network(
    variant: str = "published",
    scale_deg: float = 1.0,
    *,
    dropout: float = 0.0,
    batch_norm: bool = False,
    l2: float = 0.0,
) -> keras.Model:
    """Build the network with random weights (drawn from Keras' global seed).

    It maps (N, 66, 200, 3) uint8 YUV to (N, 1) degrees. The last dense layer is in units of
    `scale_deg`, so that it sees targets of about 1. Dropout follows the convolutions and the dense
    layers of 100 and more; `l2` weighs the squared kernels in the training loss.
    """
    if variant not in VARIANTS:
        raise InputError(f"variant must be one of {', '.join(VARIANTS)}; got {variant!r}")
    if not scale_deg > 0:
        raise InputError(f"scale_deg must be above 0; got {scale_deg!r}")
    if not (0 <= dropout < 1 and 0 <= l2 < math.inf):
        raise InputError(
            f"dropout must be from 0 to below 1, l2 at least 0; got {dropout!r}, {l2!r}"
        )
    load_keras()
    import keras
    from keras import layers, regularizers

    activation = "elu" if variant == "elu" else "relu"
    kernels: dict[str, Any] = {
        "kernel_initializer": INITIAL,
        "kernel_regularizer": regularizers.L2(l2) if l2 else None,
    }

    def conv(filters: int, size: int, stride: int, name: str) -> Callable[[Any], Any]:
        if not batch_norm:
            layer: Callable[[Any], Any] = layers.Conv2D(
                filters, size, stride, activation=activation, name=name, **kernels
            )
            return layer
        plain = layers.Conv2D(filters, size, stride, use_bias=False, name=name, **kernels)
        normalise = layers.BatchNormalization(name=f"{name}{NORM}")
        activate = layers.Activation(activation, name=f"{name}_{activation}")
        return lambda x: activate(normalise(plain(x)))

    def dense(units: int, name: str) -> keras.layers.Layer:
        return layers.Dense(units, activation=activation, name=name, **kernels)

    def drop(x: Any, behind: str) -> Any:
        return layers.Dropout(dropout, name=f"{behind}{DROPOUT}")(x) if dropout else x

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    x = conv(24, 5, 2, "conv1")(x)
    x = conv(36, 5, 2, "conv2")(x)
    x = conv(48, 5, 2, "conv3")(x)
    x = conv(64, 3, 1, "conv4")(x)
    x = conv(64, 3, 1, "conv5")(x)
    x = drop(layers.Flatten(name="flatten")(x), "flatten")
    if variant == "elu":
        x = drop(dense(1164, "dense1164")(x), "dense1164")
    x = drop(dense(100, "dense100")(x), "dense100")
    x = dense(50, "dense50")(x)
    x = dense(10, "dense10")(x)
    x = layers.Dense(1, name="steering", **kernels)(x)
    angle_deg = layers.Rescaling(scale_deg, name="degrees")(x)
    return keras.Model(image, angle_deg, name=f"steering_{variant}")


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Return the same function with batch normalisation, if any, folded into the convolutions."""
    options = read_network_options(network_options(model))
    if not options["batch_norm"]:
        return model
    scale_deg, dropout = float(model.get_layer("degrees").scale), options["dropout"]
    variant = model.name.removeprefix("steering_")
    folded = build_network(variant, scale_deg, dropout=dropout)
    names = {layer.name for layer in model.layers}
    for layer in folded.layers:
        weights = model.get_layer(layer.name).get_weights()
        if f"{layer.name}{NORM}" in names:
            norm = model.get_layer(f"{layer.name}{NORM}")
            gamma, beta, mean, variance = norm.get_weights()
            factor = gamma / np.sqrt(variance + norm.epsilon)
            weights = [weights[0] * factor, beta - mean * factor]
        layer.set_weights(weights)
    return folded


def network_options(model: keras.Model) -> dict[str, str]:
    """Return the entries of a model file about `dropout` and `batch_norm`."""
    dropout = next((layer.rate for layer in model.layers if layer.name.endswith(DROPOUT)), 0.0)
    batch_norm = any(layer.name.endswith(NORM) for layer in model.layers)
    return {"dropout": repr(float(dropout)), "batch_norm": "yes" if batch_norm else "no"}


def read_network_options(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `build_network` for the entries of `network_options`."""
    return {
        "dropout": float(metadata.get("dropout", "0.0")),
        "batch_norm": metadata.get("batch_norm", "no") == "yes",
    }
