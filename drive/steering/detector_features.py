"""Features of a road: the first five convolutions of the detector that ships, frozen."""

from __future__ import annotations

import cv2
import numpy as np

from drive.core.shipped import DETECTOR
from drive.runtime.part_of_file import load_until
from drive.steering.exposure import even_exposure

LAYER = "pool5"
"""The fifth convolution with its pooling: better than the fourth alone, and as good as the sixth
(docs/decisions/steering.md)."""

ROWS, COLUMNS, CHANNELS = 2, 6, 256
FEATURES = ROWS * COLUMNS * CHANNELS
"""What they make of a 200x66 image."""

BATCH = 32


class DetectorFeatures:
    """Compute the features of (66, 200, 3) images, by row, then column, then channel.

    Example:
        >>> features = DetectorFeatures()
        >>> features(as_rgb(images, even=False)).shape  # images: (N, 66, 200, 3) uint8 YUV
        (N, 3072)
    """

    def __init__(self, engine: str = "auto") -> None:
        self._engine = load_until(DETECTOR, LAYER, (CHANNELS, ROWS, COLUMNS), engine)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return (N, 3072) float32 features of (N, 66, 200, 3) uint8 RGB images."""
        found = np.empty((len(images), FEATURES), np.float32)
        for start in range(0, len(images), BATCH):
            some = np.ascontiguousarray(images[start : start + BATCH])
            maps, *_ = self._engine.predict(some)
            found[start : start + BATCH] = maps.transpose(0, 2, 3, 1).reshape(len(some), FEATURES)
        return found


def as_rgb(images: np.ndarray, even: bool) -> np.ndarray:
    """Return (N, H, W, 3) uint8 YUV images as RGB with even exposure: `even` if they have it."""
    rgb = [cv2.cvtColor(one, cv2.COLOR_YUV2RGB) for one in images]
    return np.stack(rgb if even else [even_exposure(one) for one in rgb])
