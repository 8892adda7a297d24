"""`simulate`: the steering network drives along recordings and is put back where it leaves."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.wording import counted
from drive.tasks._analyse import ENGINES
from drive.tasks._common import (
    SHIPPED_STEERING_NOTE,
    Context,
    add_recording_options,
    add_report_option,
    add_smooth_option,
    recording_overrides,
    warn_of_training_drives,
)

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.results.run_folder import RunFolder
    from drive.steering.predict import SteeringModel
    from drive.steering.simulate import SimulationResult, Step

HELP = "Let the steering network drive along recordings: frames are redrawn from where its car is."
EXAMPLE = "simulate data/sample/epoch03_front.mp4"

METRICS, TABLE, PLOT = "metrics.json", "simulation.csv", "simulation.png"
FALLBACK_RATE = 20.0
SHORT_S = 30.0
"""One intervention in fewer seconds costs a fifth of the autonomy and more."""
TOTAL = "total"
LEGEND = (
    "An intervention: more than {limit:g} m off; the car is put back, and 6 s are counted. offset "
    "and jitter: metres and\ndegrees from frame to frame. zero steers straight on; recorded drives "
    "the human's own angles (a check of the integration)."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="folder or video")
    group = parser.add_argument_group("simulation options")
    group.add_argument(
        "--limit",
        type=float,
        default=1.0,
        metavar="M",
        help="metres beside the path that are an intervention (default: 1, as in the paper)",
    )
    group.add_argument(
        "--delay",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds from a frame to the moment its angle acts (default: 0)",
    )
    add_smooth_option(
        group, "steady the angles with a filter that delays them by S seconds (default: none)"
    )
    group.add_argument("--start", type=float, default=0.0, metavar="S", help="first second to use")
    group.add_argument("--end", type=float, metavar="S", help="second to stop at")
    group.add_argument(
        "--no-video", action="store_true", help="numbers and plot only, no video of what was seen"
    )
    group.add_argument(
        "--engine", choices=ENGINES, default="auto", help="what runs the network (default: auto)"
    )
    add_report_option(parser)
    add_recording_options(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Drive along every recording; write and print what came out."""
    from drive.recordings.recording import open_recordings
    from drive.results.run_folder import write_json
    from drive.steering.predict import load_steering
    from drive.steering.simulation_report import as_table, measure, write_simulation_csv

    _check_times(args)
    recordings = open_recordings(
        args.recordings, steering_csv=args.steering, overrides=recording_overrides(args)
    )
    pilot = load_steering(args.weights, args.engine)
    context.record.extra["steering"] = {"engine": pilot.engine.name, **pilot.metadata}
    if args.weights is None:
        context.note(SHIPPED_STEERING_NOTE)
    folder = context.run_folder()
    metrics_path, table_path, plot_path = (folder.file(name) for name in (METRICS, TABLE, PLOT))
    videos = [None if args.no_video else _video_path(folder, one) for one in recordings]
    drives: list[SimulationResult] = []
    baselines: dict[str, list[SimulationResult]] = {}
    results: dict[str, dict[str, Any]] = {}
    for recording, video in zip(recordings, videos, strict=True):
        drive, beside = _drive(args, context, recording, pilot, video)
        drives.append(drive)
        for name, other in beside.items():
            baselines.setdefault(name, []).append(other)
        results[drive.name] = {
            **measure([drive]),
            "baselines": {name: measure([other]) for name, other in beside.items()},
            **_about(drive),
        }
    together = {name: measure(others) for name, others in baselines.items()}
    metrics = {**measure(drives), "baselines": together}
    write_simulation_csv(table_path, drives)
    write_json(metrics_path, {**metrics, "limit_m": args.limit, "recordings": results})
    _plot(plot_path, drives, args.limit)
    table = as_table(results if len(results) == 1 else {**results, TOTAL: metrics})
    stream = sys.stderr if args.json else sys.stdout
    stream.write(f"{table}\n{LEGEND.format(limit=args.limit)}\n")
    warn_of_training_drives(results, pilot.metadata, "driving", context)
    written = [video for video in videos if video is not None]
    shown = f" and {counted(len(written), 'video')}" if written else ""
    context.message(f"metrics, table, plot{shown} -> {folder.path}")
    return {
        **metrics,
        "metrics": metrics_path,
        "simulation": table_path,
        "plot": plot_path,
        "videos": written,
    }


def _check_times(args: argparse.Namespace) -> None:
    if not args.start >= 0:
        raise InputError(f"--start is in seconds, 0 or more. Received: {args.start:g}")
    if args.end is not None and not args.end > args.start:
        raise InputError(f"--end comes after --start ({args.start:g} s). Received: {args.end:g} s")


def _video_path(folder: RunFolder, recording: Recording) -> Path:
    path = folder.file("_".join(Path(recording.name).parts).replace("/", "") + ".mp4")
    if path.exists() and recording.path.is_file() and path.samefile(recording.path):
        raise InputError(f"--out {path.parent} would replace the source itself. Choose another")
    return path


