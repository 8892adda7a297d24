"""The part of the frame that a steering network sees, chosen for the cameras of the recordings.

Pretrained convolutions have learnt a road that begins just below the top of their image. So the
crop follows the horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from drive.recordings.camera import Camera
from drive.steering.preprocess import ROAD, RoadCrop

ABOVE = 0.08
"""Share of the height that is seen above the horizon, behind a windscreen."""

HIGHEST_TOP, BOTTOM = 0.2, 0.875
"""The crop begins no higher, since a horizon above the upper third is hardly one. It ends where
bonnets and dashboards begin, at 0.86 to 0.88: the road just ahead tells where the lane is."""

LEAST_SEEN = 0.3
"""Share of the height that is seen, even if the horizon is low."""

LOW_CAMERA_M = 0.5
LOW_CAMERA_CROP = RoadCrop(0.15, 1.0)
"""What a camera on a model car sees: the floor, from its feet to the walls. It tilts down, is wide,
and has no bonnet before it (docs/decisions/steering.md)."""

DIGITS = 2


def crop_for(cameras: Sequence[Camera]) -> RoadCrop:
    """Return the crop for recordings of these cameras, whose horizon is None if it is not known."""
    if median(camera.height_m for camera in cameras) < LOW_CAMERA_M:
        return LOW_CAMERA_CROP
    known = [camera.horizon for camera in cameras if camera.horizon is not None]
    return around(median(known)) if known else ROAD


def around(horizon: float) -> RoadCrop:
    """Return the crop for a horizon at this share of the height."""
    top = min(max(horizon - ABOVE, HIGHEST_TOP), BOTTOM - LEAST_SEEN)
    return RoadCrop(round(top, DIGITS), BOTTOM)
