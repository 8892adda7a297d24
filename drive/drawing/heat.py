"""Heat maps over images: how much each part counts, in matplotlib's `plasma`.

Parts that count little are not tinted, and the road stays visible under the strongest tint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.types import FloatArray, Image
from drive.drawing.palette import LIGHT
from drive.drawing.shapes import drawable, veil
from drive.drawing.text import line_height, put_text, text_width

GAMMA = 0.5  # raises middle values: half of the pixels are below 0.01, one in a hundred above 0.4
LOW, HIGH = 0.15, 0.85  # values after `GAMMA` at which the tint begins, and at which it is full
MOST_OPAQUE = 0.7
BLUR_PX = 1.3
"""Standard deviation in pixels of the values: takes out the grid that transposed convolutions of
stride 2 leave (Odena et al., "Deconvolution and Checkerboard Artifacts", 2016)."""

LEVELS = 256
FAINTEST = 0.35
"""Where in the colour scale the tint begins: what comes before is too dark for asphalt."""

BAR_WIDTH, BAR_HEIGHT = 4.0, 0.55  # of the legend's colour bar, in font sizes
LESS, MORE = "counts less", "more"


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """How much each part of a region counts: (rows, columns) float32, 0 to 1."""

    values: FloatArray
    region: Region

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.size == 0:
            raise InputError(
                f"a heat map must have rows and columns; got an array of {self.values.shape}"
            )


def draw_heat(image: Image, heat: HeatMap, font_px: int) -> Image:
    """Tint a frame in place, or a copy of a read-only one; return it."""
    canvas = drawable(image)
    patch = heat.region.crop(canvas)
    size = (patch.shape[1], patch.shape[0])
    parts = tint(heat.values)
    light, through = (cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in parts)
    cv2.multiply(patch, through, patch, scale=1 / 255)
    cv2.add(patch, light, patch)
    _draw_legend(canvas, font_px)
    return canvas


def tint(values: FloatArray) -> tuple[Image, Image]:
    """Return (rows, columns, 3) uint8 arrays: light to add, and the kept share of 255."""
    calm = np.asarray(cv2.GaussianBlur(values.astype(np.float32), (0, 0), BLUR_PX), np.float32)
    highest = float(calm.max())
    strength = _strength(calm / highest if highest > 0 else calm)
    opacity = (MOST_OPAQUE * strength)[..., None]
    colour = _scale()[np.rint(strength * (LEVELS - 1)).astype(np.uint8)]
    light = np.rint(colour * opacity).astype(np.uint8)
    through = np.repeat(np.rint(255 * (1 - opacity)).astype(np.uint8), 3, axis=2)
    return light, through


def _strength(values: FloatArray) -> FloatArray:
    strength: FloatArray = np.clip((np.clip(values, 0, 1) ** GAMMA - LOW) / (HIGH - LOW), 0, 1)
    return strength


@lru_cache(maxsize=1)
def _scale() -> FloatArray:
    """Return (256, 3) float32 RGB from the faintest tint to the strongest."""
    levels = np.linspace(FAINTEST, 1, LEVELS) * (LEVELS - 1)
    row = np.rint(levels).astype(np.uint8)[None]
    return cv2.applyColorMap(row, cv2.COLORMAP_PLASMA)[0, :, ::-1].astype(np.float32)


def _draw_legend(canvas: Image, font_px: int) -> None:
    height, width = canvas.shape[:2]
    pad, bar = max(2, round(font_px * 0.5)), round(BAR_WIDTH * font_px)
    less, more = text_width(LESS, font_px), text_width(MORE, font_px)
    full = less + bar + more + 4 * pad
    tall = line_height(font_px) + pad
    left, top = width - pad - full, height - pad - tall
    if left < width // 2 or top < height // 2:
        return
    veil(canvas, left, top, full, tall)
    text_top = top + pad // 2
    put_text(canvas, LESS, (left + pad, text_top), font_px, LIGHT)
    put_text(canvas, MORE, (left + full - pad - more, text_top), font_px, LIGHT)
    x, thick = left + 2 * pad + less, math.ceil(BAR_HEIGHT * font_px)
    y = top + (tall - thick) // 2
    strength = np.linspace(0, 1, bar)[:, None]
    strip = canvas[y : y + thick, x : x + bar]
    colours = _scale()[np.rint(strength[:, 0] * (LEVELS - 1)).astype(np.uint8)]
    strip[...] = (strip * (1 - strength) + colours * strength).astype(np.uint8)
