"""The steering gauge: a steering wheel, and an arc and a number per angle (model, recorded).

The wheel turns `STEERING_RATIO` times as far as the road wheels, up to `FULL_TURN_DEG`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from drive.core.types import Image
from drive.drawing.palette import DARK, LIGHT, MODEL, RECORDED, SMOOTHED, Colour
from drive.drawing.shapes import arc, circle, line, rounded_plate
from drive.drawing.text import BOLD, line_height, put_text, text_width

STEERING_RATIO = 15.0
"""Turn of the steering wheel / turn of the road wheels: 12 to 20 in passenger cars."""

FULL_TURN_DEG = 135.0  # the drawn wheel stops here: 9 degrees at the road wheels
NAMES = {"model": MODEL, "smoothed": SMOOTHED, "recorded": RECORDED}
WIDEST_NUMBER = "R 88.8\N{DEGREE SIGN}"

DIAL_SIZE = 4.7  # diameter of the dial / font size
RIM = 0.58
ARCS = {"model": 0.80, "smoothed": 0.80, "recorded": 0.97}
"""Radii of the rim and of the arcs, as shares of the radius of the dial; the predicted angle is
shown plain or smoothed."""

RIM_THICKNESS = 0.12
HUB = 0.30
SPOKE = 0.8
TIP = 1.4
SPOKES_DEG = (90.0, 180.0, 270.0)
MARK_DEG = 13.0  # half of the coloured mark at the top of the rim
BLACK: Colour = (0, 0, 0)
GROOVE: Colour = (92, 97, 106)

PANEL_OPACITY = 0.66


def wheel_turn_deg(angle_deg: float) -> float:
    """Return the turn of the drawn wheel, clockwise, for an angle of the road wheels."""
    return max(-FULL_TURN_DEG, min(FULL_TURN_DEG, angle_deg * STEERING_RATIO))


def angle_text(angle_deg: float) -> str:
    """Return an angle as text such as "L 3.4°"; without a side if it rounds to zero."""
    number = f"{abs(angle_deg):.1f}\N{DEGREE SIGN}"
    if abs(angle_deg) < 0.05:
        return number
    return f"{'R' if angle_deg > 0 else 'L'} {number}"


class Gauge:
    """Draws the gauge at one font size; parts that do not move are drawn once."""

    def __init__(self, font_px: int) -> None:
        self.font_px = font_px
        self._pad = max(3, round(font_px * 0.45))
        self._dial_px = round(font_px * DIAL_SIZE)
        self._radius = self._dial_px / 2
        self._stroke = max(1, round(font_px / 7))
        self._label_px = max(8, round(font_px * 0.78))
        self._label_height = round(self._label_px * 1.15)
        self._rim_px = max(2, round(self._radius * RIM_THICKNESS))
        middle = self._pad + (self._dial_px - 1) / 2
        self._centre = middle, middle
        self._panels: dict[tuple[str, ...], tuple[Image, Image]] = {}

    def size(self, names: tuple[str, ...]) -> tuple[int, int]:
        """Return (width, height) in pixels of the panel for these angles."""
        numbers = text_width(WIDEST_NUMBER, self.font_px, BOLD)
        labels = max(text_width(name, self._label_px) for name in names)
        width = self._dial_px + max(numbers, labels) + 4 * self._pad
        return width, self._dial_px + 2 * self._pad

    def draw(self, image: Image, left_top: tuple[int, int], angles: dict[str, float]) -> None:
        """Draw the panel in place, for degrees by "model" or "smoothed", and "recorded"."""
        names = tuple(angles)
        width, height = self.size(names)
        x, y = left_top
        patch = image[y : y + height, x : x + width]
        if names not in self._panels:
            self._panels[names] = self._make_panel(names)
        light, through = self._panels[names]
        cv2.multiply(patch, through[: patch.shape[0], : patch.shape[1]], patch, scale=1 / 255)
        cv2.add(patch, light[: patch.shape[0], : patch.shape[1]], patch)
        self._draw_wheel(patch, wheel_turn_deg(next(iter(angles.values()))), NAMES[names[0]])
        for row, (name, angle_deg) in enumerate(angles.items()):
            self._draw_arc(patch, name, wheel_turn_deg(angle_deg))
            at = self._number_at(row, len(names))
            put_text(patch, angle_text(angle_deg), at, self.font_px, LIGHT, BOLD)

    def _number_at(self, row: int, rows: int) -> tuple[int, int]:
        """Return the top left corner of the number of a row; its label is above it."""
        block = line_height(self.font_px) + self._label_height
        top = self._pad + self._radius - rows * block / 2 + row * block
        left = 3 * self._pad + self._dial_px
        return left, round(top) + self._label_height

    def _make_panel(self, names: tuple[str, ...]) -> tuple[Image, Image]:
        """Return the fixed parts: light that is added, and the share (0 to 255) of the image."""
        width, height = self.size(names)
        plate = rounded_plate(width, height, 2 * self._pad) * PANEL_OPACITY
        light = (plate[..., None] * np.array(DARK)).astype(np.uint8)
        through = np.repeat((255 * (1 - plate))[..., None], 3, axis=2).astype(np.uint8)
        self._draw_still(light, {name: NAMES[name] for name in names}, GROOVE, LIGHT)
        self._draw_still(through, dict.fromkeys(names, BLACK), BLACK, BLACK)
        return light, through

    def _draw_still(
        self, layer: Image, inks: dict[str, Colour], groove: Colour, wheel: Colour
    ) -> None:
        for row, name in enumerate(inks):
            radius = self._radius * ARCS[name]
            arc(layer, self._centre, radius, (-FULL_TURN_DEG, FULL_TURN_DEG), groove, 1)
            x, y = self._number_at(row, len(inks))
            put_text(layer, name, (x, y - self._label_height), self._label_px, inks[name])
        circle(layer, self._centre, self._radius * RIM, wheel, self._rim_px)

    def _draw_wheel(self, patch: Image, turn_deg: float, colour: Colour) -> None:
        rim = self._radius * RIM
        for spoke_deg in SPOKES_DEG:
            tip = self._point(rim, turn_deg + spoke_deg)
            line(patch, self._centre, tip, LIGHT, max(1, round(self._rim_px * SPOKE)))
        circle(patch, self._centre, rim * HUB, LIGHT)
        mark = (turn_deg - MARK_DEG, turn_deg + MARK_DEG)
        arc(patch, self._centre, rim, mark, colour, self._rim_px)

    def _draw_arc(self, patch: Image, name: str, turn_deg: float) -> None:
        radius = self._radius * ARCS[name]
        arc(patch, self._centre, radius, (0.0, turn_deg), NAMES[name], self._stroke + 1)
        circle(patch, self._point(radius, turn_deg), self._stroke * TIP, NAMES[name])

    def _point(self, radius: float, turn_deg: float) -> tuple[float, float]:
        """Return the point `turn_deg` clockwise of twelve o'clock."""
        turn = math.radians(turn_deg)
        x, y = self._centre
        return x + radius * math.sin(turn), y - radius * math.cos(turn)
