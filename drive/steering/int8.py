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
    """Write the int8 form of a steering network, whole or not at all; return the number of images.

    `images` are the network's inputs, from recordings that it was trained on; never held-out ones.
    """
    batches = (image[None] for image in images)
    return quantise(float_weights, int8_weights, batches, float_first=FLOAT_FIRST)
