"""The steering network of NVIDIA's "End to End Learning for Self-Driving Cars" (arXiv 1604.07316).

Knows shapes and layers; nothing of pictures on disk, of training or of degrees beyond one scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drive.engine.quiet import load_keras
from drive.errors import InputError
from drive.steering.preprocess import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    import keras

VARIANTS = ("published", "elu")
"""`published`: ReLU and dense layers of 100, 50, 10, 1, the 252,219 parameters of the paper's
figure 4. `elu`: ELU and a dense layer of 1164 before the 100, which is how most ports read the
"1164 neurons" under the flattened features in that figure."""

INITIAL = "he_normal"
"""How weights begin (He et al., arXiv 1502.01852), in both variants. The paper does not say; with
Keras' own Glorot the signal halves at each of nine ReLU layers, and small data sets never left
the answer zero (docs/decisions/steering.md)."""

PUBLISHED_PARAMETERS = 252_219


def build_network(variant: str = "published", scale_deg: float = 1.0) -> keras.Model:
    """Build the network with random weights (drawn from Keras' global seed).

    Args:
        variant: one of `VARIANTS`.
        scale_deg: degrees that the last dense layer's 1.0 stands for; a `Rescaling` without
            parameters turns it into degrees, so that the layers see targets of about 1.

    Returns:
        A model from (N, 66, 200, 3) uint8 YUV to (N, 1) float32 degrees, positive right.

    Raises:
        InputError: an unknown variant, or a scale that is not above 0.
    """
    if variant not in VARIANTS:
        raise InputError(f"variant is one of {', '.join(VARIANTS)}. Received: {variant!r}")
    if not scale_deg > 0:
        raise InputError(f"scale_deg is in degrees, above 0. Received: {scale_deg!r}")
    load_keras()
    import keras
    from keras import layers

    activation = "elu" if variant == "elu" else "relu"

    def conv(filters: int, size: int, stride: int, name: str) -> keras.layers.Layer:
        return layers.Conv2D(
            filters, size, stride, activation=activation, kernel_initializer=INITIAL, name=name
        )

    def dense(units: int, name: str) -> keras.layers.Layer:
        return layers.Dense(units, activation=activation, kernel_initializer=INITIAL, name=name)

    image = keras.Input((INPUT_HEIGHT, INPUT_WIDTH, 3), dtype="uint8", name="image_yuv")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="normalise")(image)
    x = conv(24, 5, 2, "conv1")(x)
    x = conv(36, 5, 2, "conv2")(x)
    x = conv(48, 5, 2, "conv3")(x)
    x = conv(64, 3, 1, "conv4")(x)
    x = conv(64, 3, 1, "conv5")(x)
    x = layers.Flatten(name="flatten")(x)
    if variant == "elu":
        x = dense(1164, "dense1164")(x)
    x = dense(100, "dense100")(x)
    x = dense(50, "dense50")(x)
    x = dense(10, "dense10")(x)
    x = layers.Dense(1, kernel_initializer=INITIAL, name="steering")(x)
    angle_deg = layers.Rescaling(scale_deg, name="degrees")(x)
    return keras.Model(image, angle_deg, name=f"steering_{variant}")
