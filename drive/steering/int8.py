"""The steering network's int8 form, calibrated on pictures as the network is given them.

Knows that the first layer stays as it is; `drive.conversion.quantise` quantises a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from drive.conversion.quantise import quantise

FLOAT_FIRST = True
"""The first layer stays float: rounding the picture itself costs 0.05 to 0.19 degrees, the rest
0.04 to 0.07 (root mean square against the float network, docs/decisions.md)."""


def quantise_steering(
    float_weights: str | Path, int8_weights: str | Path, pictures: Iterable[np.ndarray]
) -> int:
    """Write the int8 form of a steering network's float weights, whole or not at all.

    Args:
        float_weights: an `.onnx` file of `drive.steering.network`.
        int8_weights: the file to write; `drive.runtime.int8_form.int8_beside` says its usual name.
        pictures: (66, 200, 3) uint8 YUV of `drive.steering.preprocess`, from drives that taught
            the network; never those that measure it.

    Returns:
        The number of pictures that were used.

    Raises:
        InputError: there is no picture.
        WeightsError: the file is no ONNX file, or int8 already.
    """
    batches = (picture[None] for picture in pictures)
    return quantise(float_weights, int8_weights, batches, float_first=FLOAT_FIRST)
