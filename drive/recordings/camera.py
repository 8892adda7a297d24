"""The geometry of a camera, and its image if it were shifted sideways or turned.

The model of arXiv 1604.07316, section 4: below the horizon is flat ground, above it everything is
infinitely far away. Shifting shears the ground and leaves the sky unchanged; turning moves both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from drive.core.region import Region
from drive.core.types import FloatArray, Image

DEFAULT_HORIZON = 0.5  # position of the horizon for a level camera, as a share of the height


@dataclass(frozen=True, slots=True)
class Camera:
    """A level pinhole camera with square pixels; the table `[camera]` of `recording.toml`."""

    height_m: float = 1.2  # metres above the road; 1.2 is behind the windscreen of a car
    fov_deg: float = 70.0  # horizontal field of view; dashcams have 60 to 110
    horizon: float | None = None  # share of the height from the top; None: estimated or the middle
    side_m: float = 0.5  # metres from the front camera to the left and right ones

    def view(self, width: int, height: int) -> View:
        """Return the geometry of the whole frame of `width` x `height` pixels."""
        focal = width / 2 / math.tan(math.radians(self.fov_deg) / 2)
        horizon = DEFAULT_HORIZON if self.horizon is None else self.horizon
        return View(width, height, focal, focal, width / 2, horizon * height, self.height_m)


@dataclass(frozen=True, slots=True)
class View:
    """The projection of directions to pixels of one image: a frame, or a resized crop of it.

    Edges are at 0 and pixel centres at .5; the direction straight ahead may be outside the image.
    """

    width: int
    height: int
    focal_x: float  # pixels per tangent of 1 to the right
    focal_y: float  # and downwards
    centre_x: float  # of the direction straight ahead, from the left edge
    horizon_y: float  # and from the top edge
    camera_m: float  # height above the road in metres

    def cropped(self, region: Region, width: int, height: int) -> View:
        """Return the geometry of `region` of this image, resized to `width` x `height`."""
        scale_x = width / (region.x2 - region.x1)
        scale_y = height / (region.y2 - region.y1)
        return View(
            width,
            height,
            self.focal_x * scale_x,
            self.focal_y * scale_y,
            (self.centre_x - region.x1) * scale_x,
            (self.horizon_y - region.y1) * scale_y,
            self.camera_m,
        )

    def widened(self, columns: int) -> View:
        """Return the geometry of the image with so many more columns on each side."""
        return replace(self, width=self.width + 2 * columns, centre_x=self.centre_x + columns)

    def rays(self) -> tuple[FloatArray, FloatArray]:
        """Return the tangents of each pixel to the right and downwards: two (H, W) float32."""
        across = (np.arange(self.width, dtype=np.float32) + 0.5 - self.centre_x) / self.focal_x
        down = (np.arange(self.height, dtype=np.float32) + 0.5 - self.horizon_y) / self.focal_y
        right, below = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        return right, below

    def pixels(self, right: FloatArray, below: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn tangents into OpenCV's pixel coordinates (centres at whole numbers), float32."""
        x = right * self.focal_x + (self.centre_x - 0.5)
        y = below * self.focal_y + (self.horizon_y - 0.5)
        return x.astype(np.float32), y.astype(np.float32)

    def ground(self, ahead_m: FloatArray, right_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return pixel coordinates of points on the road, `ahead_m` > 0 before the camera."""
        ahead = np.asarray(ahead_m, np.float64)
        return self.pixels(np.asarray(right_m) / ahead, self.camera_m / ahead)


def moved_rays(
    right: FloatArray, below: FloatArray, camera_m: float, shift_m: float, yaw_deg: float
) -> tuple[FloatArray, FloatArray]:
    """Return directions (tangents) of the original camera for those of a moved one.

    The moved camera is `shift_m` to the right of the original, at the same height `camera_m`, and
    turned right by `yaw_deg`.
    """
    turn = math.tan(math.radians(yaw_deg))
    ahead = 1.0 - right * turn  # both over the cosine, which cancels
    level = math.cos(math.radians(yaw_deg))
    down = below / (ahead * level)
    return (right + turn) / ahead + (shift_m / camera_m) * np.maximum(down, 0), down


def move_camera(
    image: Image, view: View, shift_m: float, yaw_deg: float, border: int = cv2.BORDER_REPLICATE
) -> Image:
    """Return the image, in any colour order, of a camera moved `shift_m` and turned to the right.

    `border` says how OpenCV fills what the original camera did not see.
    """
    rays = moved_rays(*view.rays(), view.camera_m, shift_m, yaw_deg)
    pixels = view.pixels(*rays)
    return np.asarray(cv2.remap(image, *pixels, cv2.INTER_LINEAR, borderMode=border), image.dtype)
