"""Even exposure: what lies in deep shade becomes visible.

The curves of a drive are often where trees stand; docs/decisions/steering.md has what it is worth.
"""

from __future__ import annotations

import cv2
import numpy as np

MIDDLE = 0.4
"""Level, of 1, that the median brightness is brought to."""

DARKEST, BRIGHTEST = 0.004, 0.96
"""The median counts as at least, at most this: black and white have no exponent."""

LEAST_EXPONENT, LARGEST_EXPONENT = 0.3, 2.0
EVERY = 4
"""The median is that of every 4th pixel of every 4th row."""

LEVELS = 255


def even_exposure(image: np.ndarray) -> np.ndarray:
    """Return a (H, W, 3) uint8 RGB image whose median brightness is at 0.4 by an exponent."""
    return apply_exponent(image, exponent_of(image))


def apply_exponent(image: np.ndarray, exponent: float) -> np.ndarray:
    """Raise each value of a uint8 image, as a share of 255, to a power."""
    table = (np.arange(LEVELS + 1) / LEVELS) ** exponent * LEVELS
    return cv2.LUT(image, np.rint(table).astype(np.uint8))


def exponent_of(image: np.ndarray) -> float:
    """Return the exponent that brings the median brightness of an RGB image to the middle."""
    grey = cv2.cvtColor(image[::EVERY, ::EVERY], cv2.COLOR_RGB2GRAY)
    median = np.clip(np.median(grey) / LEVELS, DARKEST, BRIGHTEST)
    exponent = np.log(MIDDLE) / np.log(median)
    return float(np.clip(exponent, LEAST_EXPONENT, LARGEST_EXPONENT))
