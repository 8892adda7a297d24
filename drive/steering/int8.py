"""The int8 form of the steering network; see `drive.conversion.quantise`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from drive.conversion.quantise import quantise

FLOAT_FIRST = True
"""The first layer stays float: rounding the image itself costs 0.05 to 0.19 degrees, the rest
0.04 to 0.07 (root mean square against the float network, docs/decisions.md)."""


def quantise_steering(
    float_weights: str | Path, int8_weights: str | Path, images: Iterable[np.ndarray]
) -> int:
    """Write the int8 form of a steering network's float weights, whole or not at all.

    Args:
        float_weights: `.onnx` file.
        int8_weights: file to write.
        images: (66, 200, 3) uint8 YUV of `drive.steering.preprocess`, from recordings that the
            network was trained on; never from held-out ones.

    Returns:
        The number of images.

    Raises:
        InputError: there is no image.
        WeightsError: the file is not an ONNX file, or already int8.
    """
    batches = (image[None] for image in images)
    return quantise(float_weights, int8_weights, batches, float_first=FLOAT_FIRST)
