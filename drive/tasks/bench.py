"""`bench`: speed on this machine."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Hashable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.reporter import KeepingReporter
from drive.core.shipped import SAMPLE
from drive.tasks._common import Context
from drive.tasks._options import AnalysisConfig
from drive.tasks._run import Run

if TYPE_CHECKING:
    import numpy as np

    from drive.benchmark.measure import Stage, Times
    from drive.benchmark.stages import Row
    from drive.benchmark.training import TrainingBench
    from drive.results.run_folder import Span

HELP = "Measure speed on this machine: whole detection, its parts, each network, training."
EXAMPLE = "bench my_drive.mp4 --rounds 9"

FIGURES = "bench.json"
CHART = "bench.png"
TRACE = "trace.json"
ROUNDS, WHOLE_ROUNDS = 7, 3
STAGES_NAMED = ("detect", "predict-steering", "decode", "encode", "training")
LEAST_SHARE = 0.005  # of the time, that is worth a word
SAMPLE_VIDEO = SAMPLE / "epoch01_front.mp4"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "video", metavar="VIDEO", nargs="?", help="what to decode (default: the sample's)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"everything is measured once a round, in turn (default: {ROUNDS})",
    )
    parser.add_argument("--no-keras", action="store_true", help="leave Keras out of the runtimes")
    parser.add_argument(
        "--no-detect", action="store_true", help="leave whole detection, video to video, out"
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help=f"also write {TRACE}: what each thread of `detect` did when, for ui.perfetto.dev",
    )
    parser.add_argument(
        "--ultralytics",
        metavar="PYTHON",
        help="interpreter of an environment with the package ultralytics, to compare with",
    )
    parser.add_argument(
        "--recording", metavar="DIR", help="what to train steering on (default: the sample)"
    )
    parser.add_argument("--no-training", action="store_true", help="leave training out")
    parser.add_argument("--cache", metavar="DIR", help="decoded frames (default: ~/.cache/drive)")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Write `bench.json` and `bench.png`, print the table."""
    if args.rounds < 1:
        raise InputError(f"--rounds is a whole number from 1. Received: {args.rounds}")
    from drive.benchmark import report
    from drive.benchmark.measure import take_turns
    from drive.benchmark.stages import (
        decode_stage,
        encode_stage,
        reference_network,
        reference_stages,
    )
    from drive.benchmark.trace import chrome_trace
    from drive.results.run_folder import write_json

    video = args.video or SAMPLE_VIDEO
    context.record.add_input(video)
    machine = report.machine()
    if report.is_busy(machine):
        context.warn(
            f"other work runs here (load {machine['load']:g} on {machine['cores']} cores): "
            "times are too long; ratios hold roughly"
        )
    row, stage, frame = decode_stage(video)
    folder = context.run_folder()
    with ExitStack() as stack:
        with context.record.stage("prepare"):
            pairs = [
                (row, stage),
                stack.enter_context(encode_stage(video)),
                *reference_stages(stack.enter_context(reference_network()), frame),
                *_detector(args, context, frame),
                *_steering(args, context, frame),
            ]
            training = None if args.no_training else _training(args, context)
            pairs += training.pairs if training else []
        with context.record.stage("measure"):
            times = take_turns([stage for _, stage in pairs], args.rounds, context.progress)
    whole = None if args.no_detect else _whole(args, context, video)
    if whole:
        pairs += whole.pairs
        times |= whole.times
    rows = [row for row, _ in pairs]
    frame_s = whole.facts["seconds_of_video"] / whole.facts["frames"] if whole else None
    table, found = report.table_rows(rows, times), report.ratios(rows, times, frame_s)
    figures = {"machine": machine, "rounds": args.rounds, "stages": table, "ratios": found}
    if whole and args.profile:
        write_json(folder.file(TRACE), chrome_trace(whole.spans))
    if whole:
        figures["detect"] = whole.facts
        context.message(whole.as_text())
    if training:
        figures["training"] = training.facts
        context.message(training.as_text())
    write_json(folder.file(FIGURES), figures)
    _plot(table, found, folder.file(CHART))
    sys.stdout.write(report.as_text(table, found) + "\n")
    return figures | {"bench": folder.path / FIGURES, "chart": folder.path / CHART}


def _detector(
    args: argparse.Namespace, context: Context, frame: np.ndarray
) -> list[tuple[Row, Stage]]:
    """Return the stages of the float weights and, where they lie beside, of the int8 ones."""
    from drive.benchmark.stages import FLOAT, INT8, KERAS, RUNTIMES, detector_stages
    from drive.detection.detector import DEFAULT_WEIGHTS
    from drive.runtime.int8_form import int8_beside

    weights = Path(args.weights or DEFAULT_WEIGHTS)
    int8 = int8_beside(weights)
    context.record.add_input(weights)
    engines = RUNTIMES if args.no_keras else (*RUNTIMES, KERAS)
    stages = detector_stages(weights, FLOAT, frame, engines)
    if not int8.is_file():
        context.warn(f"there is no int8 form of these weights, so only float is measured: {int8}")
        return stages
    context.record.add_input(int8)
    return stages + detector_stages(int8, INT8, frame, RUNTIMES)


