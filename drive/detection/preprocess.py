"""The input of a network, for training and detection: an image resized or letterboxed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

GREY = 114  # the padding of YOLO implementations, near the mean of photographs
GRID = 32  # pixels; the coarsest stride of the networks
GAIN_STEP = 0.25
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies inside the network's input, in pixels of the input."""

    left: int
    top: int
    width: int
    height: int

    def remove(self, boxes: np.ndarray) -> np.ndarray:
        """Map (N, 4) boxes from the input to pixels of the resized image, width x height."""
        result: np.ndarray = boxes - np.array([self.left, self.top] * 2)
        return result

    def apply(self, boxes: np.ndarray, width: int, height: int) -> np.ndarray:
        """Map (N, 4) boxes from an image of `width` x `height` pixels into the input."""
        scale = np.array([self.width / width, self.height / height] * 2)
        result: np.ndarray = boxes * scale + np.array([self.left, self.top] * 2)
        return result


def letterbox(image: np.ndarray, height: int, width: int) -> tuple[np.ndarray, Placement]:
    """Return (height, width, 3) uint8 with the image in the middle, aspect kept, and its place."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner_height = min(height, max(1, round(image.shape[0] * scale)))
    inner_width = min(width, max(1, round(image.shape[1] * scale)))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = np.full((height, width, 3), GREY, np.uint8)
    inner = canvas[top : top + inner_height, left : left + inner_width]
    inner[:] = resize(image, inner_height, inner_width)
    return canvas, Placement(left, top, inner_width, inner_height)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return `image` in another size, with linear interpolation."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def closest_aspect(sizes: Sequence[tuple[int, int]], height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) of `sizes` with the aspect closest to the image's."""
    return min(sizes, key=lambda size: abs(math.log(size[1] / size[0] * height / width)))


def finer(size: tuple[int, int], height: int, width: int, most: float) -> tuple[int, int]:
    """Return an input up to `most` times as large, but not larger than the image: (height, width).

    The factor has steps: a runtime has to compile the network for each new size.
    """
    gain = min(most, max(height / size[0], width / size[1]))
    steps = max(1.0, math.floor(gain / GAIN_STEP + ROUNDING) * GAIN_STEP)
    return round(size[0] * steps / GRID) * GRID, round(size[1] * steps / GRID) * GRID
