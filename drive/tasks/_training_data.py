"""Which recordings a training learns from: the options, and the split that they ask for.

Shared by the commands that train the steering network. Knows options and the cache; takes no step
of training.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.core.errors import InputError
from drive.core.shipped import SAMPLE
from drive.core.wording import counted
from drive.tasks._common import Context, recording_overrides

if TYPE_CHECKING:
    from drive.recordings.recording import Recording
    from drive.steering.cache import CachedDrive
    from drive.steering.side_cameras import SideCamera
    from drive.steering.split import Part, Split

VALIDATION = "0.2"


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Add the recordings to train on."""
    parser.add_argument(
        "recordings",
        nargs="*",
        metavar="RECORDING",
        help="folders or videos (default: the sample that ships)",
    )


def add_data_options(data: argparse._ArgumentGroup) -> None:
    """Add the options that `asked_data` reads, and `--cache`."""
    data.add_argument(
        "--validation",
        default=VALIDATION,
        metavar="NAME[,NAME]|SHARE",
        help="drives that choose the best epoch, or a share: the last drives; of a single drive "
        f"its last part, after a gap (default: {VALIDATION})",
    )
    data.add_argument(
        "--test",
        metavar="NAME[,NAME]|SHARE",
        help="drives (or the last share) that neither teach nor choose: what the network is then "
        "measured on (default: none)",
    )
    data.add_argument("--exclude", metavar="NAME[,NAME]", help="drives to leave out altogether")
    data.add_argument("--stride", type=int, default=1, metavar="N", help="use every N-th frame")
    data.add_argument(
        "--crop",
        metavar="TOP,BOTTOM[,SIDE]",
        help="part of the frame that is the road, as shares of its height, and the share of its "
        "width to leave out on each side, where only moved cameras look (default: 0.4,0.875)",
    )
    data.add_argument(
        "--auto-lag",
        action="store_true",
        help="take out a lag of the labels where picture and wheel agree on one; see check-data",
    )
    data.add_argument(
        "--smooth-labels",
        type=float,
        default=0.0,
        metavar="S",
        help="average the angles to learn over S seconds around each moment, without delay; 0.5 "
        "takes the steps out of keyboard steering in simulators (default: 0, as recorded)",
    )
    sides = data.add_mutually_exclusive_group()
    sides.add_argument(
        "--side-cameras",
        action="store_true",
        help="insist on side cameras: an error where no recording to train on has them (default: "
        "train with those there are, as shifts that were really seen)",
    )
    sides.add_argument("--no-side-cameras", action="store_true", help="leave them unused")
    data.add_argument(
        "--target",
        choices=["angle", "curvature"],
        default="angle",
        help="what the network learns: the recorded angle, or 1/r of the circle that it drives, "
        "which is the same for every car (see --wheelbase, --steering-ratio, --understeer); "
        "either way it predicts degrees (default: angle)",
    )
    data.add_argument("--cache", metavar="DIR", help="decoded frames (default: ~/.cache/drive)")


