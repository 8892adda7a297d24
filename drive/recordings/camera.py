"""The geometry of a camera, and its image if it were shifted sideways or turned.

The model of the paper (arXiv 1604.07316, section 4): everything below the horizon is flat ground,
everything above it is infinitely far away. Shifting the camera shears the ground and leaves the sky
unchanged; turning it moves both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from drive.core.region import Region
from drive.core.types import FloatArray, Image

DEFAULT_HORIZON = 0.5
"""Position of the horizon for a level camera, as a share of the height."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A level pinhole camera with square pixels; the table `[camera]` of `recording.toml`.

    Attributes:
        height_m: metres above the road; 1.2 is behind the windscreen of a car.
        fov_deg: horizontal field of view in degrees; dashcams have 60 to 110.
        horizon: its position as a share of the height from the top; None to estimate it from the
            video (`drive.recordings.horizon`) or assume the middle.
        side_m: metres from the front camera to the left and right ones.
    """

    height_m: float = 1.2
    fov_deg: float = 70.0
    horizon: float | None = None
    side_m: float = 0.5

    def view(self, width: int, height: int) -> View:
        """Return the geometry of the whole frame of `width` x `height` pixels."""
        focal = width / 2 / math.tan(math.radians(self.fov_deg) / 2)
        horizon = DEFAULT_HORIZON if self.horizon is None else self.horizon
        return View(width, height, focal, focal, width / 2, horizon * height, self.height_m)


@dataclass(frozen=True, slots=True)
class View:
    """The projection of directions to pixels of one image: a frame, or a resized crop of it.

    Attributes:
        width, height: of the image in pixels.
        focal_x, focal_y: pixels per tangent of 1 to the right and downwards.
        centre_x, horizon_y: pixels of the direction straight ahead, from the left and top edges
            (pixel centres are at .5); may be outside the image.
        camera_m: height of the camera above the road in metres.
    """

    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    horizon_y: float
    camera_m: float

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
    """Return the directions of the original camera for directions of a moved one.

    Args:
        right, below: tangents of directions of the moved camera.
        camera_m: height of both cameras above the road in metres.
        shift_m: metres from the original camera to the moved one, positive right.
        yaw_deg: degrees from the original direction to that of the moved one, positive right.
    """
    turn = math.tan(math.radians(yaw_deg))
    ahead = 1.0 - right * turn  # both over the cosine, which cancels
    level = math.cos(math.radians(yaw_deg))
    down = below / (ahead * level)
    return (right + turn) / ahead + (shift_m / camera_m) * np.maximum(down, 0), down


def move_camera(
    image: Image, view: View, shift_m: float, yaw_deg: float, border: int = cv2.BORDER_REPLICATE
) -> Image:
    """Return the image that the camera would take if it were shifted and turned.

    Args:
        image: (H, W, 3) uint8, any colour order; H and W as in `view`.
        view: geometry of the image.
        shift_m: metres to the right; negative to the left.
        yaw_deg: degrees to the right; negative to the left.
        border: how OpenCV fills what the original camera did not see.

    Returns:
        A new image of the same shape.
    """
    rays = moved_rays(*view.rays(), view.camera_m, shift_m, yaw_deg)
    pixels = view.pixels(*rays)
    return np.asarray(cv2.remap(image, *pixels, cv2.INTER_LINEAR, borderMode=border), image.dtype)