def _steering(
    args: argparse.Namespace, context: Context, frame: np.ndarray
) -> list[tuple[Row, Stage]]:
    """Return the stages of the steering network that ships, float and int8."""
    from drive.benchmark.stages import FLOAT, INT8, KERAS, RUNTIMES, steering_stages
    from drive.runtime.int8_form import int8_beside
    from drive.steering.predict import DEFAULT_MODEL

    stages = []
    for weights, precision in ((DEFAULT_MODEL, FLOAT), (int8_beside(DEFAULT_MODEL), INT8)):
        context.record.add_input(weights)
        stages += steering_stages(weights, precision, frame, RUNTIMES)
    if args.no_keras:
        return stages
    return stages + steering_stages(DEFAULT_MODEL.with_suffix(".keras"), FLOAT, frame, (KERAS,))


@dataclass(frozen=True, slots=True)
class _Whole:
    """Whole commands: rows with their stages, their times, and what is said of our detection."""

    pairs: list[tuple[Row, Stage]]
    times: dict[str, Times]
    facts: dict[str, Any]
    spans: list[Span]

    def as_text(self) -> str:
        stages = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.facts["share_of_wall"].items()
            if share >= LEAST_SHARE
        )
        return (
            f"detect: {self.facts['frames']} frames, video to annotated video, networks loaded "
            f"before. Of the {self.facts['wall_s']:.1f} s that ours took last, its stages ran side "
            f"by side for {stages}: {self.facts['overlap']:.2f} times as much work as time"
        )


def _whole(args: argparse.Namespace, context: Context, video: str | Path) -> _Whole:
    """Time our commands, the straightforward loop and, where asked for, Ultralytics."""
    from drive.benchmark import whole
    from drive.benchmark.measure import take_turns

    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        with context.record.stage("prepare"):
            excerpt = whole.cut_excerpt(video, folder)
            drive = whole.repeat_excerpt(excerpt, folder, whole.STEERED_S)
            ours = _Turns("detect", args.weights, folder)
            steering = _Turns("predict-steering", None, folder)
            pairs = [
                whole.our_stage(excerpt, whole.DETECT, "pipeline", ours),
                whole.our_stage(drive, whole.PREDICT, "pipeline", steering),
            ]
            pairs += whole.straightforward_stage(excerpt, folder)
            peer = whole.ultralytics_stage(excerpt, folder, args.ultralytics)
            pairs += stack.enter_context(peer)
        with context.record.stage("measure"):
            rounds = min(args.rounds, WHOLE_ROUNDS)
            times = take_turns([stage for _, stage in pairs], rounds, context.progress)
        facts = {
            "frames": excerpt.frames,
            "seconds_of_video": round(excerpt.seconds, 3),
            "first_run_s": round(ours.first_s, 3),
            **whole.shares(ours.seconds, ours.wall_s),
        }
    return _Whole(pairs, times, facts, ours.spans)


class _Turns:
    """Runs a command as its user does, again and again, with the network loaded by the first run.

    Attributes:
        seconds, spans, wall_s: what the last run's stages took, and all of it.
        first_s: what the first run took, which loads the network.
    """

    def __init__(self, name: str, weights: str | None, folder: Path) -> None:
        self._name, self._weights = name, weights
        self._out = str(folder / name)
        self.seconds: dict[str, float] = {}
        self.spans: list[Span] = []
        self.wall_s = self.first_s = 0.0
        self._models: dict[Hashable, Any] = {}

    def __call__(self, video: Path) -> None:
        began = time.perf_counter()
        run = self._run(str(video))
        self.wall_s = time.perf_counter() - began
        self.first_s = self.first_s or self.wall_s
        self.seconds = dict(run.record.seconds)

    def _run(self, video: str) -> Run:
        from drive.tasks import detect, predict_steering

        common: dict[str, Any] = {"out": self._out, "overwrite": True, "weights": self._weights}
        config: AnalysisConfig
        if self._name == "detect":
            config = detect.DetectConfig(video, **common)
            run = self._new_run(config)
            detect.detect_one(config, run)
        else:
            config = predict_steering.PredictSteeringConfig(video, **common)
            run = self._new_run(config)
            predict_steering.predict_one(config, run)
        return run

    def _new_run(self, config: AnalysisConfig) -> Run:
        run = Run(self._name, config, KeepingReporter(), self._models)
        run.record.spans = self.spans = []
        return run


def _training(args: argparse.Namespace, context: Context) -> TrainingBench:
    """Return an epoch of the steering network from the cache, and the straightforward one."""
    from drive.benchmark.training import training_stages
    from drive.recordings.recording import open_recordings
    from drive.steering.cache import default_cache

    recordings = open_recordings([args.recording or SAMPLE])
    cache = Path(args.cache or default_cache())
    found = training_stages(recordings, cache, context.progress)
    for video in found.facts["videos"]:
        context.record.add_input(video)
    return found


def _named(row: dict[str, Any]) -> tuple[str, ...]:
    """What tells a bar from the others; what is more than a look at a frame says so first."""
    names = ("subject", "precision", "engine", "size")
    return ("stage", *names) if row["stage"] in STAGES_NAMED else names


def _plot(table: list[dict[str, Any]], found: dict[str, Any], path: Path) -> None:
    from drive.drawing.bench_chart import Bar, plot_bench

    bars = [
        Bar(
            " · ".join(row[key] for key in _named(row) if row[key]),
            row["ms"],
            low_ms=row["ms_quartiles"][0],
            high_ms=row["ms_quartiles"][1],
            group=f"{row['stage']} {row['subject']} {row['precision']}",
        )
        for row in table
    ]
    faster = found["drive_int8_vs_tiny_yolo_v1_float"]
    title = "One frame on this machine"
    if faster:
        title = f"tiny-yolo-drive (int8): {faster:.1f} times as fast as tiny YOLO v1 (float)"
    plot_bench(bars, path, title)
