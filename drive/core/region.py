"""A crop of the frame, with the mapping of boxes back to the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drive.core.errors import InputError
from drive.core.types import FloatArray, Image

ROAD_TOP = 0.12
"""Top of the road region as a share of the height. The horizon is at 0.25 (a camera that looks down
on city traffic) to 0.55 of the height in our clips and recordings, and lorries rise above it."""

ROAD_BOTTOM = 0.94
"""Bottom of the road region as a share of the height; the hood or a caption usually begins here."""

SMALLEST_SIDE = 16
"""Minimum width and height in pixels of a region that a user names."""

PUBLISHED_FRAME = (1280, 720)
PUBLISHED_CROP = (500, 300, 1280, 650)
"""x1, y1, x2, y2 of the crop of the published tiny YOLO v1 port: [300:650, 500:1280]."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole source pixels; `x2` and `y2` are exclusive.

    Raises:
        InputError: the rectangle is empty or has negative coordinates.

    Example:
        >>> region = Region.road(1280, 720)
        >>> crop = region.crop(frame.image)
        >>> boxes = region.to_source(boxes, crop.shape[1], crop.shape[0])
    """

    x1: int
    y1: int
    x2: int
    y2: int

    def __post_init__(self) -> None:
        if self.x1 < 0 or self.y1 < 0 or self.x2 <= self.x1 or self.y2 <= self.y1:
            raise InputError(
                "a region must be X1,Y1,X2,Y2 in pixels with 0 <= X1 < X2 and 0 <= Y1 < Y2; "
                f"got {self}"
            )

    def __str__(self) -> str:
        return f"{self.x1},{self.y1},{self.x2},{self.y2}"

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y2 - self.y1

    @classmethod
    def full(cls, width: int, height: int) -> Region:
        """Return the whole frame."""
        return cls(0, 0, width, height)

    @classmethod
    def road(cls, width: int, height: int) -> Region:
        """Return the road: full width, from above the horizon to the hood.

        Of an upright frame (a phone), the square in the middle counts: above and below it are sky
        and dashboard.
        """
        side = min(width, height)
        top = (height - side) // 2
        return cls(0, top + round(ROAD_TOP * side), width, top + max(round(ROAD_BOTTOM * side), 1))

    @classmethod
    def tiny_yolo_v1(cls, width: int, height: int) -> Region:
        """Return the crop of the published port, scaled to this frame size."""
        frame_width, frame_height = PUBLISHED_FRAME
        x1, y1, x2, y2 = PUBLISHED_CROP
        across, down = width / frame_width, height / frame_height
        right, bottom = max(1, round(x2 * across)), max(1, round(y2 * down))
        return cls(round(x1 * across), round(y1 * down), right, bottom)

    @classmethod
    def parse(
        cls, text: str, width: int, height: int, auto: Callable[[int, int], Region] | None = None
    ) -> Region:
        """Parse `auto`, `full` or `X1,Y1,X2,Y2` for a frame of `width` x `height` pixels.

        `auto` returns the region of that name; `Region.road` by default.

        Raises:
            InputError: the text has another form, or the region is outside the frame or too small.
        """
        if text == "auto":
            return (auto or cls.road)(width, height)
        if text == "full":
            return cls.full(width, height)
        try:
            x1, y1, x2, y2 = (int(part) for part in text.split(","))
        except ValueError:
            raise InputError(
                f"--region must be auto, full or X1,Y1,X2,Y2 in whole pixels; got {text!r}"
            ) from None
        region = cls(x1, y1, x2, y2)
        if x2 > width or y2 > height:
            raise InputError(
                f"--region must be inside the frame of {width}x{height} pixels; got {text}"
            )
        if min(region.width, region.height) < SMALLEST_SIDE:
            raise InputError(
                f"--region must be at least {SMALLEST_SIDE} pixels wide and high; "
                f"got {text}, which is {region.width}x{region.height}"
            )
        return region

    def crop(self, image: Image) -> Image:
        """Return the (height, width, 3) view of `image` inside the region, without a copy."""
        return image[self.y1 : self.y2, self.x1 : self.x2]

    def to_source(self, boxes: FloatArray, crop_width: float, crop_height: float) -> FloatArray:
        """Map (N, 4) boxes from the resized crop to source pixels, clipped to the region."""
        scale = np.array([self.width / crop_width, self.height / crop_height] * 2)
        offset = np.array([self.x1, self.y1] * 2)
        mapped = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale + offset
        result: np.ndarray = np.clip(mapped, offset, [self.x2, self.y2] * 2)
        return result
