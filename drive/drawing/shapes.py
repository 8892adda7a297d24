"""Anti-aliased lines, circles and arcs with subpixel positions, and veils.

They are drawn in place on (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from drive.core.types import FloatArray, Image
from drive.drawing.palette import DARK, Colour

Point = tuple[float, float]

SUBPIXEL_BITS = 4
FILLED = -1

TWELVE_OCLOCK_DEG = -90.0  # OpenCV counts angles clockwise from three o'clock, drive from twelve
SUPERSAMPLING = 4

VEIL = 0.34  # share of the light of the image that a veil lets through


def line(image: Image, start: Point, end: Point, colour: Colour, thickness: int) -> None:
    """Draw a straight line; positions in pixels."""
    cv2.line(image, _fixed(start), _fixed(end), colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def circle(
    image: Image, centre: Point, radius: float, colour: Colour, thickness: int = FILLED
) -> None:
    """Draw a circle or, without a thickness, a disc."""
    length = _fixed_length(radius)
    cv2.circle(image, _fixed(centre), length, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)


def arc(
    image: Image,
    centre: Point,
    radius: float,
    turns_deg: tuple[float, float],
    colour: Colour,
    thickness: int,
) -> None:
    """Draw a part of a circle, between two angles clockwise from twelve o'clock."""
    low, high = (turn + TWELVE_OCLOCK_DEG for turn in sorted(turns_deg))
    axes = (_fixed_length(radius), _fixed_length(radius))
    cv2.ellipse(
        image, _fixed(centre), axes, 0, low, high, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS
    )


def rounded_plate(width: int, height: int, corner: float) -> FloatArray:
    """Return the (height, width) coverage, 0 to 1, of a rectangle with round corners."""
    big = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), np.uint8)
    radius = round(corner * SUPERSAMPLING)
    bottom, right = big.shape
    big[radius : bottom - radius] = 255
    big[:, radius : right - radius] = 255
    for x in (radius, right - 1 - radius):
        for y in (radius, bottom - 1 - radius):
            cv2.circle(big, (x, y), radius, 255, FILLED)
    small = cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Return the image in another size (width, height), smooth whether it shrinks or grows."""
    method = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def tiled(tiles: Sequence[Image], columns: int, gap: int, top: int = 0) -> Image:
    """Return images of one size in reading order on a dark sheet, below `top` pixels."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    size = top + rows * (height + gap) + gap, columns * (width + gap) + gap
    sheet = np.full((*size, 3), DARK, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y, x = top + gap + row * (height + gap), gap + column * (width + gap)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def drawable(image: Image) -> Image:
    """Return the image, or a copy if it cannot be drawn on in place."""
    usable = image.flags.writeable and image.flags.c_contiguous
    return image if usable else np.array(image)


def veil(image: Image, x: int, y: int, width: int, height: int) -> None:
    """Darken a rectangle, so that text on it reads on any background."""
    patch = image[max(y, 0) : y + height, max(x, 0) : x + width]
    if patch.size:
        patch[...] = cv2.convertScaleAbs(patch, alpha=VEIL)


def _fixed(point: Point) -> tuple[int, int]:
    return _fixed_length(point[0]), _fixed_length(point[1])


def _fixed_length(length: float) -> int:
    return round(length * (1 << SUBPIXEL_BITS))
