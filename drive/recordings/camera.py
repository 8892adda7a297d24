"""Where a recording's camera sits, and what it would see from further left or right, or turned.

The model of the paper (arXiv 1604.07316, section 4): all below the horizon is flat ground, all
above it is infinitely far away. A shifted camera then shears the ground and leaves the sky alone;
a turned one moves both. Knows pinhole cameras; nothing of steering.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from drive.core.region import Region

DEFAULT_HORIZON = 0.5
"""Share of the frame's height at which a level camera has the horizon."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A level pinhole camera with square pixels; the table `[camera]` of `recording.toml`.

    Attributes:
        height_m: metres above the road; 1.2 is behind the windscreen of a car.
        fov_deg: horizontal field of view in degrees; dashcams have 60 to 110.
        horizon: share of the frame's height at which the horizon lies; None: to be estimated from
            the video (`drive.recordings.horizon`), or the middle.
        side_m: metres by which the left and right cameras sit beside the front one.
    """

    height_m: float = 1.2
    fov_deg: float = 70.0
    horizon: float | None = None
    side_m: float = 0.5

    def view(self, width: int, height: int) -> View:
        """The geometry of its whole frame of `width` x `height` pixels."""
        focal = width / 2 / math.tan(math.radians(self.fov_deg) / 2)
        horizon = DEFAULT_HORIZON if self.horizon is None else self.horizon
        return View(width, height, focal, focal, width / 2, horizon * height, self.height_m)


@dataclass(frozen=True, slots=True)
class View:
    """How directions become pixels in one picture: a frame, or a crop of it that was resized.

    Attributes:
        width, height: pixels of the picture.
        focal_x, focal_y: pixels for a tangent of 1 to the right and downwards.
        centre_x, horizon_y: pixels at which the camera looks straight ahead, from the left and top
            edges (pixel centres lie at .5); both may lie outside.
        camera_m: metres of the camera above the road.
    """

    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    horizon_y: float
    camera_m: float

    def cropped(self, region: Region, width: int, height: int) -> View:
        """The geometry of `region` of this picture after resizing it to `width` x `height`."""
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
        """The geometry of the picture with so many columns more on each side."""
        return replace(self, width=self.width + 2 * columns, centre_x=self.centre_x + columns)

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Each pixel's tangents to the right and downwards: two (H, W) float32."""
        across = (np.arange(self.width, dtype=np.float32) + 0.5 - self.centre_x) / self.focal_x
        down = (np.arange(self.height, dtype=np.float32) + 0.5 - self.horizon_y) / self.focal_y
        right, below = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        return right, below

    def pixels(self, right: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tangents to OpenCV's pixel coordinates (centres at whole numbers), float32."""
        x = right * self.focal_x + (self.centre_x - 0.5)
        y = below * self.focal_y + (self.horizon_y - 0.5)
        return x.astype(np.float32), y.astype(np.float32)

    def ground(self, ahead_m: np.ndarray, right_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates of points of the road `ahead_m` > 0 in front of the camera."""
        ahead = np.asarray(ahead_m, np.float64)
        return self.pixels(np.asarray(right_m) / ahead, self.camera_m / ahead)


def moved_rays(
    right: np.ndarray, below: np.ndarray, camera_m: float, shift_m: float, yaw_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the original camera sees what a moved one sees in the given directions.

    Args:
        right, below: tangents of directions of the moved camera.
        camera_m: metres of both cameras above the road.
        shift_m: how far right of the original one the moved camera stands, in metres.
        yaw_deg: how far right of the original one it looks, in degrees.
    """
    turn = math.tan(math.radians(yaw_deg))
    ahead = 1.0 - right * turn  # both over the cosine, which cancels
    level = math.cos(math.radians(yaw_deg))
    down = below / (ahead * level)
    return (right + turn) / ahead + (shift_m / camera_m) * np.maximum(down, 0), down


def move_camera(
    image: np.ndarray,
    view: View,
    shift_m: float,
    yaw_deg: float,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """Redraw a picture as the same camera further right and turned to the right would see it.

    Args:
        image: (H, W, 3) uint8, of any colours; H and W as in `view`.
        view: its geometry.
        shift_m: metres to the right; negative to the left.
        yaw_deg: degrees to the right; negative to the left.
        border: how OpenCV fills what the original camera did not see.

    Returns:
        A new picture of the same shape.
    """
    rays = moved_rays(*view.rays(), view.camera_m, shift_m, yaw_deg)
    return cv2.remap(image, *view.pixels(*rays), cv2.INTER_LINEAR, borderMode=border)
