"""Pictures as yuv420p planes: what was drawn on a picture, carried over into its planes.

A decoder gives planes and the encoder takes planes; the models and the overlay in between work on
RGB. Where only small parts were drawn on, converting these alone takes a fifth of the time of the
whole picture, and all other pixels reach the encoder as the source had them. Knows pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from drive.core.types import HD_HEIGHT

WEIGHTS = {True: (0.2126, 0.0722), False: (0.299, 0.114)}
"""What red and blue count for in the luma, by whether the picture is HD (ITU-R BT.709, BT.601)."""

BLACK, LUMA_REACH, CHROMA_MIDDLE, CHROMA_REACH = 16, 219, 128, 224
"""The limited range: luma from 16 to 235, chroma 112 to either side of 128."""


class Place(NamedTuple):
    """A rectangle of whole pixels; x2 and y2 exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    def overlaps(self, other: Place) -> bool:
        """Whether both have a pixel in common."""
        return (
            self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2
        )

    def grown(self, pixels: int) -> Place:
        """The rectangle with so many pixels more on each side."""
        return Place(self.x1 - pixels, self.y1 - pixels, self.x2 + pixels, self.y2 + pixels)


def carry_over(image: np.ndarray, planes: np.ndarray, places: Iterable[Place]) -> None:
    """Write the parts of `image` at these places into `planes`.

    Args:
        image: (H, W, 3) uint8 RGB, of even width and height.
        planes: (H * 3 / 2, W) uint8: luma, and the two chroma planes of half the size (I420), in
            the matrix of `HD_HEIGHT` and the limited range; changed.
        places: what changed; parts outside the picture are left out.
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


def split(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The luma (H, W) and both chroma planes (H / 2, W / 2), as views."""
    rows, width = planes.shape
    height = rows * 2 // 3
    flat = planes.reshape(-1)
    blue, red = flat[height * width :].reshape(2, height // 2, width // 2)
    return planes[:height], blue, red


@cache
def _matrix(is_hd: bool) -> np.ndarray:
    """(3, 4) RGB and 1 to luma, blue and red difference, 0..255."""
    red, blue = WEIGHTS[is_hd]
    luma = np.array([red, 1 - red - blue, blue])
    blue_difference = (np.array([0, 0, 1]) - luma) / (1 - blue) / 2
    red_difference = (np.array([1, 0, 0]) - luma) / (1 - red) / 2
    rows = np.zeros((3, 4))
    rows[:, :3] = luma * LUMA_REACH, blue_difference * CHROMA_REACH, red_difference * CHROMA_REACH
    rows[:, :3] /= 255
    rows[:, 3] = BLACK, CHROMA_MIDDLE, CHROMA_MIDDLE
    return rows