def _drive(
    args: argparse.Namespace,
    context: Context,
    recording: Recording,
    pilot: SteeringModel,
    video: Path | None,
) -> tuple[SimulationResult, dict[str, SimulationResult]]:
    """Simulate one recording, with the baselines beside it and, where wanted, the video."""
    from drive.steering.recorded_path import frame_size, shrink_of, shrunk_size
    from drive.steering.simulate import follow_baselines, simulate

    context.record.add_input(recording.path)
    context.record.add_input(recording.steering_csv)
    full = frame_size(recording)
    size = shrunk_size(full, shrink_of(full[0]))
    rules: dict[str, float] = {"limit_m": args.limit, "delay_s": args.delay}
    with context.record.stage("simulate"), ExitStack() as stack:
        film = None
        if video is not None:
            film = _Film(stack, video, size, args.limit, _rate(recording), pilot)
        drive = simulate(
            recording,
            pilot,
            **rules,
            smooth_s=args.smooth,
            start_s=args.start,
            end_s=args.end,
            watch=film,
            progress=context.progress,
        )
    _tell(context, recording, drive)
    counts = context.record.counts
    counts["frames_read"] = counts.get("frames_read", 0) + len(drive.time_s)
    counts["frames_lost"] = counts.get("frames_lost", 0) + drive.path.frames_lost
    if film is not None:
        counts["frames_written"] = counts.get("frames_written", 0) + film.frames_written
    return drive, follow_baselines(drive, recording.config.car, **rules)


class _Film:
    """The video of what the network saw, written while the car drives."""

    def __init__(
        self,
        stack: ExitStack,
        path: Path,
        size: tuple[int, int],
        limit_m: float,
        rate: float,
        pilot: SteeringModel,
    ) -> None:
        from drive.drawing.simulation_overlay import SimulationOverlay
        from drive.video.writer import VideoWriter

        width, height = size
        self._writer = stack.enter_context(
            VideoWriter(path, width=width, height=height, rate_hint=rate)
        )
        self._overlay = SimulationOverlay(width, height, limit_m)
        self._region = pilot.crop.region(width, height)
        self._last_s: float | None = None

    @property
    def frames_written(self) -> int:
        return self._writer.frames_written

    def __call__(self, step: Step) -> None:
        time_s = step.moment.frame.time_s
        if step.intervention:
            self._last_s = time_s
        picture = self._overlay.draw(
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
        self._writer.write(picture, time_s)


def _rate(recording: Recording) -> float:
    from drive.video.probe import probe

    if recording.images:
        times = recording.time_s
        length = 0.0 if times is None else float(times[-1] - times[0])
        return (len(recording.images) - 1) / length if length > 0 else FALLBACK_RATE
    info = probe(recording.path)
    return info.average_fps or info.nominal_fps or FALLBACK_RATE


def _about(drive: SimulationResult) -> dict[str, Any]:
    """What the numbers of a drive rest on."""
    assert drive.camera is not None
    return {
        "frames": len(drive.time_s),
        "frames_lost": drive.path.frames_lost,
        "frames_without_angle": drive.path.frames_without_angle,
        "frames_without_speed": drive.path.frames_without_speed,
        "frames_marked_bad": drive.path.frames_marked_bad,
        "gaps": _gaps(drive),
        "speed": drive.path.speed,
        "horizon": drive.camera.horizon,
        "horizon_is": drive.horizon,
        "camera_height_m": drive.camera.height_m,
        "camera_fov_deg": drive.camera.fov_deg,
    }


def _gaps(drive: SimulationResult) -> int:
    """Pauses of the recording, stretches that are marked as bad not counted."""
    return int(drive.cut.sum()) - drive.path.marks_passed


def _tell(context: Context, recording: Recording, drive: SimulationResult) -> None:
    """Say what the simulation had to assume or leave out."""
    from drive.steering.simulate import INTERVENTION_S, LONGEST_GAP_S
    from drive.steering.simulation_report import IMPLAUSIBLE_SHARE, implausible_share

    camera, car, path = drive.camera, recording.config.car, drive.path
    assert camera is not None
    context.message(
        f"{drive.name}: camera {camera.height_m:g} m above the road, {camera.fov_deg:g} degrees "
        f"wide, horizon at {camera.horizon:.3f} of the height ({drive.horizon}); speed "
        f"{path.speed}, {drive.metres / max(drive.seconds, 1e-9):.1f} m/s on average"
    )
    context.tell_marked(
        drive.name, path.frames_marked_bad, "left out: the car starts anew on the path behind them"
    )
    if drive.seconds < SHORT_S:
        context.warn(
            f"{drive.name}: only {drive.seconds:.1f} s were driven; autonomy says little below "
            f"{SHORT_S:.0f} s, as an intervention counts {INTERVENTION_S:g} s"
        )
    if path.speed == "assumed":
        context.warn(f"{drive.name}: no speed recorded; {car.speed_mps:g} m/s assumed")
    anew = f"longer than {LONGEST_GAP_S:g} s: the car starts anew on the path"
    left_out = (
        (path.frames_lost, "frame", "damaged or missing: skipped"),
        (path.frames_without_angle, "frame", "without an angle: skipped"),
        (path.frames_without_speed, "frame", "without a speed: the neighbours' is taken"),
        (_gaps(drive), "gap", anew),
    )
    for count, thing, what in left_out:
        if count:
            context.warn(f"{drive.name}: {counted(count, thing)} {what}")
    share = implausible_share(drive, car)
    if share > IMPLAUSIBLE_SHARE:
        context.warn(
            f"{drive.name}: in {share:.0%} of the frames the recorded car would corner harder than "
            f"tyres hold. Speed, steering ratio ({car.steering_ratio:g}: of a steering wheel 12 to "
            f"18) or wheelbase ({car.wheelbase_m:g} m) are wrong"
        )


def _plot(path: Path, drives: list[SimulationResult], limit_m: float) -> None:
    from drive.drawing.simulation_plot import DriveLine, plot_simulation

    lines = [
        DriveLine(
            one.name,
            f"autonomy {one.autonomy_percent:.1f} %, {one.interventions} "
            f"intervention{'' if one.interventions == 1 else 's'} in {one.seconds:.0f} s",
            one.time_s,
            one.offset_m,
            one.intervention,
            one.cut,
        )
        for one in drives
    ]
    plot_simulation(path, lines, limit_m)
