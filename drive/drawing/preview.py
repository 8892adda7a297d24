"""The crop preview: the frame with its region, the crop and the input of the network."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from drive.core.region import Region
from drive.core.types import Image
from drive.core.wording import counted
from drive.drawing.shapes import resized

WIDTH = 1280  # width of the preview in pixels
MARGIN = 16
CAPTION_HEIGHT = 30
BACKGROUND = (24, 26, 30)
TEXT = (230, 232, 236)
OUTLINE = (255, 176, 0)
TILE_OUTLINE = (0, 200, 255)
TILES_IN_A_ROW = 4
DIM = 0.45
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE = 0.55
OUTLINE_THICKNESS = 3


def crop_preview(
    image: Image,
    region: Region,
    network_input: Image,
    network: str,
    tiles: Sequence[Region] = (),
    tile_inputs: Sequence[Image] = (),
) -> Image:
    """Return the preview image.

    Args:
        image: (H, W, 3) uint8 RGB, the whole frame.
        region: the crop in pixels of the frame.
        network_input: (h, w, 3) uint8 RGB, the crop prepared for the network.
        network: its name, for the caption.
        tiles: parts of the region that the network sees too, in pixels of the frame.
        tile_inputs: (h, w, 3) uint8 RGB, each tile prepared for the network.

    Returns:
        (H', 1280, 3) uint8 RGB: the frame on top, crop and network input below, then the tiles.
    """
    height, width = image.shape[:2]
    inner = WIDTH - 2 * MARGIN
    half = (inner - MARGIN) // 2
    caption = f"the frame, {width}x{height}" + (
        f", and {counted(len(tiles), 'tile')}" if tiles else ""
    )
    frame = _panel(_with_region(image, region, tiles), inner, caption)
    crop = _panel(
        region.crop(image), half, f"the crop, pixels {region} ({region.width}x{region.height})"
    )
    input_height, input_width = network_input.shape[:2]
    given = _panel(network_input, half, f"input of {network}, {input_width}x{input_height}")
    return _stack([[frame], [crop, given], *_tile_rows(tiles, tile_inputs, inner)])


def _tile_rows(
    tiles: Sequence[Region], tile_inputs: Sequence[Image], inner: int
) -> list[list[Image]]:
    across = min(len(tiles), TILES_IN_A_ROW) or 1
    each = (inner - (across - 1) * MARGIN) // across
    panels = [
        _panel(given, each, f"tile {number}: {tile}")
        for number, (tile, given) in enumerate(zip(tiles, tile_inputs, strict=True), 1)
    ]
    return [panels[begin : begin + across] for begin in range(0, len(panels), across)]


def _with_region(image: Image, region: Region, tiles: Sequence[Region]) -> Image:
    """Return the frame, dimmed outside the region, with region and tiles outlined."""
    shown = (image * DIM).astype(np.uint8)
    region.crop(shown)[:] = region.crop(image)
    thickness = max(OUTLINE_THICKNESS, image.shape[1] * OUTLINE_THICKNESS // WIDTH)
    for tile in tiles:
        _outline(shown, tile, TILE_OUTLINE, max(1, thickness // 2))
    _outline(shown, region, OUTLINE, thickness)
    return shown


def _outline(image: Image, region: Region, colour: tuple[int, int, int], thickness: int) -> None:
    corners = (region.x1, region.y1), (region.x2 - 1, region.y2 - 1)
    cv2.rectangle(image, *corners, colour, thickness)


def _panel(image: Image, width: int, caption: str) -> Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    panel = np.full((CAPTION_HEIGHT + height, width, 3), BACKGROUND, np.uint8)
    panel[CAPTION_HEIGHT:] = resized(image, (width, height))
    baseline = CAPTION_HEIGHT - CAPTION_HEIGHT // 3
    cv2.putText(panel, caption, (0, baseline), FONT, FONT_SCALE, TEXT, 1, cv2.LINE_AA)
    return panel


def _stack(rows: Sequence[Sequence[Image]]) -> Image:
    heights = [max(panel.shape[0] for panel in row) for row in rows]
    stacked = np.full((sum(heights) + (len(rows) + 1) * MARGIN, WIDTH, 3), BACKGROUND, np.uint8)
    y = MARGIN
    for row, height in zip(rows, heights, strict=True):
        x = MARGIN
        for panel in row:
            stacked[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
            x += panel.shape[1] + MARGIN
        y += height + MARGIN
    return stacked
