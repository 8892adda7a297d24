"""Sheets of the kernels of a network as colours, and of its feature maps as heat."""

from __future__ import annotations

import cv2
import numpy as np

from drive.core.types import FloatArray, Image
from drive.drawing.shapes import resized, tiled

KERNEL_PX = 60
MAP_WIDTH, MAP_COLUMNS, KERNEL_COLUMNS = 150, 6, 12
GAP = 6
YUV_TO_RGB = np.array([[1.0, 0.0, 1.14], [1.0, -0.395, -0.581], [1.0, 2.033, 0.0]])
"""OpenCV's matrix without the offsets, since kernels weigh differences."""


def kernel_sheet(kernels: FloatArray, yuv: bool = False) -> Image:
    """Return (H, W, 3) uint8 RGB: each (rows, columns, 3) kernel, 0 in grey, at full contrast."""
    shown = kernels @ YUV_TO_RGB.T if yuv else kernels
    most = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    shares = np.divide(shown, most, out=np.zeros_like(shown, np.float64), where=most > 0)
    images = np.rint(127.5 + 127.5 * shares).astype(np.uint8)
    size = (KERNEL_PX, KERNEL_PX)
    tiles = [cv2.resize(one, size, interpolation=cv2.INTER_NEAREST) for one in images]
    return tiled(tiles, min(KERNEL_COLUMNS, len(tiles)), GAP)


def map_sheet(maps: FloatArray) -> Image:
    """Return (H, W, 3) uint8 RGB: (N, rows, columns) maps, each from dark (minimum) to bright."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    scaled = np.rint((maps - low) / np.where(high > low, high - low, 1) * 255).astype(np.uint8)
    height = max(1, round(MAP_WIDTH * maps.shape[1] / maps.shape[2]))
    tiles = [
        resized(
            cv2.cvtColor(cv2.applyColorMap(one, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB),
            (MAP_WIDTH, height),
        )
        for one in scaled
    ]
    return tiled(tiles, min(MAP_COLUMNS, len(tiles)), GAP)
