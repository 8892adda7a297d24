"""`simulate`: the steering model drives along recordings; where it leaves, it is put back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drive.core.errors import InputError
from drive.core.options import above, at_least, from_below, option
from drive.core.reporter import Reporter
from drive.core.wording import counted
from drive.results.json_files import write_json
from drive.results.names import METRICS, SIMULATION, SIMULATION_PLOT
from drive.results.table import write_by_recording
from drive.tasks._options import SMOOTHING, DrivingConfig
from drive.tasks._run import SHIPPED_STEERING_NOTE, Run, TaskResult, run_task

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.steering.predict import SteeringModel
    from drive.steering.simulate import SimulationResult, Step
    from drive.steering.simulation_report import WithBaselines
    from drive.video.writer import VideoWriter

FALLBACK_RATE = 20.0
SHORT_S = 30.0
"""Below this length, one intervention costs a fifth of the autonomy or more."""
TOTAL = "total"
LEGEND = (
    "An intervention: more than {limit:g} m off; the car is put back, and 6 s are counted. offset "
    "and jitter: metres and\ndegrees from frame to frame. zero steers straight on; recorded uses "
    "the recorded angles (a check of the integration)."
)


@dataclass(frozen=True)
class SimulateConfig(DrivingConfig):
    """Which recordings the model drives along, and by which rules."""

    summary = (
        "Let the steering model drive along recordings: each frame is redrawn as seen from where\n"
        "its car is. Counts interventions and autonomy."
    )
    example = "simulate data/sample/epoch03_front.mp4"
    group = "options"

    _: KW_ONLY
    limit_m: float = option(
        1.0, "metres beside the path that count as an intervention", "M", above(0), flag="--limit"
    )
    delay_s: float = option(
        0.0, "seconds until the angle of a frame acts", "S", from_below(0, 1), flag="--delay"
    )
    smooth_s: float | None = option(
        None,
        "steady the angles with a filter that delays them by S seconds; at most 5",
        "S",
        SMOOTHING,
        flag="--smooth",
    )
    start_s: float = option(0.0, "first second to use", "S", at_least(0), flag="--start")
    end_s: float | None = option(None, "second to stop at", "S", flag="--end")
    video: bool = option(True, "do not write videos of what the model saw")


@dataclass(frozen=True, kw_only=True)
class SimulateResult(TaskResult):
    """How the model drove: over all recordings and in `each` of them, beside the baselines."""

    metrics: WithBaselines
    each: Mapping[str, WithBaselines]
    limit_m: float
    metrics_file: Path
    simulation: Path
    plot: Path
    videos: tuple[Path, ...]

    def as_json(self) -> dict[str, object]:
        """Return the metrics and the files."""
        names = ("simulation", "plot", "videos")
        files = {"metrics": self.metrics_file} | {name: getattr(self, name) for name in names}
        return self.metrics.as_json() | files | self.run_files()

    def as_text(self) -> str:
        """Return the table of interventions."""
        from drive.steering.simulation_report import as_table

        named = self.each if len(self.each) == 1 else {**self.each, TOTAL: self.metrics}
        return f"{as_table(named)}\n{LEGEND.format(limit=self.limit_m)}"


def simulate(config: SimulateConfig, reporter: Reporter | None = None) -> SimulateResult:
    """Let the model drive along recordings, and count interventions.

    Raises:
        InputError: a recording is missing, invalid or has no angle.

    Example:
        >>> from drive import SimulateConfig, simulate
        >>> result = simulate(SimulateConfig(["recordings/"], video=False))
        >>> result.metrics.model.autonomy_percent
    """
    return run_task("simulate", _simulate, config, reporter)


def _simulate(config: SimulateConfig, run: Run) -> SimulateResult:
    from drive.steering.simulation_report import measure_beside, table_of

    if config.end_s is not None and not config.end_s > config.start_s:
        raise InputError(
            f"--end must be after --start ({config.start_s:g} s); got {config.end_s:g} s"
        )
    recordings, model = config.load(run)
    if config.weights is None:
        run.note(SHIPPED_STEERING_NOTE)
    folder = run.folder
    files = [folder.file(name) for name in (METRICS, SIMULATION, SIMULATION_PLOT)]
    names = ["_".join(Path(one.name).parts).replace("/", "") + ".mp4" for one in recordings]
    videos = [
        run.file(name, one.path) if config.video else None
        for name, one in zip(names, recordings, strict=True)
    ]
    pairs = [
        _drive(config, run, recording, model, video)
        for recording, video in zip(recordings, videos, strict=True)
    ]
    driven = [one for one, _ in pairs]
    metrics = measure_beside(driven, [beside for _, beside in pairs])
    each = {one.name: measure_beside([one], [beside]) for one, beside in pairs}
    about = {one.name: {**each[one.name].as_json(), **_about(one)} for one in driven}
    content = {**metrics.as_json(), "limit_m": config.limit_m, "recordings": about}
    write_json(files[0], content)
    write_by_recording(files[1], {one.name: table_of(one) for one in driven})
    _plot(files[2], driven, config.limit_m)
    run.warn_of_known(each, model.metadata, "driving")
    written = tuple(video for video in videos if video is not None)
    shown = f" and {counted(len(written), 'video')}" if written else ""
    run.message(f"metrics, table, plot{shown} -> {folder.path}")
    return SimulateResult(
        metrics=metrics,
        each=each,
        limit_m=config.limit_m,
        metrics_file=files[0],
        simulation=files[1],
        plot=files[2],
        videos=written,
    )


def _drive(
    config: SimulateConfig, run: Run, recording: Recording, model: SteeringModel, video: Path | None
) -> tuple[SimulationResult, dict[str, SimulationResult]]:
    """Simulate one recording and its baselines; write the video if one is wanted."""
    from drive.steering.recorded_path import frame_size, shrink_of, shrunk_size
    from drive.steering.simulate import follow_baselines, simulate_recording
    from drive.video.writer import VideoWriter

    run.add_inputs(recording.path, recording.steering_csv)
    full = frame_size(recording)
    size = shrunk_size(full, shrink_of(full[0]))
    limits = {"limit_m": config.limit_m, "delay_s": config.delay_s}
    with run.record.stage("simulate"), ExitStack() as stack:
        film = None
        if video is not None:
            writer = VideoWriter(video, width=size[0], height=size[1], rate_hint=_rate(recording))
            film = _Film(stack.enter_context(writer), size, config.limit_m, model)
        driven = simulate_recording(
            recording,
            model,
            **limits,
            smooth_s=config.smooth_s,
            start_s=config.start_s,
            end_s=config.end_s,
            watch=film,
            progress=run.progress,
        )
    _tell(run, recording, driven)
    run.count(frames_read=len(driven.time_s), frames_lost=driven.path.frames_lost)
    if film is not None:
        run.count(frames_written=film.writer.frames_written)
    return driven, follow_baselines(driven, recording.config.car, **limits)


class _Film:
    """The video of what the model saw, written while the car drives."""

    def __init__(
        self, writer: VideoWriter, size: tuple[int, int], limit_m: float, model: SteeringModel
    ) -> None:
        from drive.drawing.simulation_overlay import SimulationOverlay

        self.writer = writer
        self._overlay = SimulationOverlay(*size, limit_m)
        self._region = model.crop.region(*size)
        self._last_s: float | None = None

    def __call__(self, step: Step) -> None:
        time_s = step.moment.frame.time_s
        if step.intervention:
            self._last_s = time_s
        image = self._overlay.draw(
            step.image,
            offset_m=step.place.offset_m,
            heading_deg=step.place.heading_deg,
            angle_deg=step.angle_deg,
            truth_deg=step.moment.truth_deg,
            header=f"{time_s:.1f} s   {step.moment.speed_mps:.0f} m/s   "
            f"interventions: {step.interventions}",
            region=self._region,
            since_intervention_s=None if self._last_s is None else time_s - self._last_s,
        )
        self.writer.write(image, time_s)


def _rate(recording: Recording) -> float:
    from drive.video.probe import probe

    if recording.images:
        times = recording.time_s
        length = 0.0 if times is None else float(times[-1] - times[0])
        return (len(recording.images) - 1) / length if length > 0 else FALLBACK_RATE
    return probe(recording.path).fps or FALLBACK_RATE


def _about(driven: SimulationResult) -> dict[str, float | str]:
    """Return what the numbers of a recording rest on."""
    assert driven.camera is not None
    path = asdict(driven.path)
    counts = ("frames_lost", "frames_without_angle", "frames_without_speed", "frames_marked_bad")
    return {
        "frames": len(driven.time_s),
        **{name: path[name] for name in counts},
        "gaps": _gaps(driven),
        "speed": driven.path.speed,
        "horizon": driven.camera.horizon,
        "horizon_is": driven.horizon,
        "camera_height_m": driven.camera.height_m,
        "camera_fov_deg": driven.camera.fov_deg,
    }


def _gaps(driven: SimulationResult) -> int:
    """Return the number of pauses of the recording; excluded ranges do not count."""
    return int(driven.cut.sum()) - driven.path.marks_passed


def _tell(run: Run, recording: Recording, driven: SimulationResult) -> None:
    """Report what the simulation had to assume or leave out."""
    from drive.steering.simulate import INTERVENTION_S, LONGEST_GAP_S
    from drive.steering.simulation_report import IMPLAUSIBLE_SHARE, implausible_share

    camera, car, path, name = driven.camera, recording.config.car, driven.path, driven.name
    assert camera is not None
    run.message(
        f"{name}: camera {camera.height_m:g} m above the road, {camera.fov_deg:g} degrees "
        f"wide, horizon at {camera.horizon:.3f} of the height ({driven.horizon}); speed "
        f"{path.speed}, {driven.metres / max(driven.seconds, 1e-9):.1f} m/s on average"
    )
    run.tell_excluded(
        name, path.frames_marked_bad, "left out: the car starts again on the path behind them"
    )
    if driven.seconds < SHORT_S:
        run.warn(
            f"{name}: only {driven.seconds:.1f} s were driven; below {SHORT_S:.0f} s autonomy says "
            f"little: an intervention counts {INTERVENTION_S:g} s. Use a longer recording"
        )
    if path.speed == "assumed":
        run.warn(
            f"{name}: no speed recorded; {car.speed_mps:g} m/s assumed. Set it with --speed-mps"
        )
    again = f"longer than {LONGEST_GAP_S:g} s: the car starts again on the path"
    left_out = (
        (path.frames_lost, "frame", "damaged or missing: skipped"),
        (path.frames_without_angle, "frame", "without an angle: skipped"),
        (path.frames_without_speed, "frame", "without a speed: the neighbours' is used"),
        (_gaps(driven), "gap", again),
    )
    for count, thing, what in left_out:
        if count:
            run.warn(f"{name}: {counted(count, thing)} {what}")
    share = implausible_share(driven, car)
    if share > IMPLAUSIBLE_SHARE:
        run.warn(
            f"{name}: in {share:.0%} of the frames the recorded car would corner harder than "
            f"tyres hold. Check the speed, --steering-ratio ({car.steering_ratio:g}; of a steering "
            f"wheel 12 to 18) and --wheelbase ({car.wheelbase_m:g} m)"
        )


def _plot(path: Path, driven: list[SimulationResult], limit_m: float) -> None:
    from drive.drawing.simulation_plot import DriveLine, plot_simulation

    lines = []
    for one in driven:
        told = f"{counted(one.interventions, 'intervention')} in {one.seconds:.0f} s"
        numbers = f"autonomy {one.autonomy_percent:.1f} %, {told}"
        curve = (one.time_s, one.offset_m, one.intervention, one.cut)
        lines.append(DriveLine(one.name, numbers, *curve))
    plot_simulation(path, lines, limit_m)
