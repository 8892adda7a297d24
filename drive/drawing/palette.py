"""Colours that colour-blind readers can tell apart, in RGB.

Source: M. Okabe and K. Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

import zlib
from functools import lru_cache

Colour = tuple[int, int, int]

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILLION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

DARK: Colour = (16, 18, 22)
LIGHT: Colour = (245, 246, 248)
MUTED: Colour = (172, 178, 188)

MODEL = SKY_BLUE
RECORDED = ORANGE
SMOOTHED: Colour = (64, 196, 158)
"""Predicted and recorded angles, in the overlay and in every plot; the last one, a lighter green,
is the prediction after a filter over time."""

CYCLE: tuple[Colour, ...] = (YELLOW, SKY_BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLUE)
"""For tracks; neighbours differ most, in hue and in lightness."""

CLASSES: dict[str, Colour] = {
    "car": SKY_BLUE,
    "truck": ORANGE,
    "bus": YELLOW,
    "person": VERMILLION,
    "bicycle": GREEN,
    "motorbike": PURPLE,
    "motorcycle": PURPLE,
}

LUMINANCE = (0.2126, 0.7152, 0.0722)  # weights of red, green and blue in luminance (ITU-R BT.709)
GAMMA = 2.2
EQUAL_CONTRAST = 0.18
"""Relative luminance with equal contrast to black and white (WCAG 2.1, contrast ratio)."""


def track_colour(track_id: int) -> Colour:
    """Return the colour of a track."""
    return CYCLE[track_id % len(CYCLE)]


def class_colour(label: str) -> Colour:
    """Return the colour of a class; it follows from the name for classes without their own."""
    return CLASSES.get(label) or CYCLE[zlib.crc32(label.encode()) % len(CYCLE)]


@lru_cache(maxsize=64)
def ink_on(plate: Colour) -> Colour:
    """Return dark or light, whichever reads better on `plate`."""
    light = sum(
        weight * (value / 255) ** GAMMA for weight, value in zip(LUMINANCE, plate, strict=True)
    )
    return DARK if light > EQUAL_CONTRAST else LIGHT


def for_matplotlib(colour: Colour) -> str:
    """Return the colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
