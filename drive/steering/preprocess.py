"""From a frame of any size to what the steering network is given: one rule, kept in one place.

Training and prediction call the same `preprocess` on the frame at its own size, so both see the
same pixels. The rule travels in the model file. Knows nothing of networks and files.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.region import Region

INPUT_HEIGHT, INPUT_WIDTH = 66, 200
"""Pixels of the published network's input (arXiv 1604.07316, figure 4)."""

COLOURS = "YUV"
"""OpenCV's full-range 8-bit YUV of BT.601, grey at U = V = 128."""

WIDEST_SIDE = 0.4

LEAST_HEIGHT = 0.1
"""Share of the height that a crop keeps at least: in less there is no road to see."""

DIGITS = 6
"""Decimals to which that share is taken: 0.6 - 0.5 is less than 0.1 by a rounding error."""

PREPROCESS_VERSION = 2
"""Raise it whenever the same frame gives other pixels: caches are made anew then."""


@dataclass(frozen=True, slots=True)
class RoadCrop:
    """The part of the frame that the network looks at.

    Attributes:
        top: share of the height left out above. Level cameras of the recordings at hand have the
            horizon at 0.37 to 0.53; more sky and trees help a network to learn places by heart
            (docs/decisions/steering.md).
        bottom: share of the height where the crop ends. DeepTesla's dashboard begins at 0.86, the
            Udacity simulator's hood at 0.88.
        side: share of the width left out on the left, and again on the right. A moved camera sees
            these margins where it would else look past the picture's edge.
    """

    top: float = 0.4
    bottom: float = 0.875
    side: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom <= 1 and 0 <= self.side <= WIDEST_SIDE):
            raise InputError(
                f"--crop has 0 <= top < bottom <= 1, 0 <= side <= {WIDEST_SIDE}. Received: {self}"
            )
        kept = round(self.bottom - self.top, DIGITS)
        if kept < LEAST_HEIGHT:
            raise InputError(
                f"--crop keeps at least {LEAST_HEIGHT:.0%} of the height. "
                f"Received: {self}, which keeps {kept:.1%}"
            )

    @property
    def margin(self) -> int:
        """Columns, of the network's size, that can be seen beside the crop on each side."""
        return int(INPUT_WIDTH * self.side / (1 - 2 * self.side))

    def region(self, width: int, height: int) -> Region:
        """The crop in pixels of a `width` x `height` frame.

        Of a frame taller than wide (a phone held upright) the shares are those of the middle
        square: what lies above and below it is sky and car.
        """
        side = min(width, height)
        above = (height - side) // 2
        y1 = above + round(self.top * side)
        x1 = round(self.side * width)
        return Region(x1, y1, width - x1, max(y1 + 1, above + round(self.bottom * side)))

    def __str__(self) -> str:
        return f"{self.top:g},{self.bottom:g}" + (f",{self.side:g}" if self.side else "")

    @classmethod
    def parse(cls, text: str) -> RoadCrop:
        """Read back what `str` wrote.

        Raises:
            InputError: it is not two shares of the height, and perhaps one of the width; or they
                are out of range.
        """
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if len(shares) not in (2, 3):
            raise InputError(
                "--crop is TOP,BOTTOM as shares of the height, or TOP,BOTTOM,SIDE with a share of "
                f"the width to leave out on each side. Received: {text!r}"
            )
        return cls(*shares)


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
    return _shrunk(image, crop.region(width, height), INPUT_WIDTH)


def preprocess_with_margins(image: np.ndarray, crop: RoadCrop = ROAD) -> np.ndarray:
    """The network's picture with what lies to the left and right of it, at the same scale.

    Returns:
        (66, 200 + 2 * crop.margin, 3) uint8 YUV; its middle is `preprocess(image, crop)`.
    """
    small, margin = preprocess(image, crop), crop.margin
    if not margin:
        return small
    road = crop.region(image.shape[1], image.shape[0])
    wide = max(1, min(road.x1, round(margin * road.width / INPUT_WIDTH)))
    left = Region(road.x1 - wide, road.y1, road.x1, road.y2)
    right = Region(road.x2, road.y1, road.x2 + wide, road.y2)
    return np.hstack([_shrunk(image, left, margin), small, _shrunk(image, right, margin)])


def _shrunk(image: np.ndarray, part: Region, width: int) -> np.ndarray:
    """One part of a frame, `width` columns wide and as high and coloured as the network has it."""
    small = cv2.resize(part.crop(image), (width, INPUT_HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2YUV)
