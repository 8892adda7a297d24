"""Draw on frames of a simulation: the gauge, the car on its lane from above, interventions."""

from __future__ import annotations

import math

import cv2
import numpy as np

from drive.core.region import Region
from drive.core.types import Image
from drive.drawing.overlay import Overlay
from drive.drawing.palette import DARK, LIGHT, MODEL, RECORDED, VERMILLION, ink_on
from drive.drawing.shapes import SUBPIXEL_BITS, line, rounded_plate
from drive.drawing.text import BOLD, line_height, put_text, text_width

FLASH_S = 0.7  # how long the border stays after an intervention
FLASH_SHARE = 0.025  # width of that border, as a share of the height of the image
PANEL_WIDTH, PANEL_HEIGHT = 9.5, 5.6  # size of the lane panel / font size
PANEL_OPACITY = 0.66
REACH = 1.45  # the panel shows this many times the limit to either side
CAR_LENGTH, CAR_ASPECT = 0.62, 0.41
"""The drawn car, a symbol not to scale: length / room of the panel, width / length."""

CAR_OUTLINE = ((0.5, -0.3), (0.5, 0.3), (0.3, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.3, -0.5))
"""Corners from above, as shares of the length ahead of its middle and of the width to the right."""

UNSEEN = 0.6  # brightness of what is outside the crop of the network
DASH_SHARE, GAP_SHARE = 0.16, 0.10  # dashes of the path, as shares of the height of the panel


class SimulationOverlay:
    """Draws on the frames of one size."""

    def __init__(self, width: int, height: int, limit_m: float) -> None:
        """Choose sizes for frames of `width` x `height` pixels and a limit in metres."""
        self._overlay = Overlay(width, height)
        self._limit_m = limit_m
        self._font_px = self._overlay.font_px
        self._margin = max(2, round(self._font_px * 0.5))
        panel = round(self._font_px * PANEL_WIDTH), round(self._font_px * PANEL_HEIGHT)
        fits = panel[0] <= width // 2 and panel[1] + 2 * self._margin <= height
        self._panel: tuple[int, int] | None = panel if fits else None
        self._plate = (rounded_plate(*panel, 2 * self._margin) * PANEL_OPACITY)[..., None]
        self._flash_px = max(2, round(height * FLASH_SHARE))

    def draw(
        self,
        image: Image,
        *,
        offset_m: float,
        heading_deg: float,
        angle_deg: float,
        truth_deg: float,
        header: str,
        region: Region,
        since_intervention_s: float | None = None,
    ) -> Image:
        """Draw on a copy of a frame; what is outside the region is dimmed. Right is positive."""
        canvas = image.copy()
        for unseen in (canvas[: region.y1], canvas[region.y2 :]):
            unseen[...] = cv2.convertScaleAbs(unseen, alpha=UNSEEN) if unseen.size else unseen
        canvas = self._overlay.draw(
            canvas, angle_deg=angle_deg, truth_deg=truth_deg, header=header, region=region
        )
        if self._panel is not None:
            self._draw_lane(canvas, offset_m, heading_deg)
        if since_intervention_s is not None and since_intervention_s < FLASH_S:
            self._draw_flash(canvas)
        return canvas

    def _draw_lane(self, canvas: Image, offset_m: float, heading_deg: float) -> None:
        assert self._panel is not None
        width, height = self._panel
        x = self._overlay.width - self._margin - width
        y = self._overlay.height - self._margin - height
        patch = np.ascontiguousarray(canvas[y : y + height, x : x + width])
        patch[...] = patch * (1 - self._plate) + np.array(DARK) * self._plate
        stroke = max(1, round(self._font_px / 8))
        text_top = height - line_height(self._font_px) - self._margin // 2
        scale = width / 2 / (REACH * self._limit_m)
        middle = (width - 1) / 2
        top, bottom = self._margin, text_top - self._margin // 2
        for side in (-1, 1):
            edge = middle + side * self._limit_m * scale
            line(patch, (edge, top), (edge, bottom), VERMILLION, stroke + 1)
        dash, gap = max(2.0, height * DASH_SHARE), max(2.0, height * GAP_SHARE)
        start = float(top)
        while start < bottom:
            line(patch, (middle, start), (middle, min(start + dash, bottom)), RECORDED, stroke)
            start += dash + gap
        centre = middle + offset_m * scale, (top + bottom) / 2
        self._draw_car(patch, centre, heading_deg, bottom - top)
        text = f"{_side(offset_m)}{abs(offset_m):.2f} m"
        left = round(middle - text_width(text, self._font_px, BOLD) / 2)
        put_text(patch, text, (left, text_top), self._font_px, LIGHT, BOLD)
        canvas[y : y + height, x : x + width] = patch

    @staticmethod
    def _draw_car(
        patch: Image, centre: tuple[float, float], heading_deg: float, room: float
    ) -> None:
        length = room * CAR_LENGTH
        wide = length * CAR_ASPECT
        turn = math.radians(heading_deg)
        nose = np.array([math.sin(turn), -math.cos(turn)])
        right = np.array([math.cos(turn), math.sin(turn)])
        corners = [
            np.array(centre) + nose * length * ahead + right * wide * beside
            for ahead, beside in CAR_OUTLINE
        ]
        points = np.round(np.array(corners) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(patch, [points], MODEL, cv2.LINE_AA, SUBPIXEL_BITS)

    def _draw_flash(self, canvas: Image) -> None:
        """Draw a border around the image, and the word at the top right."""
        edge = self._flash_px
        for strip in (canvas[:edge], canvas[-edge:], canvas[:, :edge], canvas[:, -edge:]):
            strip[...] = VERMILLION
        text, size = "intervention", self._font_px
        width = text_width(text, size, BOLD) + 2 * self._margin
        height = line_height(size) + self._margin
        x, y = canvas.shape[1] - edge - width, edge
        if x < 0:
            return
        canvas[y : y + height, x : x + width] = VERMILLION
        left_top = (x + self._margin, y + self._margin // 2)
        put_text(canvas, text, left_top, size, ink_on(VERMILLION), BOLD)


def _side(offset_m: float) -> str:
    """L or R, nothing where it rounds to zero."""
    if abs(offset_m) < 0.005:
        return ""
    return "R " if offset_m > 0 else "L "
