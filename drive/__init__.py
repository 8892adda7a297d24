"""drive: dashcam video in; steering predictions, car detections and annotated video out.

The public names are loaded when they are first used, so that importing `drive` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drive.cars.detector import load_detector as load_detector
    from drive.frames.reader import read_frames as read_frames
    from drive.frames.region import Region as Region
    from drive.steering.predict import load_steering as load_steering
    from drive.types import Box as Box
    from drive.types import Detection as Detection
    from drive.types import Frame as Frame

__all__ = [
    "Box",
    "Detection",
    "Frame",
    "Region",
    "load_detector",
    "load_steering",
    "read_frames",
]

_HOMES = {
    "Box": "drive.types",
    "Detection": "drive.types",
    "Frame": "drive.types",
    "Region": "drive.frames.region",
    "load_detector": "drive.cars.detector",
    "load_steering": "drive.steering.predict",
    "read_frames": "drive.frames.reader",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'drive' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
