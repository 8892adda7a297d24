"""The crop preview: the frame with its region, the crop and what the network is given.

Knows pixels and a `Region`; not what the network makes of them.
"""

from __future__ import annotations

import cv2
import numpy as np

from drive.frames.region import Region

WIDTH = 1280
"""Pixels across the picture: fits a laptop's screen."""

MARGIN = 16
CAPTION_HEIGHT = 30
BACKGROUND = (24, 26, 30)
TEXT = (230, 232, 236)
OUTLINE = (255, 176, 0)
DIM = 0.45
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE = 0.55
OUTLINE_THICKNESS = 3


def crop_preview(
    image: np.ndarray, region: Region, network_input: np.ndarray, network: str
) -> np.ndarray:
    """Compose the picture.

    Args:
        image: (H, W, 3) uint8 RGB, the whole frame.
        region: the crop in pixels of the frame.
        network_input: (h, w, 3) uint8 RGB, the crop as the network takes it.
        network: its name, for the caption.

    Returns:
        (H', 1280, 3) uint8 RGB: the frame on top, crop and network input below.
    """
    height, width = image.shape[:2]
    inner = WIDTH - 2 * MARGIN
    half = (inner - MARGIN) // 2
    frame = _panel(_with_region(image, region), inner, f"the frame, {width}x{height}")
    crop = _panel(
        region.crop(image), half, f"the crop, pixels {region} ({region.width}x{region.height})"
    )
    input_height, input_width = network_input.shape[:2]
    given = _panel(network_input, half, f"what {network} is given, {input_width}x{input_height}")
    return _stack(frame, crop, given)


def _with_region(image: np.ndarray, region: Region) -> np.ndarray:
    """The frame, dim outside the region, with the region outlined."""
    shown = (image * DIM).astype(np.uint8)
    region.crop(shown)[:] = region.crop(image)
    thickness = max(OUTLINE_THICKNESS, image.shape[1] * OUTLINE_THICKNESS // WIDTH)
    corners = (region.x1, region.y1), (region.x2 - 1, region.y2 - 1)
    cv2.rectangle(shown, *corners, OUTLINE, thickness)
    return shown


def _panel(image: np.ndarray, width: int, caption: str) -> np.ndarray:
    """The picture at `width` with a line of text above it."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinks = width < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    panel = np.full((CAPTION_HEIGHT + height, width, 3), BACKGROUND, np.uint8)
    panel[CAPTION_HEIGHT:] = cv2.resize(image, (width, height), interpolation=method)
    baseline = CAPTION_HEIGHT - CAPTION_HEIGHT // 3
    cv2.putText(panel, caption, (0, baseline), FONT, FONT_SCALE, TEXT, 1, cv2.LINE_AA)
    return panel


def _stack(top: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    lower = max(left.shape[0], right.shape[0])
    height = top.shape[0] + lower + 3 * MARGIN
    picture = np.full((height, WIDTH, 3), BACKGROUND, np.uint8)
    _place(picture, top, MARGIN, MARGIN)
    _place(picture, left, MARGIN, top.shape[0] + 2 * MARGIN)
    _place(picture, right, WIDTH - MARGIN - right.shape[1], top.shape[0] + 2 * MARGIN)
    return picture


def _place(picture: np.ndarray, panel: np.ndarray, x: int, y: int) -> None:
    picture[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
