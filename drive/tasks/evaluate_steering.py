"""`evaluate-steering`: errors of the steering model against the recorded angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.options import option
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.json_files import write_json
from drive.results.names import METRICS, STEERING, recording_folder
from drive.results.run_folder import RunFolder
from drive.results.table import write_table
from drive.tasks._options import SMOOTHING, DrivingConfig
from drive.tasks._run import Run, TaskResult, run_task

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.results.verdict import Verdict
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
class EvaluateSteeringConfig(DrivingConfig):
    """What the steering model is evaluated on."""

    summary = "Compare the steering model with the recorded angle and with three simple baselines."
    example = "evaluate-steering data/sample/epoch03_front.mp4"
    group = "options"

    _: KW_ONLY
    smooth_s: float | None = option(
        None,
        "also evaluate the angles behind a filter over time, S seconds late; at most 5",
        "S",
        SMOOTHING,
        flag="--smooth",
    )


@dataclass(frozen=True, slots=True)
class EvaluatedFiles:
    """The table and the plots of one recording."""

    steering: Path
    steering_over_time: Path
    steering_distribution: Path


@dataclass(frozen=True, kw_only=True)
class EvaluateSteeringResult(TaskResult):
    """Errors of the model: over all recordings, and in `each` of them.

    `mean_of` says what the baseline `mean` is the mean of; `verdict` and `verdicts` say what the
    metrics mean, over all recordings and in each of them.
    """

    metrics: SteeringMetrics
    each: Mapping[str, SteeringMetrics]
    verdict: Verdict
    verdicts: Mapping[str, Verdict]
    smoothing: SmoothingMetrics | None
    mean_of: str
    metrics_file: Path
    recordings: Mapping[str, EvaluatedFiles]

    def as_json(self) -> dict[str, object]:
        """Return the metrics and the files."""
        files = {"metrics": self.metrics_file, "recordings": self.recordings}
        found = _with_smoothing(self.metrics, self.smoothing) | {"verdict": self.verdict}
        return found | files | self.run_files()

    def as_text(self) -> str:
        """Return the table of errors, and what it means."""
        from drive.steering.ensemble import as_line
        from drive.steering.evaluate import as_table

        named = self.each if len(self.each) == 1 else {**self.each, TOGETHER: self.metrics}
        lines = [as_table(named), LEGEND.format(mean_of=self.mean_of)]
        for name, one in named.items():
            lines += [f"{name}: {as_line(one.rmse_deg, one.ensemble)}"] if one.ensemble else []
        lines += [ENSEMBLE_LEGEND] if len(lines) > 2 else []
        for name, verdict in self.verdicts.items():
            own = [f"  - {cause}" for cause in verdict.causes if cause not in self.verdict.causes]
            lines += ["", f"{name}: {verdict.share}", *own] if own else []
        return "\n".join([*lines, "", self.verdict.as_text()])


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
    from drive.steering.evaluate import evaluate, name_of_mean

    recordings, model = config.load(run)
    folder = run.folder
    metrics_path = folder.file(METRICS)
    predictions: list[Predictions] = []
    written: dict[str, EvaluatedFiles] = {}
    for recording in recordings:
        with run.record.stage("predict"):
            predictions.append(_predict(recording, model, run))
        own = recording_folder(recording.name) if len(recordings) > 1 else ""
        home = RunFolder(folder.path / own, folder.overwrite)
        written[recording.name] = _write_files(home, predictions[-1])
    mean = model.training_mean_deg
    metrics, mean_of = evaluate(predictions, mean), name_of_mean(mean)
    each = {one.name: evaluate([one], mean) for one in predictions}
    verdicts = _verdicts(recordings, predictions, each, model)
    verdict = _together(predictions, metrics, verdicts, model)
    smoothing = _smoothing(predictions, config.smooth_s, metrics, run)
    content = _with_smoothing(metrics, smoothing) | {"mean_of": mean_of, "recordings": each}
    write_json(metrics_path, {**content, "verdict": verdict, "verdicts": verdicts})
    run.warn_of_known(each, model.metadata, "the error")
    files = 1 + len(written) * len(EvaluatedFiles.__slots__)
    run.message(f"{counted(files, 'file')}, metrics, tables and plots -> {folder.path}")
    return EvaluateSteeringResult(
        metrics=metrics,
        each=each,
        verdict=verdict,
        verdicts=verdicts,
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

    run.add_inputs(recording.path, recording.steering_csv)
    predictions = predict_recording(recording, model, run.progress)
    run.count(frames_read=len(predictions.time_s))
    run.tell_left_out(recording.name, asdict(recording.report))
    run.tell_excluded(recording.name, predictions.marked_bad)
    return predictions


def _write_files(folder: RunFolder, predictions: Predictions) -> EvaluatedFiles:
    """Write the table and the plots of a recording."""
    from drive.tasks._steering import plot_angles

    table = folder.file(STEERING)
    found = predictions
    series = {"recorded": found.truth_deg, "model": found.angle_deg}
    curves = (found.time_s, found.angle_deg, found.truth_deg)
    plots = plot_angles(folder, series, *curves, spread_deg=found.spread_deg)
    write_table(table, found.steering)
    return EvaluatedFiles(table, **plots)


def _verdicts(
    recordings: Sequence[Recording],
    predictions: Sequence[Predictions],
    each: Mapping[str, SteeringMetrics],
    model: SteeringModel,
) -> dict[str, Verdict]:
    from drive.steering.evidence import read_evidence, trained_on
    from drive.steering.verdict import judge_predictions

    trained = read_evidence(model.metadata, model.training_mean_deg)
    found = {}
    for recording, one in zip(recordings, predictions, strict=True):
        config = recording.config
        seen = one.name in trained_on(model.metadata)
        known = replace(trained, unit=config.unit, positive=config.positive, seen=seen)
        found[one.name] = judge_predictions(each[one.name], [one], known, one.name)
    return found


def _together(
    predictions: Sequence[Predictions],
    metrics: SteeringMetrics,
    verdicts: Mapping[str, Verdict],
    model: SteeringModel,
) -> Verdict:
    """Judge all recordings together; a single one is judged by what is known of it."""
    from drive.steering.evidence import read_evidence
    from drive.steering.verdict import judge_predictions

    if len(verdicts) == 1:
        return next(iter(verdicts.values()))
    known = read_evidence(model.metadata, model.training_mean_deg)
    where = counted(len(verdicts), "recording")
    return judge_predictions(metrics, predictions, known, f"{where} together")
