"""Tiny YOLO v1, the network as published, in the later form with three fully connected layers.

Source: Redmon et al., "You Only Look Once", CVPR 2016, section 2.2; Darknet's source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drive.runtime.quiet import load_keras

if TYPE_CHECKING:
    import keras

INPUT_SIDE = 448  # pixels
FILTERS = (16, 32, 64, 128, 256, 512, 1024, 1024, 1024)  # of the nine 3x3 convolutions
POOLED = 6  # a 2x2 max-pool follows each of the first six
LEAKY_SLOPE = 0.1  # Darknet, activations.h: leaky_activate
DENSE = (256, 4096)  # units of the hidden fully connected layers; the first is linear
OUTPUTS = 1470  # 7 x 7 cells x (20 classes + 2 boxes x (1 confidence + 4 coordinates))
PARAMETERS = 45_089_374


def build_tiny_yolo_v1(pixels: bool = True) -> keras.Model:
    """Build tiny YOLO v1 with 45,089,374 random weights: (N, 448, 448, 3) RGB to (N, 1470).

    The input is from 0 to 255 with `pixels`, else from -1 to 1. `decode` reads the output.
    """
    load_keras()
    import keras
    from keras import layers

    image = keras.Input((INPUT_SIDE, INPUT_SIDE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image) if pixels else image
    for number, filters in enumerate(FILTERS, start=1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(negative_slope=LEAKY_SLOPE, name=f"leaky{number}")(x)
        if number <= POOLED:
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Permute((3, 1, 2), name="channels_first")(x)  # Darknet flattens this way
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(DENSE[0], name="dense1")(x)
    x = layers.Dense(DENSE[1], name="dense2")(x)
    x = layers.LeakyReLU(negative_slope=LEAKY_SLOPE, name="leaky10")(x)
    x = layers.Dense(OUTPUTS, name="detections")(x)
    return keras.Model(image, x, name="tiny-yolo-v1")
