"""What `detect`, `predict-steering` and `annotate` share: one source goes through the models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from drive.core.errors import InputError
from drive.core.region import Region
from drive.core.wording import are, counted
from drive.pipeline.analyser import Analyser, run_pipeline
from drive.pipeline.sinks import (
    AnnotatedImages,
    AnnotatedVideo,
    DetectionTable,
    Sink,
    SteeringTable,
    VideoSettings,
)
from drive.results.names import DETECTIONS, IMAGES, STEERING
from drive.tasks import _detecting, _steering
from drive.tasks._options import AnalysisConfig, DetectionConfig, SteeringConfig
from drive.tasks._results import AnalysisResult, Fields
from drive.tasks._run import Run
from drive.video.reader import FrameReader, read_frames
from drive.video.sources import Kind

ResultT = TypeVar("ResultT", bound="AnalysisResult")

FALLBACK_RATE = 30.0


@dataclass
class _Sinks:
    """The sinks of one run, by what they hold; None if not wanted."""

    detections: DetectionTable | None = None
    steering: SteeringTable | None = None
    annotated: AnnotatedVideo | AnnotatedImages | None = None

    def all(self) -> list[Sink]:
        """Return those that are wanted."""
        return [sink for sink in (self.detections, self.steering, self.annotated) if sink]


def analyse_source(
    config: AnalysisConfig, run: Run, result: type[ResultT], steering_weights: str | None = None
) -> ResultT:
    """Run the models of the config over its source; write tables, video and plots.

    A `DetectionConfig` runs the detector, a `SteeringConfig` the steering model.
    """
    reader = _open(config)
    _ = run.folder  # whether it can be written shows before the networks load
    with run.record.stage("load"):
        detecting = _detecting.load(config, run, reader)
        predicting = _steering.load(config, run, reader, steering_weights)
    run.record.add_input(config.sources[0])
    sinks = _open_sinks(config, run, reader, predicting.model.members if predicting else 0)
    analyser = Analyser(detecting, predicting, run.record)
    threads = config.threads or 0
    run_pipeline(reader, analyser, sinks.all(), run.record, run.progress, threads=threads)
    found = _summary(run, reader, sinks, analyser)
    if predicting and sinks.steering:
        found |= _steering.compare_angles(run, predicting, sinks.steering.steering)
        found |= _steering.check_explanation(run, predicting, config.seed)
    if reader.frames_lost:
        run.warn(_loss(reader))
    run.message(f"{counted(reader.frames_read, 'frame')} -> {run.folder.path}")
    return result(**found)


def _open(config: AnalysisConfig) -> FrameReader:
    """Open the source, and refuse what does not suit it before any work."""
    reader = read_frames(
        config.sources[0],
        start_s=config.start_s,
        end_s=config.end_s,
        threads=config.threads or 0,
        planes=config.video,
    )
    reader.check_start()
    images = reader.source.kind is Kind.IMAGES
    if images and isinstance(config, SteeringConfig) and config.smooth_s is not None:
        raise InputError("--smooth requires a video: images have no time. Leave it out")
    if reader.info and isinstance(config, DetectionConfig):
        Region.parse(config.region, reader.info.width, reader.info.height)
    return reader


def _open_sinks(config: AnalysisConfig, run: Run, reader: FrameReader, members: int) -> _Sinks:
    """Return what takes the results; `members` of the steering model, 0 without one."""
    sinks = _Sinks()
    if isinstance(config, DetectionConfig):
        sinks.detections = DetectionTable(run.folder.file(DETECTIONS))
    if isinstance(config, SteeringConfig):
        smooths = config.smooth_s is not None
        sinks.steering = SteeringTable(run.folder.file(STEERING), smooths, members > 1)
    if config.video:
        sinks.annotated = _annotated(config, run, reader)
    return sinks


def _annotated(
    config: AnalysisConfig, run: Run, reader: FrameReader
) -> AnnotatedVideo | AnnotatedImages:
    if reader.source.kind is Kind.IMAGES:
        folders = {image.parent for image in reader.source.images}
        return AnnotatedImages(run.file(IMAGES, *folders))
    path = run.file(f"{reader.source.stem}.mp4", Path(reader.source.name))
    return AnnotatedVideo(path, _video_settings(config, reader))


def _video_settings(config: AnalysisConfig, reader: FrameReader) -> VideoSettings | None:
    info = reader.info
    if info is None:
        return None
    return VideoSettings(
        width=info.width,
        height=info.height,
        rate_hint=info.fps or FALLBACK_RATE,
        audio_from=info.path if info.has_audio else None,
        audio_start_s=config.start_s,
        audio_end_s=config.end_s,
        threads=config.threads or 0,
    )


def _summary(run: Run, reader: FrameReader, sinks: _Sinks, analyser: Analyser) -> Fields:
    """The fields of the result that the pipeline gives; counts go to the record too."""
    counts = run.record.counts
    found: Fields = {"frames": reader.frames_read, "frames_lost": reader.frames_lost}
    if sinks.annotated:
        counts["frames_written"] = sinks.annotated.frames_written
        found["images" if reader.source.images else "video"] = sinks.annotated.path
    if sinks.detections:
        counts["boxes"] = found["boxes"] = sinks.detections.rows_written
        counts["frames_with_boxes"] = sinks.detections.frames_with_boxes
        found["frames_with_boxes"] = sinks.detections.frames_with_boxes
        found["detections"] = sinks.detections.path
    if analyser.flicker:
        tracking = analyser.flicker.results()
        run.record.extra["tracking"] = tracking
        found |= tracking
    if sinks.steering:
        found["steering"] = sinks.steering.path
    return found


def _loss(reader: FrameReader) -> str:
    """What could not be read of a source, in words."""
    name, lost = Path(reader.source.name).name, reader.frames_lost
    frames = f"{counted(lost, 'frame')} {are(lost)}"
    if reader.breaks_off_s is None:
        return f"{name}: {frames} damaged or missing and left out"
    lasts = f" of {reader.info.duration_s:.2f}" if reader.info and reader.info.duration_s else ""
    return (
        f"{name} breaks off after {reader.breaks_off_s:.2f}{lasts} s, as if its copy were "
        f"incomplete: {frames} missing or damaged. Copy the file again"
    )
