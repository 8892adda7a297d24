"""From a frame of any size to what the steering network is given: one rule, kept in one place.

Training and prediction call the same `preprocess` on the frame at its own size, so both see the
same pixels. The rule travels in the model file. Knows nothing of networks and files.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from drive.errors import InputError
from drive.frames.region import Region

INPUT_HEIGHT, INPUT_WIDTH = 66, 200
"""Pixels of the published network's input (arXiv 1604.07316, figure 4)."""

COLOURS = "YUV"
"""OpenCV's full-range 8-bit YUV of BT.601, grey at U = V = 128."""

PREPROCESS_VERSION = 2
"""Raise it whenever the same frame gives other pixels: caches are made anew then."""


@dataclass(frozen=True, slots=True)
class RoadCrop:
    """The part of the frame that the network looks at: full width, a share of the height.

    Attributes:
        top: share of the height left out above. Level cameras of the recordings at hand have the
            horizon at 0.37 to 0.53; more sky and trees help a network to learn places by heart
            (docs/decisions/steering.md).
        bottom: share of the height where the crop ends. DeepTesla's dashboard begins at 0.86, the
            Udacity simulator's hood at 0.88.
    """

    top: float = 0.4
    bottom: float = 0.875

    def __post_init__(self) -> None:
        if not 0 <= self.top < self.bottom <= 1:
            raise InputError(f"A crop has 0 <= top < bottom <= 1. Received: {self}")

    def region(self, width: int, height: int) -> Region:
        """The crop in pixels of a `width` x `height` frame.

        Of a frame taller than wide (a phone held upright) the shares are those of the middle
        square: what lies above and below it is sky and car.
        """
        side = min(width, height)
        above = (height - side) // 2
        y1 = above + round(self.top * side)
        return Region(0, y1, width, max(y1 + 1, above + round(self.bottom * side)))

    def __str__(self) -> str:
        return f"{self.top:g},{self.bottom:g}"

    @classmethod
    def parse(cls, text: str) -> RoadCrop:
        """Read back what `str` wrote.

        Raises:
            InputError: it is not two shares of the height.
        """
        try:
            top, bottom = (float(part) for part in text.split(","))
        except ValueError:
            raise InputError(
                f"A crop is TOP,BOTTOM as shares of the height. Received: {text!r}"
            ) from None
        return cls(top, bottom)


ROAD = RoadCrop()


def preprocess(image: np.ndarray, crop: RoadCrop = ROAD) -> np.ndarray:
    """Cut the road out of a frame and give it the network's size and colours.

    Args:
        image: (H, W, 3) uint8 RGB, any size.
        crop: which part of the frame is the road.

    Returns:
        (66, 200, 3) uint8 YUV.

    Raises:
        InputError: `image` is not such an array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise InputError(
            f"A frame is (H, W, 3) uint8 RGB. Received: {image.dtype.name} in shape {image.shape}"
        )
    height, width = image.shape[:2]
    road = crop.region(width, height).crop(image)
    small = cv2.resize(road, (INPUT_WIDTH, INPUT_HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2YUV)
