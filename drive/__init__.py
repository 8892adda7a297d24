"""drive turns dashcam video into steering predictions, car detections and annotated video.

Every command is a function with a config and a result: `detect(DetectConfig("video.mp4"))` returns
a `DetectResult`. The public names are loaded when they are first used, so that importing `drive`
costs nothing.

Example:
    >>> from drive import DetectConfig, detect
    >>> result = detect(DetectConfig("video.mp4", out="results"))
    >>> result.video, result.detections, result.frames
"""

from __future__ import annotations

import importlib

from drive.core.version import VERSION

__version__ = VERSION

TYPE_CHECKING = False  # importing `typing` takes longer than all else here
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
    from drive.results.run_results import RunResults as RunResults
    from drive.results.run_results import read_run as read_run
    from drive.steering.predict import load_steering as load_steering
    from drive.tasks.annotate import AnnotateConfig as AnnotateConfig
    from drive.tasks.annotate import AnnotateResult as AnnotateResult
    from drive.tasks.annotate import annotate as annotate
    from drive.tasks.bench import BenchConfig as BenchConfig
    from drive.tasks.bench import BenchResult as BenchResult
    from drive.tasks.bench import bench as bench
    from drive.tasks.check_data import CheckDataConfig as CheckDataConfig
    from drive.tasks.check_data import CheckDataResult as CheckDataResult
    from drive.tasks.check_data import check_data as check_data
    from drive.tasks.compare import CompareConfig as CompareConfig
    from drive.tasks.compare import CompareResult as CompareResult
    from drive.tasks.compare import compare as compare
    from drive.tasks.crop_preview import CropPreviewConfig as CropPreviewConfig
    from drive.tasks.crop_preview import CropPreviewResult as CropPreviewResult
    from drive.tasks.crop_preview import crop_preview as crop_preview
    from drive.tasks.demo import DemoConfig as DemoConfig
    from drive.tasks.demo import DemoResult as DemoResult
    from drive.tasks.demo import demo as demo
    from drive.tasks.detect import DetectConfig as DetectConfig
    from drive.tasks.detect import DetectResult as DetectResult
    from drive.tasks.detect import detect as detect
    from drive.tasks.evaluate_detector import EvaluateDetectorConfig as EvaluateDetectorConfig
    from drive.tasks.evaluate_detector import EvaluateDetectorResult as EvaluateDetectorResult
    from drive.tasks.evaluate_detector import evaluate_detector as evaluate_detector
    from drive.tasks.evaluate_steering import EvaluateSteeringConfig as EvaluateSteeringConfig
    from drive.tasks.evaluate_steering import EvaluateSteeringResult as EvaluateSteeringResult
    from drive.tasks.evaluate_steering import evaluate_steering as evaluate_steering
    from drive.tasks.export import ExportConfig as ExportConfig
    from drive.tasks.export import ExportResult as ExportResult
    from drive.tasks.export import export as export
    from drive.tasks.predict_steering import PredictSteeringConfig as PredictSteeringConfig
    from drive.tasks.predict_steering import PredictSteeringResult as PredictSteeringResult
    from drive.tasks.predict_steering import predict_steering as predict_steering
    from drive.tasks.simulate import SimulateConfig as SimulateConfig
    from drive.tasks.simulate import SimulateResult as SimulateResult
    from drive.tasks.simulate import simulate as simulate
    from drive.tasks.train_detector import TrainDetectorConfig as TrainDetectorConfig
    from drive.tasks.train_detector import TrainDetectorResult as TrainDetectorResult
    from drive.tasks.train_detector import train_detector as train_detector
    from drive.tasks.train_steering import TrainSteeringConfig as TrainSteeringConfig
    from drive.tasks.train_steering import TrainSteeringResult as TrainSteeringResult
    from drive.tasks.train_steering import train_steering as train_steering
    from drive.tasks.tune_steering import TuneSteeringConfig as TuneSteeringConfig
    from drive.tasks.tune_steering import TuneSteeringResult as TuneSteeringResult
    from drive.tasks.tune_steering import tune_steering as tune_steering
    from drive.video.reader import read_frames as read_frames
    from drive.video.writer import VideoWriter as VideoWriter

_TASKS = (
    "annotate",
    "bench",
    "check_data",
    "compare",
    "crop_preview",
    "demo",
    "detect",
    "evaluate_detector",
    "evaluate_steering",
    "export",
    "predict_steering",
    "simulate",
    "train_detector",
    "train_steering",
    "tune_steering",
)
_HOMES = {
    "Box": "drive.core.types",
    "Detection": "drive.core.types",
    "DriveError": "drive.core.errors",
    "Frame": "drive.core.types",
    "InputError": "drive.core.errors",
    "Overlay": "drive.drawing.overlay",
    "Region": "drive.core.region",
    "Reporter": "drive.core.reporter",
    "RunResults": "drive.results.run_results",
    "Tracker": "drive.detection.tracker",
    "VideoWriter": "drive.video.writer",
    "load_detector": "drive.detection.detector",
    "load_steering": "drive.steering.predict",
    "open_recordings": "drive.recordings.recording",
    "read_frames": "drive.video.reader",
    "read_run": "drive.results.run_results",
    "write_report": "drive.pages",
}
for _task in _TASKS:
    _name = "".join(word.title() for word in _task.split("_"))
    _HOMES |= dict.fromkeys((_task, f"{_name}Config", f"{_name}Result"), f"drive.tasks.{_task}")

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'drive' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