def asked_data(args: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, as JSON; the same text gives the same split later.

    Raises:
        InputError: a value is out of range.
    """
    from drive.recordings.labels import check_smoothing
    from drive.steering.preprocess import ROAD, RoadCrop

    if args.stride < 1:
        raise InputError(f"--stride is a whole number from 1. Received: {args.stride}")
    return {
        "recordings": [str(Path(path).resolve()) for path in args.recordings or [SAMPLE]],
        "exclude": args.exclude,
        "validation": args.validation,
        "test": args.test,
        "stride": args.stride,
        "crop": str(RoadCrop.parse(args.crop) if args.crop else ROAD),
        "steering": args.steering and str(Path(args.steering).resolve()),
        "overrides": recording_overrides(args),
        "auto_lag": args.auto_lag,
        "smooth_labels_s": check_smoothing(args.smooth_labels),
        "target": args.target,
        "side_cameras": (
            "no" if args.no_side_cameras else "yes" if args.side_cameras else "where there are any"
        ),
    }


def read_split(data: dict[str, Any], cache: str | None, context: Context) -> Split:
    """Open the recordings (from the cache where it has them) and split them; note it in the record.

    Args:
        data: from `asked_data`.
        cache: folder of decoded frames; None for the user's own.
        context: of the run; gets inputs, counts, messages and warnings.

    Raises:
        InputError: no such recording or drive, or none is left to train or validate on.
    """
    from drive.recordings.labels import smooth_labels
    from drive.recordings.recording import open_recordings
    from drive.steering.cache import check_cache, default_cache, open_drive
    from drive.steering.preprocess import RoadCrop
    from drive.steering.split import (
        check_held_out,
        gap_before,
        leave_out,
        leave_out_copies,
        refuse_doubled,
        split_drives,
    )

    folder = cache or default_cache()
    check_cache(folder)
    recordings = open_recordings(
        data["recordings"], steering_csv=data["steering"], overrides=data["overrides"]
    )
    refuse_doubled(recordings)
    recordings, copies = leave_out_copies(leave_out(recordings, data["exclude"]))
    for copy, original in copies:
        context.warn(
            f"{copy.name} is left out: its video is that of {original.name}, and a drive must not "
            "both teach and judge. To keep this one, leave the other out with --exclude"
        )
    check_held_out([each.name for each in recordings], data["validation"], data.get("test"))
    how = {"stride": data["stride"], "crop": RoadCrop.parse(data["crop"])}
    opened: dict[str, Recording] = {}
    drives: list[CachedDrive] = []
    as_recorded: list[CachedDrive] = []
    for recording in recordings:
        context.record.add_input(recording.path)
        context.record.add_input(recording.steering_csv)
        recording = _with_lag_taken_out(recording, data, folder, context)
        recording = _with_horizon_found(recording, folder, context)
        opened[recording.name] = recording
        drive = open_drive(recording, folder, progress=context.progress, **how)
        _report(drive, recording, context)
        drives.append(drive)
        if smooth_s := data.get("smooth_labels_s"):
            as_recorded.append(drive)
            opened[recording.name] = smooth_labels(recording, smooth_s)
            drives[-1] = open_drive(opened[recording.name], folder, **how)
    split = split_drives(drives, data["validation"], data.get("test"))
    split = _tested_as_recorded(split, as_recorded)
    if data.get("side_cameras", "no") != "no":
        split = _with_side_cameras(split, opened, folder, how, context)
        if data["side_cameras"] == "yes" and not any(p.drive.sides for p in split.training):
            raise InputError(
                "--side-cameras: no recording to train on has them. Expected NAME_left.mp4 and "
                "NAME_right.mp4 beside NAME_front.mp4, or left and right pictures in IMG/"
            )
    uses = {"training": split.training, "validation": split.validation, "test": split.test}
    for use, parts in uses.items():
        if not parts:
            continue
        named = [_named(part, gap_before(part, split)) for part in parts]
        context.record.counts[use] = {part.drive.name: len(part) for part in parts}
        context.message(f"{use}: {', '.join(named)}")
    if data.get("target") == "curvature":
        from drive.steering.target import as_curvature, unit_text

        split = as_curvature(split)
        context.message(unit_text(split.training))
    return split


def _named(part: Part, gap: int) -> str:
    """A part of a drive for people; `gap` frames before it are in no part."""
    behind = f", behind a gap of {counted(gap, 'frame')} left out" if gap else ""
    return f"{part.drive.name} ({counted(len(part), 'frame')}{behind})"


def _with_lag_taken_out(
    recording: Recording, data: dict[str, Any], folder: str | Path, context: Context
) -> Recording:
    """With `--auto-lag`, the recording without its lag; says what was found."""
    from drive.recordings.labels import correct_lag, stored_turning

    if not data.get("auto_lag"):
        return recording
    recording, verdict = correct_lag(recording, stored_turning(recording, folder, context.progress))
    context.record.extra.setdefault("lag_taken_out_s", {})[recording.name] = verdict.applied_s
    context.message(verdict.text)
    return recording


def _with_horizon_found(recording: Recording, folder: str | Path, context: Context) -> Recording:
    """The recording with its camera's horizon estimated, where nothing says where it lies."""
    from drive.recordings.horizon import stored_horizon, with_horizon

    if recording.config.camera.horizon is not None:
        return recording
    estimate = stored_horizon(recording, folder)
    context.record.extra.setdefault("horizon", {})[recording.name] = asdict(estimate)
    context.message(f"{recording.name}: horizon at {estimate}")
    return with_horizon(recording, estimate)


def _tested_as_recorded(split: Split, as_recorded: list[CachedDrive]) -> Split:
    """The split with the test drives' angles unsmoothed: a test is against the human's own."""
    drives = {drive.name: drive for drive in as_recorded}
    parts = [replace(part, drive=drives.get(part.drive.name, part.drive)) for part in split.test]
    return replace(split, test=parts)


def _with_side_cameras(
    split: Split,
    recordings: dict[str, Recording],
    folder: str | Path,
    how: dict[str, Any],
    context: Context,
) -> Split:
    """The split with the side cameras of its training drives; says and counts what they give."""
    from drive.steering.side_cameras import open_sides

    parts = []
    for part in split.training:
        recording = recordings[part.drive.name]
        drive = open_sides(
            recording,
            part.drive,
            folder,
            progress=context.progress,
            on_error=lambda name, error: context.warn(f"{name} is not used: {error}"),
            **how,
        )
        parts.append(replace(part, drive=drive))
        for side in drive.sides:
            _report_side(side, part, context)
    return replace(split, training=parts)


def _report_side(side: SideCamera, part: Part, context: Context) -> None:
    name, there = side.drive.name, int((side.rows[part.rows] >= 0).sum())
    missing, lost = len(part) - there, side.drive.frames_lost
    context.record.add_input(side.path)
    counts = context.record.counts
    counts.setdefault("side_cameras", {})[name] = there
    counts["side_frames_lost"] = counts.get("side_frames_lost", 0) + lost
    counts["side_frames_missing"] = counts.get("side_frames_missing", 0) + missing
    context.message(f"side camera: {name}, {side.offset_m:+g} m ({counted(there, 'frame')})")
    if missing or lost:
        context.warn(
            f"{name}: damaged frames left out: {lost}; frames to train on without theirs: {missing}"
        )


def _report(drive: CachedDrive, recording: Recording, context: Context) -> None:
    counts = context.record.counts
    counts["frames_read"] = counts.get("frames_read", 0) + len(drive)
    found = {
        "frames_lost": drive.frames_lost,
        "rows_without_angle": recording.rows_without_angle,
        "rows_repeated": recording.rows_repeated,
    }
    context.tell_left_out(drive.name, found)
    _warn_of_labels(drive, context)
    context.tell_marked(drive.name, int((~drive.good).sum()))


def _warn_of_labels(drive: CachedDrive, context: Context) -> None:
    """Say which angles no driver steered."""
    import numpy as np

    from drive.recordings.check import WIDEST_STEERING_WHEEL_DEG

    angles = drive.angle_deg[drive.good]
    if len(angles) > 1 and np.ptp(angles) == 0:
        context.warn(
            f"{drive.name}: every angle is {angles[0]:g} degrees, nothing to learn from. Is it the "
            "right column? Leave it out with --exclude"
        )
    widest = float(np.abs(angles).max(initial=0.0))
    if widest > WIDEST_STEERING_WHEEL_DEG:
        context.warn(
            f"{drive.name}: angles of up to {widest:.0f} degrees; no steering wheel turns beyond "
            f"{WIDEST_STEERING_WHEEL_DEG:.0f}. Is --unit right? See check-data"
        )
