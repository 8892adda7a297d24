"""Copy what was drawn on an RGB image into the yuv420p planes of the same frame.

If little was drawn, this takes a fifth of the time of converting the whole image, and all other
pixels reach the encoder unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from drive.core.types import HD_HEIGHT, FloatArray, Image

WEIGHTS = {True: (0.2126, 0.0722), False: (0.299, 0.114)}
"""Weights of red and blue in the luma, by whether the image is HD (ITU-R BT.709, BT.601)."""

BLACK, LUMA_REACH, CHROMA_MIDDLE, CHROMA_REACH = 16, 219, 128, 224
"""The limited range: luma 16 to 235, chroma 128 +/- 112."""


class Place(NamedTuple):
    """A rectangle of whole pixels; x2 and y2 exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    def overlaps(self, other: Place) -> bool:
        """Return whether both share a pixel."""
        return (
            self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2
        )

    def grown(self, pixels: int) -> Place:
        """Return the rectangle with so many more pixels on each side."""
        return Place(self.x1 - pixels, self.y1 - pixels, self.x2 + pixels, self.y2 + pixels)


def carry_over(image: Image, planes: Image, places: Iterable[Place]) -> None:
    """Write the parts of an RGB image of even size at these places into `planes`, in place.

    The planes are (H * 3 / 2, W) I420 in limited range and the matrix of `HD_HEIGHT`. What is
    outside the image is ignored.
    """
    height, width = image.shape[:2]
    luma, *chroma = split(planes)
    for place in places:
        x1, y1 = max(place.x1, 0) // 2 * 2, max(place.y1, 0) // 2 * 2
        x2, y2 = min(place.x2 + 1, width) // 2 * 2, min(place.y2 + 1, height) // 2 * 2
        if x1 >= x2 or y1 >= y2:
            continue
        part = cv2.transform(image[y1:y2, x1:x2], _matrix(height >= HD_HEIGHT))
        luma[y1:y2, x1:x2] = part[..., 0]
        half = cv2.resize(part, ((x2 - x1) // 2, (y2 - y1) // 2), interpolation=cv2.INTER_AREA)
        for channel, plane in enumerate(chroma, 1):
            plane[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2] = half[..., channel]


def split(planes: Image) -> tuple[Image, Image, Image]:
    """Return the luma (H, W) and both chroma planes (H / 2, W / 2) as views."""
    rows, width = planes.shape
    height = rows * 2 // 3
    flat = planes.reshape(-1)
    blue, red = flat[height * width :].reshape(2, height // 2, width // 2)
    return planes[:height], blue, red


@cache
def _matrix(is_hd: bool) -> FloatArray:
    """Return (3, 4): RGB and 1 to luma, blue and red difference, 0 to 255."""
    red, blue = WEIGHTS[is_hd]
    luma = np.array([red, 1 - red - blue, blue])
    blue_difference = (np.array([0, 0, 1]) - luma) / (1 - blue) / 2
    red_difference = (np.array([1, 0, 0]) - luma) / (1 - red) / 2
    rows = np.zeros((3, 4))
    rows[:, :3] = luma * LUMA_REACH, blue_difference * CHROMA_REACH, red_difference * CHROMA_REACH
    rows[:, :3] /= 255
    rows[:, 3] = BLACK, CHROMA_MIDDLE, CHROMA_MIDDLE
    return rows
