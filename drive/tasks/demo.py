"""`demo`: the main job on the sample that ships, by the commands that a user would type."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from drive.core.errors import DriveError, MissingFileError
from drive.core.shipped import CHECKOUT as ROOT
from drive.core.shipped import SAMPLE
from drive.tasks._common import Context

HELP = "The main job on the sample that ships: train briefly, evaluate, predict, detect, render."
EXAMPLE = "demo"

HELD_OUT = SAMPLE / "epoch03_front.mp4"
HELD_OUT_NAME = "sample/epoch03"
EPOCHS = 30
"""A minute or two on two cores; enough to beat `zero` and `mean` on the held-out drive."""

INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="N", help=f"of training (default: {EPOCHS})"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Train on two drives of the sample; evaluate and annotate the third with what came out.

    One drive teaches, the second chooses the best epoch, the third is seen by neither.
    """
    if not HELD_OUT.exists():
        raise MissingFileError(f"The sample is missing: {HELD_OUT}. Is the checkout whole?")
    out = context.run_folder().path
    training, evaluation, annotated = out / "training", out / "evaluation", out / "annotated"
    model = training / "model.onnx"
    learning = ["--exclude", HELD_OUT_NAME, "--epochs", args.epochs]
    steps = {
        "train": ["train-steering", SAMPLE, *learning, "--out", training],
        "evaluate": ["evaluate-steering", HELD_OUT, "--weights", model, "--out", evaluation],
        "annotate": ["annotate", HELD_OUT, "--steering-weights", model, "--out", annotated],
    }
    for number, (name, step) in enumerate(steps.items(), start=1):
        with context.record.stage(name):
            _run_step(f"{number} of {len(steps)}", [str(word) for word in step], args, context)
    video = annotated / f"{HELD_OUT.stem}.mp4"
    context.message(_closing_words(training, evaluation, annotated, video))
    return {"training": training, "evaluation": evaluation, "annotated": annotated, "video": video}


def _run_step(place: str, step: list[str], args: argparse.Namespace, context: Context) -> None:
    options = ["--seed", str(args.seed), *(["--overwrite"] if args.overwrite else [])]
    context.message(f"\n[{place}] python run.py {shlex.join([*step, *options])}")
    started = time.perf_counter()
    quiet = ["--quiet"] if args.quiet else []
    command = [sys.executable, str(ROOT / "run.py"), *step, *options, *quiet]
    status = subprocess.run(command, check=False).returncode
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status != 0:
        raise DriveError(f"The step {step[0]} ended with exit status {status}; see above")
    context.message(f"[{place}] done in {time.perf_counter() - started:.0f} s")


def _closing_words(training: Path, evaluation: Path, annotated: Path, video: Path) -> str:
    return f"""
Look at:
  {annotated / "report.html"}
      the held-out drive in the browser: the video with its curves, moments and tables
  {video}
      the video alone: boxes around cars, the model's wheel beside the driver's
  {annotated / "detections.csv"}
      a row for each box
  {training / "report.html"}
      how the training went
  {evaluation / "metrics.json"}
      the model's error beside the baselines

With your own footage:
  python run.py detect VIDEO.mp4                   cars in any dashcam video
  python run.py train-steering FOLDER              FOLDER holds NAME_front.mp4 and NAME_steering.csv
  python run.py annotate VIDEO.mp4 --steering-weights outputs/NNN-train-steering/model.onnx
"""
