"""`detect`: find cars in videos, images, a camera or a stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from drive.core.options import option
from drive.core.reporter import Reporter
from drive.tasks._many import run_sources
from drive.tasks._options import DetectionConfig
from drive.tasks._results import DetectionResult, VideoOutcome
from drive.tasks._run import Run


@dataclass(frozen=True, kw_only=True)
class DetectConfig(DetectionConfig):
    """What to detect, where, and what to write."""

    summary = "Find cars in a video: an annotated MP4, and detections.csv with one row per box."
    example = "detect video.mp4"
    rare = ("seed",)

    preview: bool = option(
        False, "also save an image of what the network sees, as crop-preview does", advanced=True
    )


@dataclass(frozen=True, kw_only=True)
class DetectResult(DetectionResult):
    """What was found and written: the fields of `DetectionResult`, and these."""

    preview: Path | None = None
    per_video: tuple[VideoOutcome[DetectResult], ...] = ()


def detect(config: DetectConfig, reporter: Reporter | None = None) -> DetectResult:
    """Find cars in one source, or in several videos in parallel.

    Several videos run in worker processes: a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Raises:
        InputError: a source or an option is invalid.
        DriveError: some of several videos failed; its `result` has the outcome of each.

    Example:
        >>> from drive import DetectConfig, detect
        >>> result = detect(DetectConfig("video.mp4", conf=0.5, out="results"))
        >>> result.video, result.detections, result.frames
    """
    return run_sources("detect", detect_one, DetectResult, config, reporter)


def detect_one(config: DetectConfig, run: Run) -> DetectResult:
    """Detect in one source."""
    from drive.tasks._analyse import analyse_source

    result = analyse_source(config, run, DetectResult)
    if not config.preview:
        return result
    from drive.tasks.crop_preview import save_preview

    return replace(result, preview=save_preview(config, run, config.sources[0], config.start_s))
