"""Text on images in OpenCV's own font; sizes in pixels, positions of the top left corner."""

from __future__ import annotations

from functools import lru_cache

import cv2

from drive.core.types import Image
from drive.drawing.palette import Colour

REGULAR, BOLD = 400, 600  # weights of the built-in variable font
BASELINE = 0.98
LINE_HEIGHT = 1.34  # height of a line's box as a share of the font size, with room above and below
WIDTHS_KEPT = 4096
ELLIPSIS = "..."


@lru_cache(maxsize=1)
def _face() -> cv2.FontFace:
    return cv2.FontFace("sans")


@lru_cache(maxsize=WIDTHS_KEPT)
def text_width(text: str, size_px: int, weight: int = REGULAR) -> int:
    """Return the width of a line of text in pixels."""
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _face(), size_px, weight)
    return x + width


def line_height(size_px: int) -> int:
    """Return the height of a line's box in pixels."""
    return round(size_px * LINE_HEIGHT)


def fit(text: str, width_px: int, size_px: int, weight: int = REGULAR) -> str:
    """Return `text`, cut at its end to at most `width_px`."""
    if text_width(text, size_px, weight) <= width_px:
        return text
    while text and text_width(text + ELLIPSIS, size_px, weight) > width_px:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS if text else ""


def put_text(
    image: Image,
    text: str,
    left_top: tuple[int, int],
    size_px: int,
    colour: Colour,
    weight: int = REGULAR,
) -> None:
    """Write a line onto (H, W, 3) uint8 RGB in place; `left_top` is that of its box."""
    x, y = left_top
    cv2.putText(image, text, (x, y + round(size_px * BASELINE)), colour, _face(), size_px, weight)
