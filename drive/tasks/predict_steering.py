"""`predict-steering`: the steering angle of each frame, and an annotated video."""

from __future__ import annotations

from dataclasses import dataclass

from drive.core.reporter import Reporter
from drive.tasks._many import run_sources
from drive.tasks._options import SteeringConfig
from drive.tasks._results import SteeringResult, VideoOutcome
from drive.tasks._run import Run


@dataclass(frozen=True, kw_only=True)
class PredictSteeringConfig(SteeringConfig):
    """Which steering model runs over which source."""

    summary = "Predict the steering angle of each frame: steering.csv, plots and an annotated MP4."
    example = "predict-steering data/sample/epoch03_front.mp4"
    rare = ("unit", "positive", "full_scale_deg", "lag_s", "seed")


@dataclass(frozen=True, kw_only=True)
class PredictSteeringResult(SteeringResult):
    """What was predicted and written: the fields of `SteeringResult`."""

    per_video: tuple[VideoOutcome[PredictSteeringResult], ...] = ()


def predict_steering(
    config: PredictSteeringConfig, reporter: Reporter | None = None
) -> PredictSteeringResult:
    """Predict the angles of one source, or of several videos in parallel.

    Angles are compared with the recorded ones if a CSV lies beside the video.

    Several videos run in worker processes: a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Raises:
        InputError: a source or an option is invalid.
        DriveError: some of several videos failed; its `result` has the outcome of each.

    Example:
        >>> from drive import PredictSteeringConfig, predict_steering
        >>> result = predict_steering(PredictSteeringConfig("video.mp4", smooth_s=0.2))
        >>> result.steering, result.video
    """
    return run_sources("predict-steering", predict_one, PredictSteeringResult, config, reporter)


def predict_one(config: PredictSteeringConfig, run: Run) -> PredictSteeringResult:
    """Predict the angles of one source."""
    from drive.tasks._analyse import analyse_source

    return analyse_source(config, run, PredictSteeringResult, config.weights)
