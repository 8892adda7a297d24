"""Text on a picture, with OpenCV's own font: sizes in pixels, positions by the top left corner.

Knows fonts and plates; not what the words mean.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from drive.drawing.palette import Colour

REGULAR, BOLD = 400, 600
"""Weights of the built-in variable font."""

BASELINE = 0.98
LINE_HEIGHT = 1.34
"""Of a line's box, as a share of the font's size: room for a capital above, for a "g" below."""

WIDTHS_KEPT = 4096
ELLIPSIS = "..."


@lru_cache(maxsize=1)
def _face() -> cv2.FontFace:
    return cv2.FontFace("sans")


@lru_cache(maxsize=WIDTHS_KEPT)
def text_width(text: str, size_px: int, weight: int = REGULAR) -> int:
    """Width of a line of text in pixels."""
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _face(), size_px, weight)
    return x + width


def line_height(size_px: int) -> int:
    """Height of a line's box in pixels."""
    return round(size_px * LINE_HEIGHT)


def fit(text: str, width_px: int, size_px: int, weight: int = REGULAR) -> str:
    """`text`, cut at its end so far that it is at most `width_px` wide."""
    if text_width(text, size_px, weight) <= width_px:
        return text
    while text and text_width(text + ELLIPSIS, size_px, weight) > width_px:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS if text else ""


def put_text(
    image: np.ndarray,
    text: str,
    left_top: tuple[int, int],
    size_px: int,
    colour: Colour,
    weight: int = REGULAR,
) -> None:
    """Write a line onto `image` (H, W, 3) uint8 RGB, in place.

    Args:
        image: the picture.
        text: one line.
        left_top: (x, y) of the top left corner of the line's box, `line_height` high.
        size_px: font size in pixels.
        colour: RGB.
        weight: `REGULAR` or `BOLD`.
    """
    x, y = left_top
    cv2.putText(image, text, (x, y + round(size_px * BASELINE)), colour, _face(), size_px, weight)
