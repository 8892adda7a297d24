"""`evaluate-steering`: errors of the steering network against the human, beside the baselines."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.wording import counted
from drive.tasks._analyse import ENGINES
from drive.tasks._common import (
    Context,
    add_recording_options,
    add_report_option,
    add_smooth_option,
    recording_overrides,
    warn_of_training_drives,
)

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.steering.evaluate import Answers
    from drive.steering.predict import SteeringModel

HELP = "Measure the steering network against the human driver, beside three simple answers."
EXAMPLE = "evaluate-steering data/sample/epoch03_front.mp4"

METRICS = "metrics.json"
LEGEND = (
    "mean: of {mean_of}. persistence_1s knows the driver's own angle of one second ago; a network "
    "that sees\nonly the picture is judged against zero and mean. jitter: mean change from frame "
    "to frame, degrees."
)
ENSEMBLE_LEGEND = (
    "spread: standard deviation over the members. An honest one goes with the error (correlation "
    "towards 1)\nand is as large (error / spread near 1; above it, the members err together)."
)
TOGETHER = "together"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="folder or video")
    parser.add_argument(
        "--engine", choices=ENGINES, default="auto", help="what runs the network (default: auto)"
    )
    add_smooth_option(
        parser, "measure the angles behind a filter over time as well, which is S seconds late"
    )
    add_report_option(parser)
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Predict every frame that has an angle; write and print what came out."""
    from drive.recordings.recording import open_recordings
    from drive.results.run_folder import write_json
    from drive.steering.evaluate import as_table, evaluate, name_of_mean
    from drive.steering.predict import load_steering

    recordings = open_recordings(
        args.recordings, steering_csv=args.steering, overrides=recording_overrides(args)
    )
    pilot = load_steering(args.weights, args.engine)
    folder = context.run_folder()
    metrics_path = folder.file(METRICS)
    context.record.extra["steering"] = {"engine": pilot.engine.name, **pilot.metadata}
    drives, written = [], {}
    for recording in recordings:
        with context.record.stage("predict"):
            drives.append(_answers(recording, pilot, context))
        home = folder.path if len(recordings) == 1 else folder.path / _as_folder(recording.name)
        written[recording.name] = _write_drive(home, drives[-1], folder.overwrite)
    mean = pilot.training_mean_deg
    metrics = evaluate(drives, mean)
    each = {drive.name: evaluate([drive], mean) for drive in drives}
    if args.smooth is not None:
        metrics["smoothing"] = _smoothing(drives, metrics, context)
    mean_of = name_of_mean(mean)
    write_json(metrics_path, {**metrics, "mean_of": mean_of, "recordings": each})
    table = as_table(each if len(each) == 1 else {**each, TOGETHER: metrics})
    stream = sys.stderr if args.json else sys.stdout
    stream.write(f"{table}\n{LEGEND.format(mean_of=mean_of)}\n")
    if pilot.members > 1:
        stream.write(f"{_of_members(each, metrics)}\n{ENSEMBLE_LEGEND}\n")
    _warn(each, context)
    warn_of_training_drives(each, pilot.metadata, "the error", context)
    files = sum(map(len, written.values())) + 1
    context.message(f"{counted(files, 'file')}, metrics, tables and plots -> {folder.path}")
    return {**metrics, "metrics": metrics_path, "recordings": written}


def _smoothing(drives: list[Answers], metrics: dict[str, Any], context: Context) -> dict[str, Any]:
    """Measure and say what the filter over time gains, and what its delay costs."""
    from drive.steering.smooth import measure_smoothing

    found = measure_smoothing(drives, context.args.smooth)
    context.record.extra["smoothing"] = found
    context.message(
        f"smoothing: delay {found['delay_s']:g} s; jitter {metrics['jitter_deg'] or 0:.3f} -> "
        f"{found['jitter_deg'] or 0:.3f} degrees from frame to frame; RMSE "
        f"{metrics['rmse_deg']:.3f} -> {found['rmse_deg']:.3f}; the delay alone would cost a "
        f"perfect driver {found['delay_costs_deg']:.3f}"
    )
    return found


def _of_members(each: dict[str, dict[str, Any]], together: dict[str, Any]) -> str:
    """A line for each recording, and one for all, on the members of an ensemble."""
    from drive.steering.ensemble import as_lines

    named = each if len(each) == 1 else {**each, TOGETHER: together}
    return "\n".join(f"{name}: {as_lines(metrics)}" for name, metrics in named.items())


def _answers(recording: Recording, pilot: SteeringModel, context: Context) -> Answers:
    from drive.steering.evaluate import predict_recording

    context.record.add_input(recording.path)
    context.record.add_input(recording.steering_csv)
    answers = predict_recording(recording, pilot, context.progress)
    counts = context.record.counts
    counts["frames_read"] = counts.get("frames_read", 0) + len(answers.time_s)
    context.tell_left_out(recording.name, asdict(recording.report))
    context.tell_marked(recording.name, answers.marked_bad)
    return answers


def _write_drive(home: Path, answers: Answers, overwrite: bool) -> dict[str, Path]:
    """Write the table and the plots of a recording; return their paths by name."""
    from drive.drawing.plots import plot_steering_distribution, plot_steering_over_time
    from drive.results.run_folder import RunFolder
    from drive.steering.evaluate import write_steering_csv

    folder = RunFolder(home, overwrite)
    paths = {
        "steering": folder.file("steering.csv"),
        "steering_over_time": folder.file("steering_over_time.png"),
        "steering_distribution": folder.file("steering_distribution.png"),
    }
    write_steering_csv(paths["steering"], answers)
    plot_steering_over_time(
        paths["steering_over_time"],
        answers.time_s,
        answers.angle_deg,
        answers.truth_deg,
        spread_deg=answers.spread_deg,
    )
    series = {"human": answers.truth_deg, "model": answers.angle_deg}
    plot_steering_distribution(paths["steering_distribution"], series)
    return paths


def _as_folder(name: str) -> str:
    """A recording's name as the name of one folder."""
    return "_".join(part for part in Path(name).parts if part != "/")


def _warn(each: dict[str, dict[str, Any]], context: Context) -> None:
    from drive.steering.evaluate import FLAT_SHARE, hardly_varies

    for name, metrics in each.items():
        simple = min(metrics["baselines"]["zero"], metrics["baselines"]["mean"])
        if metrics["rmse_deg"] > simple:
            context.warn(
                f"{name}: the model is worse than a constant answer "
                f"({metrics['rmse_deg']:.3f} against {simple:.3f} degrees)"
            )
        if hardly_varies(metrics):
            context.warn(
                f"{name}: the predictions hardly vary: their spread is "
                f"{metrics['prediction_spread_deg']:.3f} degrees, less than {FLAT_SHARE:.0%} of "
                f"the human's {metrics['truth_spread_deg']:.3f}"
            )
