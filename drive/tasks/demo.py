"""`demo`: the main job on the sample that ships, by the tasks that a user would call."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drive.core.errors import MissingFileError
from drive.core.options import at_least, command_line, option
from drive.core.reporter import Reporter
from drive.core.shipped import SAMPLE
from drive.results.names import DETECTIONS, METRICS, REPORT
from drive.results.verdict import Verdict
from drive.tasks._results import Fields
from drive.tasks._run import Run, RunConfig, SeedConfig, TaskResult, run_task

HELD_OUT = SAMPLE / "epoch03_front.mp4"
HELD_OUT_NAME = "sample/epoch03"
EPOCHS = 30
"""A minute or two on two cores; enough to beat `zero` and `mean` on the recording held out."""

STEPS = 3


@dataclass(frozen=True, kw_only=True)
class DemoConfig(SeedConfig):
    """How long the demo trains."""

    summary = (
        "Do the main job on the sample that ships: train briefly, evaluate, predict, detect, draw."
    )
    example = "demo"
    group = "options"

    epochs: int = option(EPOCHS, "maximum number of training epochs", "N", at_least(1))


@dataclass(frozen=True, kw_only=True)
class DemoResult(TaskResult):
    """The folders of the training, the evaluation and the annotation; the annotated video."""

    training: Path
    evaluation: Path
    annotated: Path
    video: Path


def demo(config: DemoConfig, reporter: Reporter | None = None) -> DemoResult:
    """Train on two recordings of the sample; evaluate and annotate the third with the model.

    One recording is trained on, the second chooses the best epoch, the third is held out.

    Raises:
        MissingFileError: the sample is missing.

    Example:
        >>> from drive import DemoConfig, demo
        >>> demo(DemoConfig(epochs=5)).video
    """
    return run_task("demo", _demo, config, reporter)


def _demo(config: DemoConfig, run: Run) -> DemoResult:
    from drive.tasks.annotate import AnnotateConfig, annotate
    from drive.tasks.evaluate_steering import EvaluateSteeringConfig, evaluate_steering
    from drive.tasks.train_steering import TrainSteeringConfig, train_steering

    if not HELD_OUT.exists():
        raise MissingFileError(f"the sample is missing: there is no file {HELD_OUT}")
    seed, held_out, home = config.seed, str(HELD_OUT), run.folder.path
    places = {name: home / name for name in ("training", "evaluation", "annotated")}

    def into(name: str) -> Fields:
        return {"out": str(places[name]), "overwrite": config.overwrite}

    sample, epochs = [str(SAMPLE)], config.epochs
    training = TrainSteeringConfig(
        sample, exclude=HELD_OUT_NAME, epochs=epochs, seed=seed, **into("training")
    )
    with _step(1, "train-steering", training, run):
        run.message(train_steering(training, run.reporter).as_text())
    model = str(places["training"] / "model.onnx")
    evaluation = EvaluateSteeringConfig([held_out], weights=model, **into("evaluation"))
    with _step(2, "evaluate-steering", evaluation, run):
        evaluated = evaluate_steering(evaluation, run.reporter)
        run.message(evaluated.as_text())
    annotation = AnnotateConfig(held_out, steering_weights=model, seed=seed, **into("annotated"))
    with _step(3, "annotate", annotation, run):
        annotate(annotation, run.reporter)
    result = DemoResult(**places, video=places["annotated"] / f"{HELD_OUT.stem}.mp4")
    run.message(_closing_words(result, evaluated.verdict))
    return result


@contextmanager
def _step(number: int, name: str, config: RunConfig, run: Run) -> Iterator[None]:
    """Report a step, as a user would type it, and how long it takes."""
    run.message(f"\n[{number} of {STEPS}] {shlex.join(command_line(name, config))}")
    started = time.perf_counter()
    try:
        with run.record.stage(name):
            yield
    except KeyboardInterrupt:
        folder = run.folder.path
        told = f"start again with --out {folder} --overwrite" if any(folder.iterdir()) else ""
        raise KeyboardInterrupt(told) from None
    run.message(f"[{number} of {STEPS}] done in {time.perf_counter() - started:.0f} s")


def _closing_words(result: DemoResult, verdict: Verdict) -> str:
    return f"""
On a recording that it was neither trained on nor selected by:
{verdict.sentence}

Look at:
  {result.annotated / REPORT}
      the recording held out, in the browser: the video with its charts, highlights and tables
  {result.video}
      the video alone: boxes around cars, the predicted angle beside the recorded one
  {result.annotated / DETECTIONS}
      one row per box
  {result.training / REPORT}
      how the training went
  {result.evaluation / METRICS}
      the model's error beside the baselines

With your own videos:
  drive detect VIDEO.mp4                   cars in any dashcam video
  drive train-steering FOLDER              FOLDER holds NAME_front.mp4 and NAME_steering.csv
  drive annotate VIDEO.mp4 --steering-weights outputs/NNN-train-steering/model.onnx
"""
