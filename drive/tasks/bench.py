"""`bench`: measure speed on this machine."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from drive.core.options import at_least, option
from drive.core.reporter import KeepingReporter, Reporter
from drive.core.shipped import DETECTOR, SAMPLE, STEERING
from drive.core.types import Image
from drive.results.json_files import write_json
from drive.results.names import BENCH
from drive.results.record import Span
from drive.tasks._run import Models, Run, TaskResult, WeightsConfig, run_task

if TYPE_CHECKING:
    from drive.benchmark.measure import Stage, Times
    from drive.benchmark.report import Figure, Machine, Ratios
    from drive.benchmark.stages import Row
    from drive.benchmark.training import TrainingBench, TrainingFacts
    from drive.benchmark.whole import WholeFacts

CHART = "bench.png"
TRACE = "trace.json"
WHOLE_ROUNDS = 3
"""Maximum number of rounds for whole commands, which take long."""

STAGES_NAMED = ("detect", "predict-steering", "decode", "encode", "training")
SAMPLE_VIDEO = SAMPLE / "epoch01_front.mp4"


@dataclass(frozen=True)
class BenchConfig(WeightsConfig):
    """What is measured."""

    summary = "Measure speed on this machine: whole commands, their stages, each network, training."
    example = "bench video.mp4 --rounds 9"
    group = "options"

    video: str = option(
        str(SAMPLE_VIDEO), "video", "VIDEO", positional=True, shown_default="one of the sample"
    )
    _: KW_ONLY
    rounds: int = option(
        7, "number of rounds; each round measures everything once", "N", at_least(1)
    )
    keras: bool = option(True, "do not measure networks in Keras")
    detect: bool = option(True, "do not measure whole commands, video to annotated video")
    profile: bool = option(
        False, f"also write {TRACE}: the work of each thread of `detect`, for ui.perfetto.dev"
    )
    ultralytics: str | None = option(
        None, "Python interpreter of an environment with ultralytics, to compare with", "PYTHON"
    )
    recording: str = option(
        str(SAMPLE), "recordings for the training stages", "DIR", shown_default="the sample"
    )
    training: bool = option(True, "do not measure training")
    cache: str | None = option(
        None, "folder for decoded frames", "DIR", shown_default="~/.cache/drive"
    )


@dataclass(frozen=True, kw_only=True)
class BenchResult(TaskResult):
    """What was measured: `stages` are rows of figures, `ratios` how many times faster one is.

    `detect` and `training` are None if they were left out.
    """

    machine: Machine
    rounds: int
    stages: tuple[Figure, ...]
    ratios: Ratios
    detect: WholeFacts | None = None
    training: TrainingFacts | None = None
    bench: Path | None = None
    chart: Path | None = None

    def as_text(self) -> str:
        """Return the table and the ratios."""
        from drive.benchmark.report import as_text

        return as_text(self.stages, self.ratios)


def bench(config: BenchConfig | None = None, reporter: Reporter | None = None) -> BenchResult:
    """Measure decoding, encoding, networks, whole commands and training in turn.

    Raises:
        InputError: the video, the weights, the recording or the interpreter does not work.

    Example:
        >>> from drive import BenchConfig, bench
        >>> result = bench(BenchConfig("video.mp4", rounds=3, training=False))
        >>> result.ratios.plain["detect_vs_straightforward"]
    """
    return run_task("bench", _bench, config or BenchConfig(), reporter)


def _bench(config: BenchConfig, run: Run) -> BenchResult:
    from drive.benchmark import report
    from drive.benchmark.measure import take_turns
    from drive.benchmark.trace import chrome_trace

    run.record.add_input(config.video)
    machine = report.this_machine()
    if machine.is_busy:
        run.warn(
            f"other programs are busy (load {machine.load:g} on {machine.cores} cores): times are "
            "too long, ratios hold roughly. Measure again on an idle machine"
        )
    with ExitStack() as stack:
        pairs, training = _prepare(config, run, stack)
        with run.record.stage("measure"):
            times = take_turns([stage for _, stage in pairs], config.rounds, run.progress)
    whole = _whole(config, run) if config.detect else None
    if whole:
        pairs += whole.pairs
        times |= whole.times
        run.message(whole.facts.as_text())
        if config.profile:
            write_json(run.folder.file(TRACE), chrome_trace(whole.spans))
    if training:
        run.message(training.facts.as_text())
    rows = [row for row, _ in pairs]
    result = BenchResult(
        machine=machine,
        rounds=config.rounds,
        stages=tuple(report.table_rows(rows, times)),
        ratios=report.ratios(rows, times, whole.facts.frame_s if whole else None),
        detect=whole.facts if whole else None,
        training=training.facts if training else None,
        bench=run.folder.path / BENCH,
        chart=run.folder.path / CHART,
    )
    paths = ("bench", "chart")
    figures = {name: value for name, value in result.as_json().items() if name not in paths}
    write_json(run.folder.file(BENCH), figures)
    _plot(result, run.folder.file(CHART))
    return result


def _prepare(
    config: BenchConfig, run: Run, stack: ExitStack
) -> tuple[list[tuple[Row, Stage]], TrainingBench | None]:
    """Return the stages that take turns; `stack` closes what they need."""
    from drive.benchmark import stages

    row, stage, frame = stages.decode_stage(config.video)
    run.folder.file(BENCH)  # an --out that cannot be used ends the run before the work
    with run.record.stage("prepare"):
        pairs = [
            (row, stage),
            stack.enter_context(stages.encode_stage(config.video)),
            *stages.reference_stages(stack.enter_context(stages.reference_network()), frame),
            *_detector(config, run, frame),
            *_steering(config, run, frame),
        ]
        training = _training(config, run) if config.training else None
        return pairs + (training.pairs if training else []), training


def _detector(config: BenchConfig, run: Run, frame: Image) -> list[tuple[Row, Stage]]:
    """Return the stages of the float weights and, if they exist, of the int8 ones."""
    from drive.benchmark.stages import FLOAT, INT8, KERAS, RUNTIMES, detector_stages
    from drive.runtime.int8_form import int8_beside

    weights = Path(config.weights or DETECTOR)
    int8 = int8_beside(weights)
    run.record.add_input(weights)
    engines = (*RUNTIMES, KERAS) if config.keras else RUNTIMES
    stages = detector_stages(weights, FLOAT, frame, engines)
    if not int8.is_file():
        told = "there is no int8 form of these weights, so only float is measured"
        run.warn(f"{told}. Expected {int8}")
        return stages
    run.record.add_input(int8)
    return stages + detector_stages(int8, INT8, frame, RUNTIMES)


def _steering(config: BenchConfig, run: Run, frame: Image) -> list[tuple[Row, Stage]]:
    """Return the stages of the steering network that ships, float and int8."""
    from drive.benchmark.stages import FLOAT, INT8, KERAS, RUNTIMES, steering_stages
    from drive.runtime.int8_form import int8_beside

    stages = []
    for weights, precision in ((STEERING, FLOAT), (int8_beside(STEERING), INT8)):
        run.record.add_input(weights)
        stages += steering_stages(weights, precision, frame, RUNTIMES)
    if not config.keras:
        return stages
    return stages + steering_stages(STEERING.with_suffix(".keras"), FLOAT, frame, (KERAS,))


@dataclass(frozen=True, slots=True)
class _Whole:
    """Whole commands: rows with their stages, their times, and facts on our detection."""

    pairs: list[tuple[Row, Stage]]
    times: dict[str, Times]
    facts: WholeFacts
    spans: list[Span]


def _whole(config: BenchConfig, run: Run) -> _Whole:
    """Time our commands, the straightforward loop and, if requested, Ultralytics."""
    from drive.benchmark import whole
    from drive.benchmark.measure import take_turns

    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        with run.record.stage("prepare"):
            excerpt = whole.cut_excerpt(config.video, folder)
            repeated = whole.repeat_excerpt(excerpt, folder, whole.STEERED_S)
            ours = _Turns("detect", config.weights, folder)
            steering = _Turns("predict-steering", None, folder)
            pairs = [
                whole.our_stage(excerpt, whole.DETECT, "pipeline", ours),
                whole.our_stage(repeated, whole.PREDICT, "pipeline", steering),
            ]
            pairs += whole.straightforward_stage(excerpt, folder)
            peer = whole.ultralytics_stage(excerpt, folder, config.ultralytics)
            pairs += stack.enter_context(peer)
        with run.record.stage("measure"):
            rounds = min(config.rounds, WHOLE_ROUNDS)
            times = take_turns([stage for _, stage in pairs], rounds, run.progress)
        facts = whole.whole_facts(excerpt, ours.first_s, ours.seconds, ours.wall_s)
    return _Whole(pairs, times, facts, ours.spans)


class _Turns:
    """Runs a command repeatedly, as a user does; the first run loads the network for all.

    `seconds`, `spans` and `wall_s` are of the last run, `first_s` of the whole first one.
    """

    def __init__(self, name: str, weights: str | None, folder: Path) -> None:
        self._name, self._weights = name, weights
        self._out = str(folder / name)
        self.seconds: dict[str, float] = {}
        self.spans: list[Span] = []
        self.wall_s = self.first_s = 0.0
        self._models: Models = {}

    def __call__(self, video: Path) -> None:
        began = time.perf_counter()
        with closing(self._run(str(video))) as run:
            self.seconds = dict(run.record.seconds)
        self.wall_s = time.perf_counter() - began
        self.first_s = self.first_s or self.wall_s

    def _run(self, video: str) -> Run:
        from drive.tasks.detect import DetectConfig, detect_one
        from drive.tasks.predict_steering import PredictSteeringConfig, predict_one

        kind: type[DetectConfig | PredictSteeringConfig]
        kind = DetectConfig if self._name == "detect" else PredictSteeringConfig
        config = kind(video, out=self._out, overwrite=True, weights=self._weights)
        run = Run(self._name, config, KeepingReporter(), self._models)
        run.record.spans = self.spans = []
        if isinstance(config, DetectConfig):
            detect_one(config, run)
        else:
            predict_one(config, run)
        return run


def _training(config: BenchConfig, run: Run) -> TrainingBench:
    """Return an epoch of the steering network from the cache, and the straightforward one."""
    from drive.benchmark.training import training_stages
    from drive.recordings.recording import open_recordings
    from drive.steering.cache import default_cache

    recordings = open_recordings([config.recording])
    found = training_stages(recordings, Path(config.cache or default_cache()), run.progress)
    for video in found.facts.videos:
        run.record.add_input(video)
    return found


def _label(row: Figure) -> str:
    """Return the label of a bar; the stage is in it unless it is a single inference."""
    stage = row.stage if row.stage in STAGES_NAMED else ""
    names = (stage, row.subject, row.precision, row.engine, row.size)
    return " · ".join(name for name in names if name)


def _plot(result: BenchResult, path: Path) -> None:
    from drive.drawing.bench_chart import Bar, plot_bench

    bars = [
        Bar(_label(row), row.ms, *row.ms_quartiles, f"{row.stage} {row.subject} {row.precision}")
        for row in result.stages
    ]
    faster = result.ratios.plain["drive_int8_vs_tiny_yolo_v1_float"]
    title = "One frame on this machine"
    if faster:
        title = f"tiny-yolo-drive (int8): {faster:.1f} times as fast as tiny YOLO v1 (float)"
    plot_bench(bars, path, title)
