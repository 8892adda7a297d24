"""`evaluate-steering`: errors of the steering model against the recorded angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.options import option
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.names import METRICS, recording_folder
from drive.tasks._options import SMOOTHING, EngineOptions, RecordingOptions
from drive.tasks._run import (
    ReportConfig,
    Run,
    SeedConfig,
    TaskResult,
    WeightsConfig,
    run_task,
    warn_of_training_recordings,
)

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.steering.evaluate import Predictions, SteeringMetrics
    from drive.steering.predict import SteeringModel
    from drive.steering.smooth import SmoothingMetrics

LEGEND = (
    "mean: of {mean_of}. persistence_1s knows the driver's own angle of one second ago; compare a "
    "model that sees\nonly the image with zero and mean. jitter: mean change from frame to frame, "
    "degrees."
)
ENSEMBLE_LEGEND = (
    "spread: standard deviation over the members. A useful one goes with the error (correlation "
    "towards 1)\nand is as large (error / spread near 1; above it, the members err together)."
)
TOGETHER = "together"


@dataclass(frozen=True)
class EvaluateSteeringConfig(
    EngineOptions, RecordingOptions, ReportConfig, WeightsConfig, SeedConfig
):
    """What the steering model is evaluated on."""

    summary = "Compare the steering model with the recorded angle and with three simple baselines."
    example = "evaluate-steering data/sample/epoch03_front.mp4"
    group = "options"

    recordings: Sequence[str] = option(
        help="folders or videos", metavar="RECORDING", positional=True
    )
    _: KW_ONLY
    smooth_s: float | None = option(
        None,
        "also evaluate the angles behind a filter over time, S seconds late; at most 5",
        flag="--smooth",
        metavar="S",
        check=SMOOTHING,
    )


@dataclass(frozen=True, slots=True)
class EvaluatedFiles:
    """What was written for one recording: its table and its plots."""

    steering: Path
    steering_over_time: Path
    steering_distribution: Path


@dataclass(frozen=True, kw_only=True)
class EvaluateSteeringResult(TaskResult):
    """Errors of the model.

    Attributes:
        metrics: over all recordings.
        each: by name of the recording.
        smoothing: of the smoothed angles; None without `smooth_s`.
        mean_of: what the baseline `mean` is the mean of.
        metrics_file: `metrics.json`.
        recordings: the files by name of the recording.
    """

    metrics: SteeringMetrics
    each: Mapping[str, SteeringMetrics]
    smoothing: SmoothingMetrics | None
    mean_of: str
    metrics_file: Path
    recordings: Mapping[str, EvaluatedFiles]

    def as_json(self) -> dict[str, object]:
        """Return the metrics and the files."""
        files = {"metrics": self.metrics_file, "recordings": self.recordings}
        return _with_smoothing(self.metrics, self.smoothing) | files | self.run_files()

    def as_text(self) -> str:
        """Return the table of errors."""
        from drive.steering.ensemble import as_line
        from drive.steering.evaluate import as_table

        named = self.each if len(self.each) == 1 else {**self.each, TOGETHER: self.metrics}
        lines = [as_table(named), LEGEND.format(mean_of=self.mean_of)]
        members = [
            f"{name}: {as_line(one.rmse_deg, one.ensemble)}"
            for name, one in named.items()
            if one.ensemble
        ]
        return "\n".join([*lines, *members, *([ENSEMBLE_LEGEND] if members else [])])


def evaluate_steering(
    config: EvaluateSteeringConfig, reporter: Reporter | None = None
) -> EvaluateSteeringResult:
    """Predict every frame that has a recorded angle, and measure the errors.

    Raises:
        InputError: a recording is missing, invalid or has no angle.

    Example:
        >>> from drive import EvaluateSteeringConfig, evaluate_steering
        >>> result = evaluate_steering(EvaluateSteeringConfig(["recordings/"]))
        >>> result.metrics.rmse_deg
    """
    return run_task("evaluate-steering", _evaluate, config, reporter)


def _evaluate(config: EvaluateSteeringConfig, run: Run) -> EvaluateSteeringResult:
    from drive.recordings.recording import open_recordings
    from drive.results.json_files import write_json
    from drive.steering.evaluate import evaluate, name_of_mean
    from drive.steering.predict import load_steering

    recordings = open_recordings(
        config.recordings, steering_csv=config.steering, overrides=config.overrides()
    )
    model = load_steering(config.weights, config.engine)
    folder = run.folder
    metrics_path = folder.file(METRICS)
    run.record.extra["steering"] = {"engine": model.engine.name, **model.metadata}
    predictions: list[Predictions] = []
    written: dict[str, EvaluatedFiles] = {}
    for recording in recordings:
        with run.record.stage("predict"):
            predictions.append(_predict(recording, model, run))
        home = (
            folder.path if len(recordings) == 1 else folder.path / recording_folder(recording.name)
        )
        written[recording.name] = _write_files(home, predictions[-1], folder.overwrite)
    mean = model.training_mean_deg
    metrics, mean_of = evaluate(predictions, mean), name_of_mean(mean)
    each = {one.name: evaluate([one], mean) for one in predictions}
    smoothing = _smoothing(predictions, config.smooth_s, metrics, run)
    content = _with_smoothing(metrics, smoothing)
    write_json(metrics_path, {**content, "mean_of": mean_of, "recordings": each})
    _warn(each, run)
    warn_of_training_recordings(each, model.metadata, "the error", run)
    files = 1 + len(written) * len(EvaluatedFiles.__slots__)
    run.message(f"{counted(files, 'file')}, metrics, tables and plots -> {folder.path}")
    return EvaluateSteeringResult(
        metrics=metrics,
        each=each,
        smoothing=smoothing,
        mean_of=mean_of,
        metrics_file=metrics_path,
        recordings=written,
    )


def _with_smoothing(
    metrics: SteeringMetrics, smoothing: SmoothingMetrics | None
) -> dict[str, object]:
    return metrics.as_json() | ({"smoothing": smoothing} if smoothing else {})


def _smoothing(
    predictions: list[Predictions], delay_s: float | None, metrics: SteeringMetrics, run: Run
) -> SmoothingMetrics | None:
    """Measure and report what the filter over time gains, and what its delay costs."""
    from drive.steering.smooth import measure_smoothing

    if delay_s is None:
        return None
    found = measure_smoothing(predictions, delay_s)
    run.record.extra["smoothing"] = found
    run.message(
        f"smoothing: delay {delay_s:g} s; jitter {metrics.jitter_deg or 0:.3f} -> "
        f"{found.jitter_deg or 0:.3f} degrees from frame to frame; RMSE "
        f"{metrics.rmse_deg:.3f} -> {found.rmse_deg:.3f}; the delay alone would cost a "
        f"perfect model {found.delay_costs_deg:.3f}"
    )
    return found


def _predict(recording: Recording, model: SteeringModel, run: Run) -> Predictions:
    from drive.steering.evaluate import predict_recording

    run.record.add_input(recording.path)
    run.record.add_input(recording.steering_csv)
    predictions = predict_recording(recording, model, run.progress)
    counts = run.record.counts
    counts["frames_read"] = counts.get("frames_read", 0) + len(predictions.time_s)
    run.tell_left_out(recording.name, asdict(recording.report))
    run.tell_excluded(recording.name, predictions.marked_bad)
    return predictions


def _write_files(home: Path, predictions: Predictions, overwrite: bool) -> EvaluatedFiles:
    """Write the table and the plots of a recording."""
    from drive.drawing.plots import plot_steering_distribution, plot_steering_over_time
    from drive.results.names import STEERING, STEERING_DISTRIBUTION, STEERING_OVER_TIME
    from drive.results.run_folder import RunFolder
    from drive.results.table import write_table

    folder = RunFolder(home, overwrite)
    files = EvaluatedFiles(
        steering=folder.file(STEERING),
        steering_over_time=folder.file(STEERING_OVER_TIME),
        steering_distribution=folder.file(STEERING_DISTRIBUTION),
    )
    write_table(files.steering, predictions.steering)
    plot_steering_over_time(
        files.steering_over_time,
        predictions.time_s,
        predictions.angle_deg,
        predictions.truth_deg,
        spread_deg=predictions.spread_deg,
    )
    series = {"recorded": predictions.truth_deg, "model": predictions.angle_deg}
    plot_steering_distribution(files.steering_distribution, series)
    return files


def _warn(each: Mapping[str, SteeringMetrics], run: Run) -> None:
    for name, metrics in each.items():
        simple = min(metrics.baselines.zero, metrics.baselines.mean)
        if metrics.rmse_deg > simple:
            run.warn(
                f"{name}: the model is worse than a constant angle (RMSE {metrics.rmse_deg:.3f} "
                f"degrees, constant {simple:.3f}). Train on recordings like this one"
            )
        if metrics.hardly_varies:
            run.warn(f"{name}: {metrics.flat_text}")
