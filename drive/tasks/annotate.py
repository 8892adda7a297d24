"""`annotate`: both models in one pass over the video, one annotated MP4."""

from __future__ import annotations

from dataclasses import dataclass

from drive.core.options import option
from drive.core.reporter import Reporter
from drive.tasks._many import run_sources
from drive.tasks._options import DetectionConfig, SteeringConfig
from drive.tasks._results import DetectionResult, SteeringResult, VideoOutcome
from drive.tasks._run import Run


@dataclass(frozen=True, kw_only=True)
class AnnotateConfig(DetectionConfig, SteeringConfig):
    """Which models run over which source."""

    summary = "Find cars and predict steering in one pass over the video; one annotated MP4."
    example = "annotate video.mp4"
    rare = (
        *("unit", "positive", "full_scale_deg", "lag_s", "steering", "seed"),
        *("detail", "tiles", "explain", "engine"),
    )

    weights: str | None = option(
        None, "weights of the detector", "FILE", shown_default="the weights that ship"
    )
    steering_weights: str | None = option(
        None, "weights of the steering model", "FILE", shown_default="the weights that ship"
    )


@dataclass(frozen=True, kw_only=True)
class AnnotateResult(DetectionResult, SteeringResult):
    """What was found and written: the fields of `DetectionResult` and `SteeringResult`."""

    per_video: tuple[VideoOutcome[AnnotateResult], ...] = ()


def annotate(config: AnnotateConfig, reporter: Reporter | None = None) -> AnnotateResult:
    """Run both models over one source, or over several videos in parallel.

    Several videos run in worker processes: a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Raises:
        InputError: a source or an option is invalid.
        DriveError: some of several videos failed; its `result` has the outcome of each.

    Example:
        >>> from drive import AnnotateConfig, annotate
        >>> result = annotate(AnnotateConfig("video.mp4", steering_weights="model.onnx"))
        >>> result.video, result.detections, result.steering
    """
    return run_sources("annotate", annotate_one, AnnotateResult, config, reporter)


def annotate_one(config: AnnotateConfig, run: Run) -> AnnotateResult:
    """Run both models over one source."""
    from drive.tasks._analyse import analyse_source

    return analyse_source(config, run, AnnotateResult, config.steering_weights)
