"""Which recordings a training learns from: the options, and the split that they ask for.

Shared by the commands that train the steering network. Knows options and the cache; takes no step
of training.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drive.commands._common import Context, recording_overrides
from drive.errors import InputError

if TYPE_CHECKING:
    from drive.steering.cache import CachedDrive
    from drive.steering.split import Split

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
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
        metavar="TOP,BOTTOM",
        help="part of the frame that is the road, as shares of its height (default: 0.4,0.875)",
    )
    data.add_argument("--cache", metavar="DIR", help="decoded frames (default: ~/.cache/drive)")


def asked_data(args: argparse.Namespace) -> dict[str, Any]:
    """What the options ask for, as JSON; the same text gives the same split later."""
    from drive.steering.preprocess import ROAD, RoadCrop

    return {
        "recordings": [str(Path(path).resolve()) for path in args.recordings or [SAMPLE]],
        "exclude": args.exclude,
        "validation": args.validation,
        "test": args.test,
        "stride": args.stride,
        "crop": str(RoadCrop.parse(args.crop) if args.crop else ROAD),
        "steering": args.steering and str(Path(args.steering).resolve()),
        "overrides": recording_overrides(args),
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
    from drive.frames.recording import open_recordings
    from drive.steering.cache import default_cache, open_drive
    from drive.steering.preprocess import RoadCrop
    from drive.steering.split import leave_out, split_drives

    if data["stride"] < 1:
        raise InputError(f"--stride is a whole number from 1. Received: {data['stride']}")
    recordings = open_recordings(
        data["recordings"], steering_csv=data["steering"], overrides=data["overrides"]
    )
    recordings = leave_out(recordings, data["exclude"])
    how = {"stride": data["stride"], "crop": RoadCrop.parse(data["crop"])}
    drives = []
    for recording in recordings:
        context.record.add_input(recording.path)
        context.record.add_input(recording.steering_csv)
        folder = cache or default_cache()
        drive = open_drive(recording, folder, progress=context.progress, **how)
        _report(drive, context)
        drives.append(drive)
    split = split_drives(drives, data["validation"], data.get("test"))
    uses = {"training": split.training, "validation": split.validation, "test": split.test}
    for use, parts in uses.items():
        if not parts:
            continue
        named = [f"{part.drive.name} ({len(part)} frames)" for part in parts]
        context.record.counts[use] = {part.drive.name: len(part) for part in parts}
        context.message(f"{use}: {', '.join(named)}")
    return split


def _report(drive: CachedDrive, context: Context) -> None:
    counts = context.record.counts
    counts["frames_read"] = counts.get("frames_read", 0) + len(drive)
    counts["frames_lost"] = counts.get("frames_lost", 0) + drive.frames_lost
    if drive.frames_lost:
        context.warn(f"{drive.frames_lost} damaged frames of {drive.name} were left out")
