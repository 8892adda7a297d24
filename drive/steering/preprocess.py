"""From a frame of any size to the input of the steering network, for training and prediction."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import cv2
import numpy as np

from drive.core.errors import InputError, check_image
from drive.core.region import Region
from drive.steering.exposure import apply_exponent, exponent_of

INPUT_HEIGHT, INPUT_WIDTH = 66, 200
"""Pixels of the published network's input (arXiv 1604.07316, figure 4)."""

COLOURS = "YUV"
"""OpenCV's full-range 8-bit YUV of BT.601, grey at U = V = 128."""

WIDEST_SIDE = 0.4
EVEN = "even"

LEAST_HEIGHT = 0.1
"""Minimum height of a crop, as a share of the frame: less shows no road."""

DIGITS = 6
"""Decimals of that share: 0.6 - 0.5 is less than 0.1 by a rounding error."""

PREPROCESS_VERSION = 2
"""Increase it whenever the same frame gives other pixels: caches are then renewed."""


@dataclass(frozen=True, slots=True)
class RoadCrop:
    """The part of the frame that the network sees, as shares of its height, and of its width.

    `top` is left out above: level cameras have the horizon at 0.37 to 0.53; with more sky and trees
    a network overfits to places (docs/decisions/steering.md). The crop ends at `bottom`:
    DeepTesla's dashboard begins at 0.86, the Udacity simulator's hood at 0.88. `side` is left out
    on the left, and again on the right; moved cameras see these margins. With `even`, the exposure
    of the crop is evened (`drive.steering.exposure`).
    """

    top: float = 0.4
    bottom: float = 0.875
    side: float = 0.0
    _: KW_ONLY
    even: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom <= 1 and 0 <= self.side <= WIDEST_SIDE):
            raise InputError(
                f"--crop must have 0 <= top < bottom <= 1, 0 <= side <= {WIDEST_SIDE}; got {self}"
            )
        kept = round(self.bottom - self.top, DIGITS)
        if kept < LEAST_HEIGHT:
            raise InputError(
                f"--crop must keep at least {LEAST_HEIGHT:.0%} of the height; "
                f"got {self}, which keeps {kept:.1%}"
            )

    @property
    def margin(self) -> int:
        """Columns of the network's size beside the crop, on each side."""
        return int(INPUT_WIDTH * self.side / (1 - 2 * self.side))

    def region(self, width: int, height: int) -> Region:
        """Return the crop in pixels; in a frame taller than wide, of the middle square."""
        side = min(width, height)
        above = (height - side) // 2
        y1 = above + round(self.top * side)
        x1 = round(self.side * width)
        return Region(x1, y1, width - x1, max(y1 + 1, above + round(self.bottom * side)))

    def __str__(self) -> str:
        shares = (self.top, self.bottom, *([self.side] if self.side else []))
        return ",".join([f"{share:g}" for share in shares] + [EVEN] * self.even)

    @classmethod
    def parse(cls, text: str) -> RoadCrop:
        """Read the text of `str`."""
        numbers = text.removesuffix(f",{EVEN}")
        try:
            shares = [float(part) for part in numbers.split(",")]
        except ValueError:
            shares = []
        if len(shares) not in (2, 3):
            raise InputError(
                "--crop must be TOP,BOTTOM as shares of the height, or TOP,BOTTOM,SIDE with a "
                f"share of the width to leave out on each side; got {text!r}"
            )
        return cls(*shares, even=numbers != text)


ROAD = RoadCrop()


def preprocess(image: np.ndarray, crop: RoadCrop = ROAD) -> np.ndarray:
    """Return the road of a (H, W, 3) uint8 RGB image as (66, 200, 3) uint8 YUV."""
    check_image(image)
    height, width = image.shape[:2]
    small = _shrunk(image, crop.region(width, height), INPUT_WIDTH)
    return _as_yuv(_evened(small, small) if crop.even else small)


def preprocess_with_margins(image: np.ndarray, crop: RoadCrop = ROAD) -> np.ndarray:
    """Return the network's image with `crop.margin` more columns on each side, in its scale."""
    margin = crop.margin
    if not margin:
        return preprocess(image, crop)
    check_image(image)
    road = crop.region(image.shape[1], image.shape[0])
    small = _shrunk(image, road, INPUT_WIDTH)
    wide = max(1, min(road.x1, round(margin * road.width / INPUT_WIDTH)))
    left = Region(road.x1 - wide, road.y1, road.x1, road.y2)
    right = Region(road.x2, road.y1, road.x2 + wide, road.y2)
    whole = np.hstack([_shrunk(image, left, margin), small, _shrunk(image, right, margin)])
    return _as_yuv(_evened(whole, small) if crop.even else whole)


def _shrunk(image: np.ndarray, part: Region, width: int) -> np.ndarray:
    """Return one part of a frame, `width` columns wide, in the network's height."""
    return cv2.resize(part.crop(image), (width, INPUT_HEIGHT), interpolation=cv2.INTER_AREA)


def _evened(image: np.ndarray, road: np.ndarray) -> np.ndarray:
    """Return an image with the exponent that evens the exposure of its road."""
    return apply_exponent(image, exponent_of(road))


def _as_yuv(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2YUV)
