"""The sheet of example predictions: images with their labelled and predicted boxes.

Labelled boxes are dashed and orange, predicted ones solid and blue with class and score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from drive.core.types import Box, Detection, Image
from drive.drawing.palette import DARK, LIGHT, MODEL, MUTED, RECORDED, Colour, ink_on
from drive.drawing.shapes import resized, tiled
from drive.drawing.text import BOLD, fit, line_height, put_text, text_width
from drive.video.writer import save_image

COLUMNS = 3
TILE_WIDTH, TILE_HEIGHT = 480, 320
MARGIN = 12
TITLE_PX, CAPTION_PX, TAG_PX = 20, 15, 13
DASH, GAP = 7, 5  # pixels
STROKE = 2
TAG_PAD = 3


@dataclass(frozen=True, slots=True, eq=False)
class SheetImage:
    """An image, (H, W, 3) uint8 RGB, with labelled boxes by class and predicted ones in pixels."""

    image: Image
    caption: str
    truth: Sequence[tuple[str, Box]]
    found: Sequence[Detection]


def write_prediction_sheet(path: str | Path, title: str, images: Iterable[SheetImage]) -> None:
    """Draw the sheet and write it as PNG."""
    save_image(path, prediction_sheet(title, images))


def prediction_sheet(title: str, images: Iterable[SheetImage]) -> Image:
    """Return the sheet, (H, W, 3) uint8 RGB."""
    tiles = [_tile(image) for image in images]
    top = MARGIN + line_height(TITLE_PX) + line_height(CAPTION_PX)
    sheet = tiled(tiles or [_empty_tile()], COLUMNS, MARGIN, top)
    heading = fit(title, sheet.shape[1] - 2 * MARGIN, TITLE_PX, BOLD)
    put_text(sheet, heading, (MARGIN, MARGIN), TITLE_PX, LIGHT, BOLD)
    _legend(sheet, MARGIN + line_height(TITLE_PX))
    if not tiles:
        put_text(sheet, "no images", (MARGIN, top + MARGIN), CAPTION_PX, MUTED)
    return sheet


def _empty_tile() -> Image:
    return np.full((TILE_HEIGHT + line_height(CAPTION_PX), TILE_WIDTH, 3), DARK, np.uint8)


def _legend(sheet: Image, y: int) -> None:
    middle, x = y + line_height(CAPTION_PX) // 2, MARGIN
    for words, colour, dashed in (("labelled", RECORDED, True), ("predicted", MODEL, False)):
        _line(sheet, (x, middle), (x + 40, middle), colour, dashed)
        put_text(sheet, words, (x + 48, y), CAPTION_PX, LIGHT)
        x += 48 + text_width(words, CAPTION_PX) + 2 * MARGIN


def _tile(shown: SheetImage) -> Image:
    height, width = shown.image.shape[:2]
    scale = min(TILE_WIDTH / width, TILE_HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tile = _empty_tile()
    left, top = (TILE_WIDTH - size[0]) // 2, (TILE_HEIGHT - size[1]) // 2
    view = tile[top : top + size[1], left : left + size[0]]
    view[:] = resized(shown.image, size)
    for found in shown.found:
        _box(view, _scaled(found.box, scale, size), MODEL, dashed=False)
    for _, box in shown.truth:
        _box(view, _scaled(box, scale, size), RECORDED, dashed=True)
    for found in sorted(shown.found, key=lambda one: one.score):
        x1, y1, _, _ = _scaled(found.box, scale, size)
        _tag(view, f"{found.label} {found.score:.2f}", (x1, y1 - line_height(TAG_PX)), MODEL)
    for label, box in shown.truth:
        x1, _, _, y2 = _scaled(box, scale, size)
        _tag(view, label, (x1, y2), RECORDED)
    caption = fit(shown.caption, TILE_WIDTH, CAPTION_PX)
    put_text(tile, caption, (0, TILE_HEIGHT), CAPTION_PX, MUTED)
    return tile


def _scaled(box: Box, scale: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = (round(value * scale) for value in box)
    right, bottom = size[0] - 1, size[1] - 1
    return min(max(x1, 0), right), min(max(y1, 0), bottom), min(x2, right), min(y2, bottom)


def _box(view: Image, box: tuple[int, int, int, int], colour: Colour, dashed: bool) -> None:
    x1, y1, x2, y2 = box
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    for number, corner in enumerate(corners):
        _line(view, corner, corners[(number + 1) % 4], colour, dashed)


def _line(
    view: Image, start: tuple[int, int], end: tuple[int, int], colour: Colour, dashed: bool
) -> None:
    """Draw a straight line with a dark edge, visible on any background."""
    cv2.line(view, start, end, DARK, STROKE + 2)
    if not dashed:
        cv2.line(view, start, end, colour, STROKE)
        return
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    step = (np.array(end) - start) / length
    for begin in range(0, length, DASH + GAP):
        a = np.round(start + step * begin).astype(int)
        b = np.round(start + step * min(begin + DASH, length)).astype(int)
        cv2.line(view, a.tolist(), b.tolist(), colour, STROKE)


def _tag(view: Image, text: str, left_top: tuple[int, int], colour: Colour) -> None:
    """Draw a word on a plate in the colour of the box, moved inside the image."""
    height, width = view.shape[:2]
    plate = text_width(text, TAG_PX, BOLD) + 2 * TAG_PAD, line_height(TAG_PX)
    x = min(max(left_top[0], 0), max(width - plate[0], 0))
    y = min(max(left_top[1], 0), max(height - plate[1], 0))
    view[y : y + plate[1], x : x + plate[0]] = colour
    put_text(view, text, (x + TAG_PAD, y), TAG_PX, ink_on(colour), BOLD)
