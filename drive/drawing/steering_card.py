"""The input of the steering network with two bars below it: predicted and recorded angle."""

from __future__ import annotations

import cv2
import numpy as np

from drive.core.types import Image
from drive.drawing.gauge import GROOVE
from drive.drawing.palette import DARK, MODEL, MUTED, RECORDED, Colour
from drive.drawing.shapes import line

WIDTH = 480
BAR_HEIGHT, BAR_PX, MARGIN = 34, 7, 14


def steering_card(image: Image, angle_deg: float, truth_deg: float, full_deg: float) -> Image:
    """Return the card, (H, W, 3) uint8 RGB; angles in degrees, positive right."""
    height = round(WIDTH * image.shape[0] / image.shape[1])
    large = cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    below = np.full((BAR_HEIGHT, WIDTH, 3), DARK, np.uint8)
    _bar(below, BAR_HEIGHT * 0.32, angle_deg / full_deg, MODEL)
    _bar(below, BAR_HEIGHT * 0.68, truth_deg / full_deg, RECORDED)
    line(below, (WIDTH / 2, 4), (WIDTH / 2, BAR_HEIGHT - 4), MUTED, 1)
    return np.concatenate([large, below])


def _bar(image: Image, y: float, share: float, colour: Colour) -> None:
    half = WIDTH / 2 - MARGIN
    line(image, (MARGIN, y), (WIDTH - MARGIN, y), GROOVE, 1)
    tip = WIDTH / 2 + half * max(-1.0, min(1.0, share))
    line(image, (WIDTH / 2, y), (tip, y), colour, BAR_PX)
