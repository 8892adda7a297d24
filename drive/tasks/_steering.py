"""The steering model of a task: load it, compare it with the recorded angle, explain it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from drive.core.errors import InputError
from drive.pipeline.analyser import Predicting
from drive.recordings.recording import RecordedAngles, find_steering_csv, open_recordings
from drive.recordings.recording_config import RecordingConfig
from drive.results.json_files import write_json
from drive.results.names import STEERING_DISTRIBUTION, STEERING_OVER_TIME
from drive.results.run_folder import RunFolder
from drive.results.steering import Steering
from drive.results.verdict import NOTHING, Verdict
from drive.steering.evaluate import (
    Predictions,
    SteeringMetrics,
    evaluate,
    in_one_line,
    name_of_mean,
)
from drive.steering.evidence import read_evidence, trained_on
from drive.steering.predict import SteeringModel, load_steering
from drive.steering.smooth import Smoother, jitter_deg
from drive.steering.verdict import judge_predictions
from drive.tasks._options import AnalysisConfig, SteeringConfig
from drive.tasks._results import Fields, Smoothing
from drive.tasks._run import SHIPPED_STEERING_NOTE, Run
from drive.video.reader import FrameReader

if TYPE_CHECKING:
    from drive.steering.explain import Explainer
    from drive.steering.shift_check import EvenSample

EXPLANATION, EXPLANATION_CHART = "explain.json", "explain_check.png"
EXPLAIN_FRAMES = 40
"""Frames of the shift check: seconds of work, and an error of the mean of a few per cent."""

STEERING_THREADS = 1
"""A second one would cost more than it helps: the network takes half a millisecond."""

NOT_COMPARED = "not compared with the recorded angle"


def load(
    config: AnalysisConfig, run: Run, reader: FrameReader, weights: str | None
) -> Predicting | None:
    """Load the steering model, if the config has one, and what belongs to it."""
    if not isinstance(config, SteeringConfig):
        return None
    model = _load_model(config, run, weights)
    explainer, sample = _explanation(config, run, weights)
    smoother = None if config.smooth_s is None else Smoother(config.smooth_s)
    return Predicting(model, smoother, explainer, sample, _recorded_angles(config, run, reader))


def _load_model(config: SteeringConfig, run: Run, weights: str | None) -> SteeringModel:
    """The steering model; reports and records what it is."""
    model = run.loaded(
        ("steering", weights, config.engine),
        lambda: load_steering(weights, config.engine, STEERING_THREADS),
    )
    precision = model.engine.metadata.get("precision", "float")
    run.record.extra["steering"] = {"precision": precision, "engine": model.engine.name}
    run.message(f"steering: {precision} on {model.engine.name}")
    _tell_quality(model, run)
    if weights is None:
        run.note(SHIPPED_STEERING_NOTE)
    return model


def _tell_quality(model: SteeringModel, run: Run) -> None:
    """Report what the training of the model found; warn if it has learnt nothing."""
    verdict = model.verdict
    if verdict is None:
        return
    run.record.extra["steering"] |= {"training_verdict": verdict}
    if verdict.level == NOTHING:
        run.warn(
            f"do not trust this steering model. At the end of its training: {verdict.share}. "
            f"{' '.join(verdict.causes[:1])}"
        )
    else:
        run.message(f"steering, at the end of its training: {verdict.sentence}")


def _explanation(
    config: SteeringConfig, run: Run, weights: str | None
) -> tuple[Explainer, EvenSample] | tuple[None, None]:
    """What shows where the model looks, and keeps frames to check it; with `--explain`."""
    if not config.explain:
        if config.explain_frames is not None:
            run.warn("--explain-frames has no effect without --explain")
        return None, None
    from drive.steering.explain import load_explainer
    from drive.steering.shift_check import EvenSample

    frames = config.explain_frames or EXPLAIN_FRAMES
    run.record.settings["explain_frames"] = frames
    return load_explainer(weights, config.engine), EvenSample(frames)


def _recorded_angles(
    config: SteeringConfig, run: Run, reader: FrameReader
) -> RecordedAngles | None:
    """The recorded angles, if a CSV is named or lies beside the video.

    One that only lies there is not needed: if it cannot be read, that is a warning.
    """
    overrides = config.overrides()
    RecordingConfig().with_overrides(**overrides)
    if reader.info is None:
        if config.steering:
            raise InputError("--steering belongs to a video file. Name one as SOURCE")
        return None
    csv = config.steering or find_steering_csv(reader.info.path)
    if csv is None:
        return None
    try:
        (recording,) = open_recordings([reader.info.path], steering_csv=csv, overrides=overrides)
    except InputError as error:
        if config.steering:
            raise
        run.warn(f"no comparison with the recorded angle: {error}")
        return None
    return RecordedAngles(recording)


def compare_angles(run: Run, predicting: Predicting, angles: Steering) -> Fields:
    """Plot the angles, and compare them with the smoothed and with the recorded ones."""
    known = angles.truth_deg == angles.truth_deg
    truth_deg = angles.truth_deg if known.any() else None
    recorded = {"recorded": angles.truth_deg[known]} if known.any() else {}
    series = {"model": angles.angle_deg} | recorded
    more = {"smoothed_deg": angles.smoothed_deg, "spread_deg": angles.spread_deg}
    plots = plot_angles(run.folder, series, angles.time_s, angles.angle_deg, truth_deg, **more)
    smoothing = _say_smoothing(run, predicting.smoother, angles)
    return plots | smoothing | _compare(run, predicting, angles)


def plot_angles(
    folder: RunFolder,
    series: Mapping[str, np.ndarray],
    time_s: np.ndarray,
    angle_deg: np.ndarray,
    truth_deg: np.ndarray | None,
    **more_deg: np.ndarray | None,
) -> Fields:
    """Plot angles over time and the distributions of `series`; return the paths by field."""
    from drive.drawing.plots import plot_steering_distribution, plot_steering_over_time

    over_time, distribution = folder.file(STEERING_OVER_TIME), folder.file(STEERING_DISTRIBUTION)
    plot_steering_over_time(over_time, time_s, angle_deg, truth_deg, **more_deg)
    plot_steering_distribution(distribution, series)
    return {"steering_over_time": over_time, "steering_distribution": distribution}


def _say_smoothing(run: Run, smoother: Smoother | None, angles: Steering) -> Fields:
    """Report and record the delay of the filter, and how much calmer the angle is."""
    before = jitter_deg(angles.angle_deg)
    if smoother is None or angles.smoothed_deg is None or before is None:
        return {}
    said = Smoothing(smoother.delay_s, before, jitter_deg(angles.smoothed_deg))
    run.record.extra["smoothing"] = said
    run.message(
        f"smoothing: delay {said.delay_s:g} s; jitter {before:.3f} -> "
        f"{said.smoothed_jitter_deg:.3f} degrees per frame"
    )
    return {"smoothing": said}


def _compare(run: Run, predicting: Predicting, angles: Steering) -> Fields:
    """Report and record the errors against the recorded angle, beside the baselines.

    The model is evaluated by its own angle; the error of a smoothed one is recorded too.
    """
    recorded = predicting.recorded
    if not isinstance(recorded, RecordedAngles):
        return {}
    name, mean_deg = recorded.name, predicting.model.training_mean_deg
    run.tell_excluded(name, recorded.marked_bad, NOT_COMPARED)
    run.tell_left_out(name, recorded.left_out(), NOT_COMPARED)
    metrics = _errors(name, angles, angles.angle_deg, mean_deg)
    if metrics is None:
        run.warn(f"{name}: no frame of this run has a recorded angle to compare with")
        return {}
    mean_of = name_of_mean(mean_deg)
    verdict = _judge(name, angles, metrics, predicting.model)
    found = metrics.as_json() | {"mean_of": mean_of, "verdict": verdict.as_json()}
    run.message(f"{name}: {in_one_line(metrics, mean_of)}")
    run.message(verdict.as_text())
    if smoothed := _errors(name, angles, angles.smoothed_deg, mean_deg):
        errors = ("mae_deg", "rmse_deg", "jitter_deg")
        found["smoothed"] = {key: getattr(smoothed, key) for key in errors}
        mae, rmse = f"{smoothed.mae_deg:.3f}", f"{smoothed.rmse_deg:.3f}"
        run.message(f"{name}: smoothed: mean absolute error {mae}, RMSE {rmse} degrees")
    return {"against_human": found}


def _errors(
    name: str, angles: Steering, angle_deg: np.ndarray | None, mean_deg: float | None
) -> SteeringMetrics | None:
    """The errors of some of the angles; None if nothing is recorded."""
    known = angles.truth_deg == angles.truth_deg
    if angle_deg is None or not known.any():
        return None
    return evaluate([_predictions(name, angles, angle_deg)], mean_deg)


def _predictions(name: str, angles: Steering, angle_deg: np.ndarray) -> Predictions:
    """The frames whose angle is recorded."""
    known = angles.truth_deg == angles.truth_deg
    columns = (angles.frame, angles.time_s, angle_deg, angles.truth_deg)
    return Predictions(name, *(each[known] for each in columns))


def _judge(name: str, angles: Steering, metrics: SteeringMetrics, model: SteeringModel) -> Verdict:
    known = read_evidence(model.metadata, model.training_mean_deg)
    known = replace(known, seen=name in trained_on(model.metadata))
    return judge_predictions(metrics, [_predictions(name, angles, angles.angle_deg)], known, name)


def check_explanation(run: Run, predicting: Predicting, seed: int) -> Fields:
    """Write and report whether the model steers by what it looks at, if it was explained."""
    from drive.drawing.shift_chart import plot_shift_check
    from drive.steering.shift_check import frames_in_words, in_one_line, in_words, shift_check

    explainer, sample = predicting.explainer, predicting.sample
    if explainer is None or sample is None:
        return {}
    numbers, chart = run.folder.file(EXPLANATION), run.folder.file(EXPLANATION_CHART)
    images = sample.images()
    with run.record.stage("check_explanation"):
        masks = explainer.masks(images)
        report = shift_check(predicting.model.predict_prepared, images, masks, seed, run.progress)
    report = replace(report, frames_seen=sample.seen)
    write_json(numbers, report)
    curves = (report.shifts_px, report.change_deg, report.area_share)
    plot_shift_check(chart, *curves, title=in_one_line(report), measured_on=frames_in_words(report))
    run.record.extra["explanation"] = report.as_json()
    for line in in_words(report):
        run.message(line)
    if (report.salient_over_rest or 0) <= 1:
        run.warn(
            "shifting the pixels that the explanation highlights moves the angle no further than "
            "shifting the rest: do not trust the explanation of this network here"
        )
    return {"explanation": numbers, "explanation_chart": chart, "explained": report.as_json()}
