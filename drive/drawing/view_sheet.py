"""The sheet of augmented views: training images from several viewpoints, with their angles.

The path of the angle is drawn onto the road if it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from drive.core.types import FloatArray, Image
from drive.drawing.gauge import GROOVE, angle_text
from drive.drawing.palette import DARK, LIGHT, MUTED, RECORDED, Colour
from drive.drawing.shapes import SUBPIXEL_BITS, circle, line
from drive.drawing.text import BOLD, fit, line_height, put_text, text_width
from drive.video.writer import save_image

IMAGE_WIDTH = 220
MARGIN, BETWEEN_GROUPS = 10, 26
TITLE_PX, GROUP_PX, CAPTION_PX = 22, 16, 13
GAUGE_HEIGHT, GAUGE_BAR, ANGLE_WIDTH = 20, 5, 58
LEAST_RANGE_DEG = 1.0
WAY_WIDTH = 2


@dataclass(frozen=True, slots=True, eq=False)
class ViewCell:
    """An image, (H, W, 3) uint8 RGB, its angle, and the path on the road, (N, 2) pixels, if any."""

    image: Image
    angle_deg: float
    path: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ViewRow:
    """One frame: its caption, and one image per column of the sheet."""

    caption: str
    cells: Sequence[ViewCell]


@dataclass(frozen=True, slots=True)
class ViewGroup:
    """Neighbouring columns under one heading."""

    heading: str
    columns: Sequence[str]


def write_view_sheet(
    path: str | Path, title: str, note: str, groups: Sequence[ViewGroup], rows: Sequence[ViewRow]
) -> None:
    """Draw the sheet of at least one frame, with one image per column, and write it as PNG."""
    save_image(path, view_sheet(title, note, groups, rows))


def view_sheet(
    title: str, note: str, groups: Sequence[ViewGroup], rows: Sequence[ViewRow]
) -> Image:
    """Return the sheet, (H, W, 3) uint8 RGB."""
    height, width = rows[0].cells[0].image.shape[:2]
    scale = IMAGE_WIDTH / width
    size = IMAGE_WIDTH, round(height * scale)
    lefts, right = _columns(groups)
    head = MARGIN + line_height(TITLE_PX) + line_height(CAPTION_PX) + MARGIN
    top = head + line_height(GROUP_PX) + line_height(CAPTION_PX) + MARGIN // 2
    row_height = line_height(CAPTION_PX) + size[1] + GAUGE_HEIGHT + MARGIN
    sheet = np.full((top + len(rows) * row_height + MARGIN, right, 3), DARK, np.uint8)
    room = right - 2 * MARGIN
    put_text(sheet, fit(title, room, TITLE_PX, BOLD), (MARGIN, MARGIN), TITLE_PX, LIGHT, BOLD)
    under = MARGIN + line_height(TITLE_PX)
    put_text(sheet, fit(note, room, CAPTION_PX), (MARGIN, under), CAPTION_PX, MUTED)
    _headings(sheet, head, groups, lefts)
    most = max(abs(cell.angle_deg) for row in rows for cell in row.cells)
    for number, row in enumerate(rows):
        y = top + number * row_height
        caption = fit(row.caption, room, CAPTION_PX)
        put_text(sheet, caption, (MARGIN, y), CAPTION_PX, MUTED)
        y += line_height(CAPTION_PX)
        for x, cell in zip(lefts, row.cells, strict=True):
            sheet[y : y + size[1], x : x + size[0]] = _resized(cell, size, scale)
            _gauge(sheet, (x, y + size[1]), cell.angle_deg, max(most, LEAST_RANGE_DEG))
    return sheet


def _columns(groups: Sequence[ViewGroup]) -> tuple[list[int], int]:
    lefts: list[int] = []
    x = MARGIN
    for group in (group for group in groups if group.columns):
        for _ in group.columns:
            lefts.append(x)
            x += IMAGE_WIDTH + MARGIN
        x += BETWEEN_GROUPS - MARGIN
    return lefts, x - BETWEEN_GROUPS + 2 * MARGIN


def _headings(sheet: Image, y: int, groups: Sequence[ViewGroup], lefts: list[int]) -> None:
    number = 0
    for group in (group for group in groups if group.columns):
        first = lefts[number]
        across = len(group.columns) * (IMAGE_WIDTH + MARGIN) - MARGIN
        heading = fit(group.heading, across, GROUP_PX, BOLD)
        put_text(sheet, heading, (first, y), GROUP_PX, LIGHT, BOLD)
        for name in group.columns:
            below = y + line_height(GROUP_PX)
            caption = fit(name, IMAGE_WIDTH, CAPTION_PX)
            put_text(sheet, caption, (lefts[number], below), CAPTION_PX, LIGHT)
            number += 1


def _resized(cell: ViewCell, size: tuple[int, int], scale: float) -> Image:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(cell.image, size, interpolation=method), np.uint8)
    if cell.path is not None and len(cell.path) > 1:
        points = np.rint((cell.path + 0.5) * scale * (1 << SUBPIXEL_BITS)).astype(np.int32)
        for colour, width in ((DARK, WAY_WIDTH + 2), (RECORDED, WAY_WIDTH)):
            cv2.polylines(image, [points], False, colour, width, cv2.LINE_AA, SUBPIXEL_BITS)
            x, y = (cell.path[-1] + 0.5) * scale
            circle(image, (x, y), 1 + width, colour)
    return image


def _gauge(sheet: Image, left_top: tuple[int, int], angle_deg: float, full_deg: float) -> None:
    x, y = left_top
    half = (IMAGE_WIDTH - ANGLE_WIDTH) / 2
    middle, level = x + half, y + GAUGE_HEIGHT / 2
    line(sheet, (x + GAUGE_BAR, level), (x + 2 * half - GAUGE_BAR, level), GROOVE, 1)
    line(sheet, (middle, level - GAUGE_BAR), (middle, level + GAUGE_BAR), MUTED, 1)
    tip = middle + (half - GAUGE_BAR) * angle_deg / full_deg
    colour: Colour = RECORDED
    line(sheet, (middle, level), (tip, level), colour, GAUGE_BAR)
    circle(sheet, (tip, level), GAUGE_BAR, colour)
    text = angle_text(angle_deg)
    right = x + IMAGE_WIDTH - text_width(text, CAPTION_PX, BOLD)
    up = y + (GAUGE_HEIGHT - line_height(CAPTION_PX)) // 2
    put_text(sheet, text, (right, up), CAPTION_PX, LIGHT, BOLD)
