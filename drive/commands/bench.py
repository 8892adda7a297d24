"""`bench`: speed on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context
from drive.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from drive.bench.measure import Stage
    from drive.bench.stages import Row
    from drive.bench.training import TrainingBench

HELP = "Measure speed on this machine: decoding, one frame through each network, training."
EXAMPLE = "bench my_drive.mp4 --rounds 9"

FIGURES = "bench.json"
CHART = "bench.png"
ROUNDS = 7
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
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
    parser.add_argument(
        "--no-keras", action="store_true", help="leave Keras out, the slowest of the runtimes"
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
    from drive.bench import report
    from drive.bench.measure import take_turns
    from drive.bench.stages import decode_stage, reference_network, reference_stages
    from drive.runs import write_json

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
    with context.record.stage("prepare"), reference_network() as reference:
        pairs = [
            (row, stage),
            *reference_stages(reference, frame),
            *_detector(args, context, frame),
        ]
        training = None if args.no_training else _training(args, context)
        pairs += training.pairs if training else []
    with context.record.stage("measure"):
        times = take_turns([stage for _, stage in pairs], args.rounds, context.progress)
    rows = [row for row, _ in pairs]
    table, found = report.table_rows(rows, times), report.ratios(rows, times)
    figures = {"machine": machine, "rounds": args.rounds, "stages": table, "ratios": found}
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
    from drive.bench.stages import FLOAT, INT8, KERAS, RUNTIMES, detector_stages
    from drive.cars.detector import DEFAULT_WEIGHTS, int8_beside

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


def _training(args: argparse.Namespace, context: Context) -> TrainingBench:
    """Return an epoch of the steering network from the cache, and the straightforward one."""
    from drive.bench.training import training_stages
    from drive.frames.recording import open_recordings
    from drive.steering.cache import default_cache

    recordings = open_recordings([args.recording or SAMPLE])
    cache = Path(args.cache or default_cache())
    found = training_stages(recordings, cache, context.progress)
    for video in found.facts["videos"]:
        context.record.add_input(video)
    return found


def _named(row: dict[str, Any]) -> tuple[str, ...]:
    """What tells a bar from the others; a frame is not trained on in the time it is looked at."""
    names = ("subject", "precision", "engine", "size")
    return ("stage", *names) if row["stage"] == "training" else names


def _plot(table: list[dict[str, Any]], found: dict[str, Any], path: Path) -> None:
    from drive.render.bench_chart import Bar, plot_bench

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
