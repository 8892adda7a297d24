"""drive turns dashcam video into steering predictions, car detections and annotated video.

Every command is a function with a config: `detect(DetectConfig("video.mp4"))`. The public names
are loaded when they are first used, so that importing `drive` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from drive.core.errors import DriveError as DriveError
    from drive.core.errors import InputError as InputError
    from drive.core.region import Region as Region
    from drive.core.reporter import Reporter as Reporter
    from drive.core.types import Box as Box
    from drive.core.types import Detection as Detection
    from drive.core.types import Frame as Frame
    from drive.detection.detector import load_detector as load_detector
    from drive.detection.tracker import Tracker as Tracker
    from drive.drawing.overlay import Overlay as Overlay
    from drive.pages import write_report as write_report
    from drive.recordings.recording import open_recordings as open_recordings
    from drive.steering.predict import load_steering as load_steering
    from drive.tasks.bench import BenchConfig as BenchConfig
    from drive.tasks.bench import BenchResult as BenchResult
    from drive.tasks.bench import bench as bench
    from drive.tasks.check_data import CheckDataConfig as CheckDataConfig
    from drive.tasks.check_data import CheckDataResult as CheckDataResult
    from drive.tasks.check_data import check_data as check_data
    from drive.tasks.compare import CompareConfig as CompareConfig
    from drive.tasks.compare import CompareResult as CompareResult
    from drive.tasks.compare import compare as compare
    from drive.tasks.export import ExportConfig as ExportConfig
    from drive.tasks.export import ExportResult as ExportResult
    from drive.tasks.export import export as export
    from drive.video.reader import read_frames as read_frames
    from drive.video.writer import VideoWriter as VideoWriter

_HOMES = {
    "BenchConfig": "drive.tasks.bench",
    "BenchResult": "drive.tasks.bench",
    "Box": "drive.core.types",
    "CheckDataConfig": "drive.tasks.check_data",
    "CheckDataResult": "drive.tasks.check_data",
    "CompareConfig": "drive.tasks.compare",
    "CompareResult": "drive.tasks.compare",
    "Detection": "drive.core.types",
    "DriveError": "drive.core.errors",
    "ExportConfig": "drive.tasks.export",
    "ExportResult": "drive.tasks.export",
    "Frame": "drive.core.types",
    "InputError": "drive.core.errors",
    "Overlay": "drive.drawing.overlay",
    "Region": "drive.core.region",
    "Reporter": "drive.core.reporter",
    "Tracker": "drive.detection.tracker",
    "VideoWriter": "drive.video.writer",
    "bench": "drive.tasks.bench",
    "check_data": "drive.tasks.check_data",
    "compare": "drive.tasks.compare",
    "export": "drive.tasks.export",
    "load_detector": "drive.detection.detector",
    "load_steering": "drive.steering.predict",
    "open_recordings": "drive.recordings.recording",
    "read_frames": "drive.video.reader",
    "write_report": "drive.pages",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'drive' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
