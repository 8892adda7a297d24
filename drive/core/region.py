"""A crop of the frame that maps both ways, so that no one writes the offset arithmetic twice.

Knows pixels only: not which network looks at the crop, nor why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drive.core.errors import InputError

ROAD_TOP = 0.12
"""Share of the frame's height above the road region. The horizon lies at 0.25 (a camera that looks
down on city traffic) to 0.55 of the height in this project's clips and recordings, and the trucks
in front of it rise above it. A wide frame is limited by its width in the network's input anyway."""

ROAD_BOTTOM = 0.94
"""Share of the frame's height where the hood or a burnt-in caption usually begins."""

SMALLEST_SIDE = 16
"""Pixels a side of a region that a user may name: in less, no car can be told from a stain."""

PUBLISHED_FRAME = (1280, 720)
PUBLISHED_CROP = (500, 300, 1280, 650)
"""x1, y1, x2, y2 of the crop that the published tiny YOLO v1 port takes: [300:650, 500:1280]."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of whole source pixels; `x2` and `y2` are exclusive.

    Raises:
        InputError: the rectangle is empty or begins left of or above the frame.
    """

    x1: int
    y1: int
    x2: int
    y2: int

    def __post_init__(self) -> None:
        if self.x1 < 0 or self.y1 < 0 or self.x2 <= self.x1 or self.y2 <= self.y1:
            raise InputError(
                "A region is X1,Y1,X2,Y2 in pixels with 0 <= X1 < X2 and 0 <= Y1 < Y2. "
                f"Received: {self}"
            )

    def __str__(self) -> str:
        return f"{self.x1},{self.y1},{self.x2},{self.y2}"

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.y2 - self.y1

    @classmethod
    def full(cls, width: int, height: int) -> Region:
        """The whole frame."""
        return cls(0, 0, width, height)

    @classmethod
    def road(cls, width: int, height: int) -> Region:
        """The road: full width, from above the horizon to the hood, for any size and aspect.

        A frame taller than it is wide (a phone held upright) is treated as the square in its
        middle: what lies above and below it is sky and dashboard.
        """
        side = min(width, height)
        top = (height - side) // 2
        return cls(0, top + round(ROAD_TOP * side), width, top + max(round(ROAD_BOTTOM * side), 1))

    @classmethod
    def tiny_yolo_v1(cls, width: int, height: int) -> Region:
        """The published crop of a 1280x720 frame, scaled to this frame."""
        frame_width, frame_height = PUBLISHED_FRAME
        x1, y1, x2, y2 = PUBLISHED_CROP
        return cls(
            round(x1 * width / frame_width),
            round(y1 * height / frame_height),
            max(1, round(x2 * width / frame_width)),
            max(1, round(y2 * height / frame_height)),
        )

    @classmethod
    def parse(
        cls,
        text: str,
        width: int,
        height: int,
        auto: Callable[[int, int], Region] | None = None,
    ) -> Region:
        """Read `auto`, `full` or `X1,Y1,X2,Y2` for a frame of `width` x `height` pixels.

        Args:
            text: what the user wrote.
            width: width of the frame in pixels.
            height: height of the frame in pixels.
            auto: what `auto` means for the network at hand; `Region.road` where none is given.

        Raises:
            InputError: the text is none of the three, or the region lies outside the frame or is
                smaller than `SMALLEST_SIDE` a side.
        """
        if text == "auto":
            return (auto or cls.road)(width, height)
        if text == "full":
            return cls.full(width, height)
        try:
            x1, y1, x2, y2 = (int(part) for part in text.split(","))
        except ValueError:
            raise InputError(
                f"--region is auto, full or X1,Y1,X2,Y2 in whole pixels. Received: {text!r}"
            ) from None
        region = cls(x1, y1, x2, y2)
        if x2 > width or y2 > height:
            raise InputError(
                f"--region must lie inside the frame of {width}x{height} pixels. Received: {text}"
            )
        if min(region.width, region.height) < SMALLEST_SIDE:
            raise InputError(
                f"--region must be at least {SMALLEST_SIDE} pixels wide and high. "
                f"Received: {text}, which is {region.width}x{region.height}"
            )
        return region

    def crop(self, image: np.ndarray) -> np.ndarray:
        """The (height, width, 3) view of `image` inside the region; no pixels are copied."""
        return image[self.y1 : self.y2, self.x1 : self.x2]

    def to_source(self, boxes: np.ndarray, crop_width: float, crop_height: float) -> np.ndarray:
        """Map boxes from the resized crop back to the source frame.

        Args:
            boxes: (N, 4) x1, y1, x2, y2 in pixels of the crop resized to
                `crop_width` x `crop_height`.
            crop_width: width of the resized crop in pixels.
            crop_height: height of the resized crop in pixels.

        Returns:
            (N, 4) boxes in source pixels, cut at the region's edges.
        """
        scale = np.array([self.width / crop_width, self.height / crop_height] * 2)
        offset = np.array([self.x1, self.y1] * 2)
        mapped = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * scale + offset
        return np.clip(mapped, offset, [self.x2, self.y2] * 2)

    def from_source(self, boxes: np.ndarray, crop_width: float, crop_height: float) -> np.ndarray:
        """Map (N, 4) boxes from source pixels into the resized crop; the inverse of `to_source`."""
        scale = np.array([crop_width / self.width, crop_height / self.height] * 2)
        offset = np.array([self.x1, self.y1] * 2)
        return (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - offset) * scale
